"""The tables of an evaluation, as rows of text that the terminal and the page both show.

`report.Report` in, `Table`s out. Pure; called by `page` and by `lab evaluate`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from riverwatch.lab.evaluation import measures, report

ABSENT = "-"
"""Shown where there is nothing to divide or to time."""


class Table(msgspec.Struct, frozen=True):
    """A table of text."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int]
    """Columns to align to the right."""


def side_by_side(told: report.Report) -> Table:
    """Give the main figures, a column for each mode."""
    modes = list(told.modes.values())
    rows: list[tuple[str, ...]] = [
        ("attacks", *(str(f.attacks) for f in modes)),
        ("detected", *(str(f.detected) for f in modes)),
        ("recall", *(share(f.recall) for f in modes)),
        *((f"recall, {name}", *(share(_recall_of(f, name)) for f in modes)) for name in _visibilities(modes)),
        ("detected with a labelled record as evidence", *(str(f.detected_by_evidence) for f in modes)),
        ("alerts", *(str(f.alerts) for f in modes)),
        ("precision", *(share(f.precision) for f in modes)),
        ("false alerts a day", *(f"{f.false_alerts_per_day:.2f}" for f in modes)),
        *(
            (f"recall at {budget} alerts a day", *(_under_budget(f, str(budget)) for f in modes))
            for budget in measures.BUDGETS
        ),
        ("average precision", *(f"{f.average_precision:.3f}" for f in modes)),
        ("time to detect, median", *(duration(f.delay.median_s) for f in modes)),
        ("time to detect, 95th", *(duration(f.delay.p95_s) for f in modes)),
    ]
    if told.latency is not None:
        empty = ("",) * (len(modes) - 1)
        live = told.latency
        rows.append(("live, request to visible, median", duration(live.median_s), *empty))
        rows.append(("live, request to visible, 95th", duration(live.p95_s), *empty))
        rows.append(("live, attacks seen", f"{live.seen} of {live.attacks}", *empty))
    return Table("Side by side", ("figure", *told.modes), tuple(rows), frozenset(range(1, len(modes) + 1)))


def groups(found: Sequence[measures.Group]) -> Table:
    """Give figures by group."""
    head = ("group", "attacks", "detected", "recall", "alerts", "precision", "median delay", "95th delay")
    rows = tuple(
        (
            group.name,
            str(group.attacks),
            str(group.detected),
            share(group.recall),
            str(group.alerts),
            share(group.precision),
            duration(group.delay.median_s),
            duration(group.delay.p95_s),
        )
        for group in found
    )
    return Table("Groups", head, rows, frozenset(range(1, len(head))))


def attacks(figures: measures.Figures) -> Table:
    """Give one row for each attack."""
    head = ("attack", "kind", "use case", "seen", "by", "after", "score", "alerts")
    rows = tuple(
        (
            row.attack,
            row.visibility,
            row.use_case,
            "yes" if row.detected else "no",
            row.by or ABSENT,
            duration(row.delay_s),
            f"{row.best_score:.0f}" if row.detected else ABSENT,
            str(row.alerts),
        )
        for row in figures.rows
    )
    return Table("Attacks", head, rows, frozenset({5, 6, 7}))


def happenings(figures: measures.Figures) -> Table:
    """Give false alerts by benign happening."""
    rows = tuple((name, str(count)) for name, count in figures.false_by_happening.items())
    return Table("False alerts", ("happening", "false alerts"), rows, frozenset({1}))


def definitions() -> Table:
    """Say what each figure means."""
    rows = (
        (
            "belongs to an attack",
            "a labelled record is among the alert's evidence, or same identity and overlapping interval",
        ),
        ("recall", "share of the attacks that at least one alert belongs to"),
        ("precision", "share of the alerts that belong to an attack; by use case: of the alerts of that use case"),
        ("false alerts a day", "alerts that belong to no attack, by days after the learning period"),
        (
            "recall at N alerts a day",
            "share of attacks seen by who reads the N highest scores of each day; 'of': what N a day can show",
        ),
        ("time to detect", "record time from the attack's first request to the first alert that belongs to it"),
        ("obvious, subtle", "subtle: every step uses a right that the identity holds; only habits tell"),
        ("rules, models, both", "which part was allowed to speak; rules alone are the baseline before any learning"),
    )
    return Table("Words", ("word", "meaning"), rows, frozenset())


def share(value: float | None) -> str:
    """Write a share.

    Examples
    --------
    >>> share(0.125), share(None)
    ('12.5%', '-')
    """
    return ABSENT if value is None else f"{value:.1%}"


def duration(value_s: float | None) -> str:
    """Write a time span with the unit that suits it.

    Examples
    --------
    >>> duration(0.5), duration(90), duration(7200), duration(200000)
    ('0.5 s', '1.5 min', '2.0 h', '2.3 d')
    """
    if value_s is None:
        return ABSENT
    for size_s, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if value_s >= size_s:
            return f"{value_s / size_s:.1f} {unit}"
    return f"{value_s:.1f} s"


def _under_budget(figures: measures.Figures, budget: str) -> str:
    """Write recall under a budget, with what it could be at most when that is less than all."""
    ceiling = figures.ceiling_at.get(budget, 1.0)
    most = f" of {share(ceiling)}" if ceiling < 1.0 else ""
    return f"{share(figures.recall_at.get(budget))}{most}"


def _visibilities(modes: Sequence[measures.Figures]) -> list[str]:
    """Name the kinds of attack that any mode met."""
    return sorted({group.name for figures in modes for group in figures.visibilities})


def _recall_of(figures: measures.Figures, name: str) -> float | None:
    """Give the recall of one kind of attack."""
    return next((group.recall for group in figures.visibilities if group.name == name), None)
