"""The page ``docs/reference/attacks.md``, written from the cards of all attacks.

Cards in, Markdown out. ``python -m riverwatch.lab.attacks.reference`` writes it, ``--check`` fails when it is stale; a
test does the same. Called by `make docs` and `make verify`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence

from riverwatch import generated
from riverwatch.lab.attacks import base, catalog

PAGE = pathlib.Path("docs", "reference", "attacks.md")
"""Where the page stands below the repository's root."""

INTRODUCTION = """\
# Attack simulations

Written from the cards of the attacks; `make docs` renews it. Run them with `riverwatch lab attack`, record them into a
simulated life with `riverwatch lab record --attacks`, and see what was found with `riverwatch lab evaluate`.

*Obvious*: a written rule, or a count, can see at least one step. *Subtle*: every step uses a right that the identity
holds, and no rule on a single record raises it; only habits tell. Both are checked on a real API server for every
attack, as is that it leaves nothing behind.
"""
"""What stands above the cards."""


def page(attacks: Iterable[base.Attack]) -> str:
    """Write the page.

    Parameters
    ----------
    attacks
        In the order in which they are to appear.
    """
    cards = [attack.card for attack in attacks]
    subtle = sum(card.subtlety is base.Subtlety.SUBTLE for card in cards)
    lines = [INTRODUCTION, f"{len(cards)} attacks, {subtle} of them subtle.", ""]
    lines += ["| attack | kind | use case | ATT&CK | reach |", "|---|---|---|---|---|"]
    lines += [
        f"| [{card.id}](#{card.id}) | {card.subtlety} | {card.use_case} | {card.technique.id} | {card.reach} |"
        for card in cards
    ]
    for card in cards:
        lines += ["", *_section(card)]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it; return the exit status."""
    return generated.main(_files, arguments, module="riverwatch.lab.attacks.reference")


def _files() -> generated.Files:
    return {PAGE: page(catalog.load().values())}


def _section(card: base.Card) -> list[str]:
    """Write one card."""
    technique = card.technique
    lines = [
        f"## {card.id}",
        "",
        f"**{card.title}.** {card.does}",
        "",
        f"- Technique: {technique.id} {technique.name} ({technique.tactic}; ATT&CK {technique.version})",
        f"- Use case: {card.use_case}, {card.subtlety}; misused identity: {card.victim}; hours: {card.when}",
        f"- How it should be seen: {card.seen_by}",
        f"- Cleanup: {card.cleans_up}",
    ]
    if card.needs:
        lines.append(f"- Needs: {'; '.join(card.needs)}")
    if card.catalogues:
        lines.append(f"- Also described as: {', '.join(card.catalogues)}")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
