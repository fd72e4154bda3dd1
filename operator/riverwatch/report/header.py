"""Stage 7: the first screen of the HTML report: what was read, what was found, what could not be seen.

Pure; called by `report.html`.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence

from riverwatch import vocabulary
from riverwatch.detections import finding
from riverwatch.report import context as report_context
from riverwatch.report import markup, section, words


def draw(detections: Sequence[finding.Detection], context: report_context.Context) -> markup.Markup:
    """Write the header.

    Parameters
    ----------
    detections
        Strongest first.
    context
        What was read.
    """
    return markup.tag(
        "header",
        markup.tag("h1", _headline(detections)),
        markup.tag("p", f"riverwatch {context.version} on {words.plain(context.title, 400)}", class_="soft"),
        _tiles(detections, context),
        markup.tag("p", f"{words.read(context)} {words.warmth(context)} {words.budget(context)}"),
        _notes(context),
    )


def summary(detections: Sequence[finding.Detection]) -> markup.Markup:
    """Write the table of all detections, each a link to its section."""
    rows = [
        [
            section.badge(item),
            markup.joined(
                markup.tag("a", words.plain(item.title, 512), href=f"#d-{item.uid}"),
                markup.tag("div", f"{item.actor.kind} {words.actor(item)}", class_="soft small"),
            ),
            markup.safe(words.moment(item.first_seen_s)),
            markup.safe(f"{item.evidence_count:,}"),
        ]
        for item in detections
    ]
    head = [("Severity", "share"), ("What, and who", ""), ("First seen (UTC)", "time"), ("Records", "strength")]
    caption = f"{words.counted(len(detections), 'detection')}, strongest first"
    return markup.table(caption, head, rows, style="stack list")


def techniques(detections: Sequence[finding.Detection]) -> markup.Markup:
    """Write the table of ATT&CK techniques over all detections; nothing when none is known."""
    count: collections.Counter[vocabulary.Technique] = collections.Counter(
        technique for item in detections for technique in dict.fromkeys(item.techniques)
    )
    if not count:
        return markup.NOTHING
    ranked = sorted(count, key=lambda technique: (-count[technique], technique.id, technique.tactic))
    rows = [
        [
            markup.safe(technique.tactic),
            markup.safe(f"{technique.id} {technique.name}"),
            markup.safe(f"{count[technique]:,}"),
        ]
        for technique in ranked
    ]
    head = [("Tactic", "usual"), ("Technique", ""), ("Detections", "strength")]
    versions = ", ".join(sorted({technique.attack_version for technique in ranked}))
    return markup.joined(
        markup.tag("h2", "ATT&CK techniques"),
        markup.table(f"By number of detections; MITRE ATT&CK {versions}", head, rows, style=""),
    )


def _headline(detections: Sequence[finding.Detection]) -> str:
    if not detections:
        return "Nothing stood out"
    return f"{words.counted(len(detections), 'detection')}: {words.severities(detections)}"


def _tiles(detections: Sequence[finding.Detection], context: report_context.Context) -> markup.Markup:
    actors = len({words.actor(item) for item in detections})
    phase = "warm" if context.warm else f"learning, {min(1.0, max(0.0, context.progress)):.0%}"
    when = ""
    if context.first_s is not None and context.last_s is not None:
        when = f"from {words.moment(context.first_s)[:16]}"
    tiles = [
        ("Detections", f"{len(detections):,}", f"by {words.counted(actors, 'actor')}" if actors else ""),
        ("Records used", f"{context.used:,}", f"{context.skipped_total:,} skipped of {context.read:,}"),
        ("Time covered", words.length(context.span_s) if context.read else "none", when),
        ("Identities", f"{context.identities:,}", f"in {words.counted(context.namespaces, 'namespace')}"),
        ("Models", phase, "rules only" if not context.warm else "rules and models judged"),
        (
            "Alert budget",
            f"{context.budget_per_day:g} a day" if context.budget_per_day else "none",
            f"threshold {context.threshold:.1f} nats; {context.shed_total:,} shed",
        ),
    ]
    return markup.tag("dl", *[_tile(*tile) for tile in tiles], class_="tiles")


def _tile(name: str, value: str, detail: str) -> markup.Markup:
    return markup.tag("div", markup.tag("dt", name), markup.tag("dd", value, markup.tag("small", detail)))


def _notes(context: report_context.Context) -> markup.Markup:
    notes = list(context.blind_spots)
    bad = {reason: count for reason, count in context.skipped.items() if reason not in words.ORDINARY_SKIPS}
    if bad:
        named = ", ".join(f"{words.SKIP_WORDS.get(reason, reason)}: {count:,}" for reason, count in bad.items())
        notes.append(f"{words.counted(sum(bad.values()), 'record')} could not be used ({named}).")
    if not context.warm:
        notes.append("The models had not finished learning, so what only habit can tell was not raised.")
    if not notes:
        return markup.NOTHING
    return markup.tag(
        "aside",
        markup.tag("b", "What this report could not see"),
        markup.tag("ul", *[markup.tag("li", note) for note in notes]),
        class_="note",
        aria_label="What this report could not see",
    )
