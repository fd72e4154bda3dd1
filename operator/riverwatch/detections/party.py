"""Stage 6 helper: the identities of one incident -> its title, reasons and steps, told as one story.

`finding.Party` per identity in, the told parts of the `finding.Detection` out; a detection of one identity is told as
that identity's own. Pure; called by `detections.fold` whenever something was added.
"""

from __future__ import annotations

import math

import msgspec

from riverwatch import vocabulary
from riverwatch.detections import finding
from riverwatch.scoring import argument, explain, tactics

MAX_TITLE_CHARS = 300
"""Longest title of an incident of several identities."""

MAX_STEPS = 9
"""Next steps about several identities, the one about triage not counted."""

MOST = 99.9
"""Highest score, 0..100: nothing is certain."""

LEAST_REASONS = 2
"""Reasons that every identity of an incident is told with, as long as there is room."""


def tell(found: finding.Detection) -> None:
    """Write what people read first, from the parties."""
    parties = found.parties
    found.score = min(MOST, round(100.0 * (1.0 - math.prod(1.0 - party.strength for party in parties)), 1))
    strongest = max(parties, key=lambda party: party.strength)
    found.counterfactual = strongest.counterfactual
    if len(parties) == 1:
        found.title, found.explanation = strongest.title, list(strongest.explanation)
        found.recommendations = list(strongest.recommendations)
        return
    found.kind = vocabulary.DetectionKind.CORRELATED
    found.title = _title(parties)
    found.explanation = _reasons(parties)
    found.recommendations = _steps(parties)
    found.counterfactual = _about(strongest.label, strongest.counterfactual) if strongest.counterfactual else ""


def _title(parties: list[finding.Party]) -> str:
    last = next((party for party in parties if party.link), parties[0])
    first = next((party for party in parties if party.label == last.by), parties[0])
    then = parties[0].deed if last.label == first.label else last.deed
    text = f"{first.title}; {last.link}, which then {then}"
    if last.link.startswith("acted as "):
        text = f"{first.title}; {last.link} and {then}"
    elif ", which runs as " in last.link:
        text = f"{first.title}; {last.link}; {last.label} then {then}"
    left = len({party.label for party in parties} - {first.label, last.label})
    if left:
        text += f" (and {left} more {'identity' if left == 1 else 'identities'})"
    return text if len(text) <= MAX_TITLE_CHARS else text[: MAX_TITLE_CHARS - 3] + "..."


def _reasons(parties: list[finding.Party]) -> list[argument.Reason]:
    """Tell each identity's reasons under its name, weighed by how strange it was."""
    total = sum(party.strength for party in parties) or 1.0
    must: list[argument.Reason] = []
    may: list[argument.Reason] = []
    for party in parties:
        told = [
            msgspec.structs.replace(
                reason,
                text=reason.text if reason.feature.startswith("rule:") else _about(party.label, reason.text),
                contribution=round(reason.contribution * party.strength / total, 3),
            )
            for reason in party.explanation
        ]
        must += told[:LEAST_REASONS]
        may += told[LEAST_REASONS:]
    may.sort(key=lambda reason: -reason.contribution)
    return sorted((must + may)[: explain.MAX_REASONS], key=lambda reason: -reason.contribution)


def _about(label: str, text: str) -> str:
    """Say whom a sentence is about that begins with "It"."""
    return f"{label} {text.removeprefix('It ')}" if text.startswith("It ") else f"{label}: {text}"


def _steps(parties: list[finding.Party]) -> list[str]:
    """Merge next steps, the strongest identity's first; the last one, about triage, is the same for all."""
    ranked = sorted(parties, key=lambda party: -party.strength)
    most = max(len(party.recommendations) for party in ranked)
    turns = [
        party.recommendations[turn]
        for turn in range(most - 1)
        for party in ranked
        if turn < len(party.recommendations) - 1
    ]
    triage = ranked[0].recommendations[-1:]
    return [*list(dict.fromkeys(turns))[:MAX_MERGED], *triage]


MAX_MERGED = 9
"""Next steps about several identities, the one about triage not counted."""


def walk(found: finding.Detection, items: list[argument.Evidence], *, place: str) -> None:
    """Take the steps of new evidence into the chain: per identity, the first record of each tactic.

    Parameters
    ----------
    found
        The detection.
    items
        New evidence of one identity.
    place
        Where its credential was used from, when that is strange; empty otherwise.
    """
    known = {(step.actor, step.tactic) for step in found.chain if not step.link}
    for item in items:
        entry = tactics.INITIAL_ACCESS if found.parties[0].label == item.actor else tactics.LATERAL_MOVEMENT
        if place and item.actor and (item.actor, entry) not in known and f" {place}" in item.summary:
            _step(found, finding.Step(item.time_s, item.actor, entry, f"credential used {place}", item.audit_id))
            known.add((item.actor, entry))
        if item.tactic and (item.actor, item.tactic) not in known:
            _step(found, finding.Step(item.time_s, item.actor, item.tactic, _short(item), item.audit_id))
            known.add((item.actor, item.tactic))


def _short(item: argument.Evidence) -> str:
    """Return what was done, without who, from where and with what result: the evidence says that."""
    done, _, result = item.summary.removeprefix(f"{item.actor} ").partition(" -> ")
    return f"{done} (refused)" if result[:3] in {"401", "403"} else done


def hand_over(found: finding.Detection, step: finding.Step) -> None:
    """Take a link into the chain, once."""
    if not any(one.link and one.summary == step.summary and one.actor == step.actor for one in found.chain):
        _step(found, step)


def _step(found: finding.Detection, step: finding.Step) -> None:
    found.chain.append(step)
    found.chain.sort(key=lambda one: (one.time_s, not one.link))
    if len(found.chain) > finding.MAX_STEPS:
        # The beginning and the newest step tell most; the last but one goes.
        del found.chain[-2]
