"""Stage 6, record: `Verdict` -> `Detection`; folding, naming, life cycle."""
