"""Prints the reference page of models from their cards.

``python -m riverwatch.models.pages`` writes the page, ``--check`` fails when it differs (`make verify`).
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from riverwatch import generated, models
from riverwatch.models import base, drift

PAGE = pathlib.Path("docs/reference/models.md")
"""Where the page lies, from the root of the repository."""

_HEAD = """# Models

Written by `make docs` from the cards in `models/`. How they were measured:
[models-measured.md](../concepts/models-measured.md). What they read: [features.md](features.md).
"""

_BENCHED = """These have not beaten the plain sum of novelty counters, or lack the labels to learn from. They pass the
same contract suite and compete in `riverwatch bench models`.
"""

_DRIFT = f"""Per namespace and attribute the share of records with a new value, in batches of {drift.BATCH} records, is
compared with its usual share by the population stability index. From {drift.PSI_BOUND:g} and {drift.Z_BOUND:g}
standard deviations on, {drift.STANDING} batches in a row, the namespace has drifted: `status.drift` and condition
`Drifted` of its DetectionModel, metric `riverwatch_drifted_namespaces`. Nothing is raised for it, and a lasting change
comes to rest by itself. Before {drift.MIN_BATCHES} batches nothing is said. A new
{" or ".join(sorted(drift.UNWATCHED))} comes with the clock and does not count.
"""


def text() -> str:
    """Return the whole page."""
    parts = [
        _HEAD,
        "## In decisions\n",
        *(_section(card) for card in models.CARDS),
        "## Not in decisions\n",
        _BENCHED,
        *(_section(card) for card in models.BENCHED),
        "## Drift\n",
        _DRIFT,
    ]
    return "\n".join(parts)


def _section(card: base.ModelCard) -> str:
    lines = [
        f"### {card.name}\n",
        f"{card.summary}\n",
        f"- Reads: {', '.join(f'`{name}`' for name in card.inputs)}",
        f"- Warm-up: {card.warm_up}",
        f"- Memory: {card.memory}",
        "- Cannot see:",
        *(f"  - {spot}" for spot in card.blind_spots),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; return the exit status."""
    return generated.main(lambda: {PAGE: text()}, arguments, module="riverwatch.models.pages")


if __name__ == "__main__":
    raise SystemExit(main())
