"""Stage 4b beside the main way: namespaces whose life has changed its shape are relearned by a shadow of their models.

Pure functions over the parts of a pipeline, which calls them: `begin` whenever ended cases are swept, `beside` for
every record of such a namespace. Nothing here raises or holds back anything.
"""

from __future__ import annotations

import msgspec

from riverwatch import vocabulary
from riverwatch.models import bank, drift
from riverwatch.scoring import judge

MINDED = vocabulary.Severity.MEDIUM.rank
"""Rank of rule hits that a shadow does not learn; what only seemed strange may be the new life."""


def begin(models: bank.Bank, watched: drift.Drift, *, frozen: frozenset[str], now_s: float) -> bool:
    """Begin to relearn namespaces that drifted, and forget versions that nobody asked for.

    Parameters
    ----------
    models
        All models; gets the shadows.
    watched
        Tells which namespaces drifted, and since when.
    frozen
        Namespaces that must not learn.
    now_s
        Record time.

    Returns
    -------
    bool
        Whether shadows came or went.
    """
    changed = models.versions.forget_old(now_s)
    for home in watched.drifted():
        since_s = watched.of(home).since_s
        if since_s is not None and home in models.homes and home not in frozen:
            changed |= models.versions.begin(home, models.cluster, drift_s=since_s, now_s=now_s)
    return changed


def beside(models: bank.Bank, judged: judge.Judge, question: judge.Question, verdict: judge.Verdict | None) -> None:
    """Ask the shadow of a namespace what it makes of an activity, and have it learn what no rule minds.

    Parameters
    ----------
    models
        All models.
    judged
        Has decided already; takes over what the shadow would have decided.
    question
        The activity and its rule hits; what was new to the models in force is not looked at.
    verdict
        What was decided; None for nothing to say.
    """
    measured = question.measured
    shadow = models.versions.shadows[measured.home]
    asked = msgspec.structs.replace(question, parts=models.shadow_opinion(measured))
    from_s = shadow.since_s + question.policy.learning_s
    judged.compare(asked, verdict, version=shadow.name, from_s=from_s)
    if not any(hit.card.severity.rank >= MINDED for hit in question.hits):
        models.shadow_learn(measured)
