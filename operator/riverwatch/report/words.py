"""Stage 7: the sentences, the order and the times that the table and the page have in common.

Pure. `finding.Detection` and `context.Context` in, plain text out; every text is safe to show (no control or
direction-changing characters), but not escaped for markup: `report.markup` does that. Called by every module beside it.
"""

from __future__ import annotations

import collections
import datetime as dt
import re
from collections.abc import Iterable, Mapping

import msgspec

from riverwatch import clock, vocabulary
from riverwatch.activity import identities
from riverwatch.detections import advice, finding
from riverwatch.report import context as report_context

MAX_CHARS = 2_048
"""Longest text shown in one piece, characters; the same as in the custom resource."""

ORDINARY_SKIPS = frozenset({"stage_received", "duplicate", "own_identity", "disabled"})
"""Skip reasons that are no sign of bad input; values of `sources.base.SkipReason`."""

HINT_S = 7_200.0
"""Seconds that a log must span before learning from a part of it is proposed."""

SOONER_SHARE = 0.25
"""The part of it that is proposed: found enough on a break-in of one day."""

SKIP_WORDS: Mapping[str, str] = {
    "malformed_json": "not JSON",
    "wrong_shape": "an audit record with a field of the wrong type",
    "unknown_api_version": "an unknown audit API version",
    "too_large": "too large",
    "not_audit": "no audit record",
    "given_up": "in a delivery of which too much had been refused",
    "truncated": "cut off",
    "duplicate": "seen before",
    "no_room": "no room in the queue",
    "over_quota": "over the quota of its namespace",
    "own_identity": "riverwatch's own request",
    "disabled": "switched off by policy",
    "far_future": "with a time more than three years ahead",
    "fault": "riverwatch itself failed on it",
    "missing_timestamp": "without a time",
    "unauthenticated": "refused before anybody was known (401)",
    "missing_user": "without a user",
    "missing_verb": "without a verb",
    "stage_received": "first stage of a request that is told again when it is answered",
}
"""What people call a skip reason; a reason that is not listed is shown as it is."""

FREQUENCY_WORDS: Mapping[vocabulary.Frequency, str] = {
    vocabulary.Frequency.UNSEEN: "never seen in the cluster",
    vocabulary.Frequency.RARE: "rare around it",
    vocabulary.Frequency.INFREQUENT: "new for it, known to others",
    vocabulary.Frequency.FREQUENT: "frequent",
}
"""What people call a frequency class."""

MIN_STEPS = 2
"""Steps from which on a chain tells more than the evidence."""

RULE_PREFIX = "rule:"
"""Start of `Reason.feature` when a rule spoke; a rule's id follows."""

_STEP = re.compile(
    r"(?!Ask )(?:(?P<words>[A-Z][A-Za-z ,-]*): )?(?P<command>kubectl .*?)(?: (?P<condition>once [a-z ,]+))?"
)


class Step(msgspec.Struct, frozen=True):
    """One recommendation: words, and the command that goes with them."""

    words: str
    command: str
    """Empty when there is nothing to run."""


def plain(text: str, limit: int = MAX_CHARS) -> str:
    r"""Return text that is safe to show, cut at `limit` characters.

    Examples
    --------
    >>> plain("web\x1b[31m")
    'web?[31m'
    """
    return text if len(text) <= limit and text.isprintable() else advice.printable(text, limit)


def strongest_first(detections: Iterable[finding.Detection]) -> list[finding.Detection]:
    """Sort by severity, then score, then time; equal ones by uid, so that the order never depends on the input."""
    return sorted(detections, key=lambda item: (-item.severity.rank, -item.score, item.first_seen_s, item.uid))


def actor(detection: finding.Detection) -> str:
    """Return who acted, as people call it: ``namespace/name`` of a service account, else the name."""
    who = detection.actor
    name = f"{who.namespace}/{who.name}" if who.namespace else who.name
    return plain(f"{detection.impersonated_by} as {name}" if detection.impersonated_by else name, 256)


def username(who: finding.Actor) -> str:
    """Return the user name as the API server writes it.

    Examples
    --------
    >>> username(finding.Actor("ServiceAccount", "front", "web"))
    'system:serviceaccount:web:front'
    """
    if who.kind == identities.PrincipalKind.SERVICE_ACCOUNT:
        return f"{identities.SERVICE_ACCOUNT_PREFIX}{who.namespace}:{who.name}"
    if who.kind == identities.PrincipalKind.NODE:
        return f"{identities.NODE_PREFIX}{who.name.removeprefix(identities.NODE_PREFIX)}"
    return who.name


def moment(time_s: float) -> str:
    """Write a time for people, UTC, to the second.

    Examples
    --------
    >>> moment(1768464000.25)
    '2026-01-15 08:00:00'
    """
    return dt.datetime.fromtimestamp(time_s, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def stretch(first_s: float, last_s: float) -> str:
    """Write a stretch of time for people, UTC; the day is said once when both ends share it.

    Examples
    --------
    >>> stretch(1768464000.0, 1768464061.0)
    '2026-01-15 08:00:00 to 08:01:01 UTC'
    >>> stretch(1768464000.0, 1768464000.4)
    '2026-01-15 08:00:00 UTC'
    """
    first, last = moment(first_s), moment(last_s)
    if first == last:
        return f"{first} UTC"
    return f"{first} to {last[11:] if first[:10] == last[:10] else last} UTC"


def length(seconds: float) -> str:
    """Write a length of time as people say it.

    Examples
    --------
    >>> length(0.4), length(61.0), length(7200.0), length(1.3e6)
    ('under a second', '61 seconds', '2 hours', '15 days')
    """
    if seconds < 1.0:
        return "under a second"
    if seconds < 120.0:
        return counted(round(seconds), "second")
    if seconds < 7_200.0:
        return counted(round(seconds / 60.0), "minute")
    if seconds < 172_800.0:
        return counted(round(seconds / 3_600.0), "hour")
    return counted(round(seconds / 86_400.0), "day")


def counted(count: int, noun: str, plural: str = "") -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> counted(1, "record"), counted(1200, "record"), counted(2, "identity", "identities")
    ('1 record', '1,200 records', '2 identities')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def severities(detections: Iterable[finding.Detection]) -> str:
    """Count detections by severity, worst first, for example ``2 High, 1 Low``."""
    count = collections.Counter(item.severity for item in detections)
    ranked = sorted(count, key=lambda severity: -severity.rank)
    return ", ".join(f"{count[severity]:,} {severity.value}" for severity in ranked)


def read(context: report_context.Context) -> str:
    """Say in one sentence what was read."""
    if not context.read:
        return "No audit record was read."
    text = f"Read {counted(context.read, 'audit record')}, used {context.used:,}"
    if context.skipped_total:
        text += f", skipped {context.skipped_total:,} ({skips(context)})"
    if context.first_s is not None and context.last_s is not None:
        text += f"; {stretch(context.first_s, context.last_s)}, {length(context.span_s)}"
    return f"{text}."


def skips(context: report_context.Context) -> str:
    """List the skip reasons with their counts, most frequent first."""
    ranked = sorted(context.skipped.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{plain(SKIP_WORDS.get(reason, reason), 120)}: {count:,}" for reason, count in ranked)


def _sooner(context: report_context.Context) -> str:
    """Say how the models can speak about a log that is shorter than the learning period."""
    if context.first_s is None or context.span_s < HINT_S:
        return ""
    until_s = context.first_s + SOONER_SHARE * context.span_s
    return f" With --learn-until {clock.rfc3339(until_s - until_s % 60.0)[:19]}Z they speak about what comes after it."


def warmth(context: report_context.Context) -> str:
    """Say in one sentence how far the models are."""
    knows = f"{counted(context.identities, 'identity', 'identities')} in {counted(context.namespaces, 'namespace')}"
    if context.warm:
        return f"The models were warm: they know {knows}."
    return (
        f"The models were still learning ({min(1.0, max(0.0, context.progress)):.0%} of the learning period, {knows}): "
        f"only rules could speak.{_sooner(context)}"
    )


def budget(context: report_context.Context) -> str:
    """Say in one sentence what a case needed to be raised, and what was left out; empty when nothing is known."""
    if not context.threshold and not context.budget_per_day:
        return ""
    text = f"A case needed {context.threshold:.1f} nats of evidence"
    if context.budget_per_day:
        text += f" under a budget of {context.budget_per_day:g} a day"
    if context.shed_total:
        text += f"; {counted(context.shed_total, 'weak candidate')} did not fit the budget and stayed out"
    return f"{text}."


def nothing_found(context: report_context.Context) -> str:
    """Say that nothing stood out, in what, and how much that means."""
    return f"Nothing stood out. {read(context)} {warmth(context)}"


def step(recommendation: str) -> Step:
    """Tell a recommendation's words from its command.

    Only what is certainly ours counts as a command: words before it hold letters alone, so that a hostile name which
    contains one stays in the sentence.

    Examples
    --------
    >>> step("See who runs as it: kubectl -n web get pods").command
    'kubectl -n web get pods'
    >>> step("kubectl -n web delete pod x once its logs are kept")
    Step(words='Once its logs are kept', command='kubectl -n web delete pod x')
    >>> step("Ask bob: kubectl delete ns web").command
    ''
    """
    found = _STEP.fullmatch(recommendation)
    if found is None or len(recommendation) > MAX_CHARS or not recommendation.isprintable():
        return Step(plain(recommendation), "")
    condition = found["condition"] or ""
    return Step(found["words"] or condition[:1].upper() + condition[1:], found["command"])


def steps(detection: finding.Detection) -> list[Step]:
    """Return the recommendations of a detection."""
    return [step(text) for text in detection.recommendations]


def is_rule(reason: finding.Reason) -> bool:
    """Tell whether a rule gave this reason, not a model."""
    return reason.feature.startswith(RULE_PREFIX)


def rule_ids(detection: finding.Detection) -> list[str]:
    """Return the ids of the rules that spoke, the one that the title is about first; empty for a pure anomaly."""
    spoke = [reason for reason in detection.explanation if is_rule(reason)]
    spoke.sort(key=lambda reason: not any(f"{part} by " in detection.title for part in reason.text.split(": ")))
    told = [reason.feature.removeprefix(RULE_PREFIX) for reason in spoke]
    return list(dict.fromkeys([*told, *(name for name in detection.detectors if not is_model(name, detection))]))


def is_model(name: str, detection: finding.Detection) -> bool:
    """Tell whether a detector is a model: the version of the models is made of their names."""
    return any(part.startswith(f"{name}-") for part in detection.model_version.split("+"))


def chain(detection: finding.Detection) -> list[str]:
    """Write the steps of a detection, one line each; none when there is only one."""
    if len(detection.chain) < MIN_STEPS:
        return []
    several = len(detection.parties) > 1
    lines = []
    for taken in detection.chain:
        who = f"{plain(taken.actor, 120)}, " if several else ""
        lines.append(f"{moment(taken.time_s)[11:]} {who}{taken.tactic or 'Step'}: {plain(taken.summary, 160)}")
    return lines
