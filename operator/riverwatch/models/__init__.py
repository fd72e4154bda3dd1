"""Stage 4b, judge by what was learned: `FeatureVector` -> `Surprise`s; online River estimators per namespace.

The list below is the order in which documents show the models; a model is added by its module, its line here and its
place in `models.bank`.
"""

from riverwatch.models import credential, novelty, ranker, sequence

CARDS = (novelty.CARD, credential.CARD)
"""Card of every model that speaks in decisions."""

BENCHED = (sequence.CARD, ranker.CARD)
"""Cards of models that do not speak in decisions: they have not beaten the plain sum of novelty counters, or lack the
labels to learn from."""
