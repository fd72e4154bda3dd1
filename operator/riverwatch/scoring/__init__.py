"""Stage 5, decide: hits and scores -> `Verdict`; calibration, fusion, budget, explanation, policy."""
