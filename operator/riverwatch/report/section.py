"""Stage 7: one detection as a section of the HTML report.

Says, in this order: what it is, what was unusual and against what, what would have been ordinary, what to do, and the
proof. Pure; called by `report.html`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from riverwatch.detections import advice, finding
from riverwatch.report import markup, words

MAX_TARGETS = 12
"""Targets named in one section; the object and the JSON hold more."""

MAX_TEXT = 600
"""Characters of one reason or record; longer ones are cut."""

MAX_VALUES = 8
"""Addresses, agents or detectors named in one section."""


class Room(msgspec.Struct, frozen=True):
    """How much of each detection a page has room for."""

    reasons: int
    evidence: int
    steps: int


def room(count: int) -> Room:
    """Return how much of each of `count` detections is shown: everything of few, the essential of hundreds."""
    if count <= 80:
        return Room(reasons=8, evidence=finding.MAX_EVIDENCE, steps=advice.MAX_RECOMMENDATIONS)
    return Room(reasons=8, evidence=12, steps=5) if count <= 200 else Room(reasons=3, evidence=3, steps=3)


def draw(detection: finding.Detection, space: Room) -> markup.Markup:
    """Write the section of a detection.

    Parameters
    ----------
    detection
        The detection.
    space
        How much of it is shown.
    """
    style = detection.severity.value.lower()
    heading = f"h-{detection.uid}"
    return markup.tag(
        "section",
        markup.tag("h3", words.plain(detection.title, 512), id=heading),
        _meta(detection),
        _chain(detection),
        _reasons(detection, space.reasons),
        _counterfactual(detection),
        _steps(detection, space.steps),
        _facts(detection),
        _evidence(detection, space.evidence),
        class_=f"finding {style}",
        id=f"d-{detection.uid}",
        aria_labelledby=heading,
    )


def badge(detection: finding.Detection) -> markup.Markup:
    """Return severity and score as a label."""
    text = f"{detection.severity.value} {detection.score:.0f}"
    return markup.tag("span", text, class_=f"badge {detection.severity.value.lower()}")


def _meta(detection: finding.Detection) -> markup.Markup:
    told = [
        f"{detection.actor.kind} {words.actor(detection)}",
        words.stretch(detection.first_seen_s, detection.last_seen_s),
        words.counted(detection.evidence_count, "record"),
        f"confidence {detection.confidence:.0%}",
        detection.kind.value,
    ]
    return markup.tag("p", badge(detection), f" {' · '.join(told)}", class_="soft")


def _chain(detection: finding.Detection) -> markup.Markup:
    told = words.chain(detection)
    if not told:
        return markup.NOTHING
    return markup.joined(markup.tag("h4", "Step by step"), markup.tag("ol", *[markup.tag("li", one) for one in told]))


def _reasons(detection: finding.Detection, most: int) -> markup.Markup:
    shown = detection.explanation[:most]
    if not shown:
        return markup.NOTHING
    rows = [_reason(reason) for reason in shown]
    left = len(detection.explanation) - len(shown)
    caption = "Share of the score, what was seen, and against what it was compared"
    if left:
        caption += f"; {words.counted(left, 'smaller reason')} left out"
    return markup.joined(
        markup.tag("h4", "What was unusual"),
        markup.table(
            caption,
            [("Share", "share"), ("Seen", ""), ("Usual", "usual"), ("How rare", "rare")],
            rows,
            style="stack why",
        ),
    )


def _reason(reason: finding.Reason) -> list[markup.Markup]:
    share = min(1.0, max(0.0, reason.contribution))
    by_rule = words.is_rule(reason)
    text, observed = words.plain(reason.text, MAX_TEXT), words.plain(reason.observed, MAX_TEXT)
    if by_rule:
        seen = markup.joined(markup.tag("b", text), markup.tag("div", observed, class_="soft small"))
    else:
        seen = markup.joined(
            f"{words.plain(reason.feature, 64)}: ",
            markup.tag("b", observed),
            markup.tag("div", text, class_="soft small"),
        )
    return [
        markup.joined(f"{share:.0%}", _bar(share)),
        seen,
        markup.safe(words.plain(reason.expected, MAX_TEXT)),
        markup.safe("rule" if by_rule else words.FREQUENCY_WORDS[reason.frequency]),
    ]


def _bar(share: float) -> markup.Markup:
    value = markup.void("rect", class_="value", width=f"{100 * share:.0f}", height="8", rx="2")
    ground = markup.void("rect", class_="ground", width="100", height="8", rx="2")
    return markup.tag(
        "svg", ground, value, class_="bar", viewBox="0 0 100 8", preserveAspectRatio="none", aria_hidden="true"
    )


def _counterfactual(detection: finding.Detection) -> markup.Markup:
    if not detection.counterfactual:
        return markup.NOTHING
    return markup.joined(markup.tag("h4", "What would have been ordinary"), markup.tag("p", detection.counterfactual))


def _steps(detection: finding.Detection, most: int) -> markup.Markup:
    steps = words.steps(detection)[:most]
    if not steps:
        return markup.NOTHING
    return markup.joined(
        markup.tag("h4", "What to do next"), markup.tag("ol", *[markup.tag("li", _step(step)) for step in steps])
    )


def _step(step: words.Step) -> markup.Markup:
    if not step.command:
        return markup.safe(step.words)
    before = f"{step.words}:" if step.words else ""
    return markup.joined(before, markup.tag("pre", markup.tag("code", step.command)))


def _facts(detection: finding.Detection) -> markup.Markup:
    techniques = [f"{item.id} {item.name} ({item.tactic})" for item in detection.techniques]
    facts = {
        "Acted on": _listed([_target(target) for target in detection.targets], MAX_TARGETS),
        "From": _listed(detection.source_ips, MAX_VALUES),
        "With": _listed(detection.user_agents, MAX_VALUES),
        "ATT&CK": _listed(techniques, MAX_VALUES),
        "Detectors": _listed(detection.detectors, MAX_VALUES),
        "Policies": _listed(detection.policy_refs, MAX_VALUES),
        "Object": f"{detection.namespace}/{detection.name}" if detection.namespace else detection.name,
    }
    pairs = [markup.joined(markup.tag("dt", name), markup.tag("dd", told)) for name, told in facts.items() if told]
    return markup.joined(markup.tag("h4", "Facts"), markup.tag("dl", *pairs, class_="facts"))


def _target(target: finding.Target) -> str:
    kind = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
    place = "/".join(part for part in (target.namespace, target.name) if part)
    return f"{kind} {place}" if place else f"{kind} cluster-wide"


def _listed(values: Sequence[str], most: int) -> str:
    shown = ", ".join(words.plain(value, 200) for value in values[:most])
    left = len(values) - most
    return f"{shown} and {left} more" if left > 0 else shown


def _evidence(detection: finding.Detection, most: int) -> markup.Markup:
    if not detection.evidence:
        return markup.NOTHING
    shown = detection.evidence
    if len(shown) > most:
        strongest = sorted(range(len(shown)), key=lambda place: (-shown[place].score, place))[:most]
        shown = [shown[place] for place in sorted(strongest)]
    which = "the strongest, " if len(shown) < detection.evidence_count else ""
    caption = f"{len(shown):,} of {words.counted(detection.evidence_count, 'record')}: {which}in order of time (UTC)"
    rows = [
        [
            markup.safe(words.moment(item.time_s)),
            markup.joined(item.summary, markup.tag("div", item.audit_id, class_="soft small")),
            markup.safe(f"{item.score:.2f}"),
        ]
        for item in shown
    ]
    head = [("Time", "time"), ("What happened, and the audit id", ""), ("Strength", "strength")]
    return markup.joined(
        markup.tag("h4", "Evidence"),
        markup.tag(
            "details",
            markup.tag("summary", f"Show {words.counted(len(shown), 'record')}"),
            markup.table(caption, head, rows, style="stack proof"),
        ),
    )
