"""Stage 3, measure: `Activity` -> `FeatureVector`, bounded counts and windows per identity, target and namespace."""
