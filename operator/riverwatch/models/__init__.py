"""Stage 4b, judge by what was learned: `FeatureVector` -> `Surprise`s; online River estimators per namespace.

The list below is the order in which documents show the models; a model is added by its module, its line here and its
place in `models.bank`.
"""

from riverwatch.models import credential, novelty

CARDS = (novelty.CARD, credential.CARD)
"""Card of every model."""
