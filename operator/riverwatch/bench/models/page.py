"""Figures of the models -> text for people. Pure; called by `cli.bench_models`."""

from __future__ import annotations

from collections.abc import Sequence

from riverwatch.bench.models import contest, footprint

ANCHORS = (
    "Known from another, quiet machine on a load of the same kind: rcf AP 0.864 at 66 us, plain sum 0.74 to 0.81 at "
    "2 us, hst-records 0.41 at 16 us. Compare times only inside one run."
)
"""What the figures can be held against."""

HEAD = ("MODEL", "AUC", "AP", "FLAGS@90", "US", "PLAIN SUM", "WHAT")
"""Columns: flags needed for 90 % of the suspicious records, microseconds a record, whether the plain sum is beaten."""


def table(outcome: contest.Outcome) -> str:
    """Return the figures of one folder as aligned text."""
    rows = [
        (
            row.name,
            f"{row.auc:.3f}",
            f"{row.average_precision:.3f}",
            str(row.flags),
            f"{row.us:.1f}",
            "-" if row.name == contest.BASELINE else "beaten" if row.beats else "not beaten",
            row.what,
        )
        for row in outcome.rows
    ]
    head = (
        f"{outcome.folder}: {outcome.records} records, of which the last {outcome.counted} count; "
        f"{outcome.suspicious} of them are suspicious"
    )
    prices = (
        f"US is processor time of score and learn. Before it: {outcome.measure_us:.1f} us a record for the feature "
        f"vector of our models, {outcome.numbers_us:.1f} us for the 16 numbers."
    )
    lines = [
        head,
        "",
        *_aligned([HEAD, *rows]),
        "",
        prices,
        ANCHORS,
        *outcome.notes,
    ]
    return "\n".join(lines)


def memory(found: footprint.Footprint) -> str:
    """Return the memory of each part as aligned text."""
    rows = [("PART", "KIB", "BYTES AN IDENTITY")]
    rows += [(part.name, f"{part.octets / 1024:.0f}", f"{part.octets / found.identities:.0f}") for part in found.parts]
    total = sum(part.octets for part in found.parts)
    rows.append(("all", f"{total / 1024:.0f}", f"{total / found.identities:.0f}"))
    told = f"{found.identities} identities in {found.namespaces} namespaces after {found.records} records"
    return "\n".join([told, "", *_aligned(rows)])


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
