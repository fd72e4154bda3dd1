"""Stage 7, act: `Detection` -> custom resources, Kubernetes Events, other tools' formats."""
