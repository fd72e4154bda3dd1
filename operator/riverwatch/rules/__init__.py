"""Stage 4a, judge by rule: `Activity` -> `RuleHit`; the Sigma engine and its catalogue."""
