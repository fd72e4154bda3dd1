"""Stage 4b, judge by what was learned: `FeatureVector` -> `ModelScore`; online River estimators per namespace."""
