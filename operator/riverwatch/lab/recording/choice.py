"""Which attacks a recording shows, from the words of the command line.

``none|all|sample:K|NAME,...`` and a seed in, attacks out. Called by `riverwatch lab record`.
"""

from __future__ import annotations

from riverwatch import errors
from riverwatch.lab.attacks import base, catalog
from riverwatch.lab.life import rhythm
from riverwatch.lab.recording import break_in

STORIES = {break_in.ATTACK.card.id: break_in.ATTACK}
"""Attacks that tell a longer story than one technique; they are chosen by name only."""


def attacks(text: str, *, seed: int) -> list[base.Attack]:
    """Choose attacks.

    Parameters
    ----------
    text
        ``none``, ``all``, ``sample:K`` for K of them drawn by the seed, or ids with commas between.
    seed
        Of the recording.

    Raises
    ------
    BadInputError
        When the text says none of these, or an id is unknown.

    Examples
    --------
    >>> [attack.card.id for attack in attacks("break-in,secret-dump", seed=1)]
    ['break-in', 'secret-dump']
    """
    known = catalog.load()
    if text == "none":
        return []
    if text == "all":
        return list(known.values())
    if text.startswith("sample:"):
        count = text.removeprefix("sample:")
        if not count.isdecimal() or not 1 <= int(count) <= len(known):
            raise errors.BadInputError(f"{text!r}: K must be a number from 1 to {len(known)}")
        return rhythm.seeded(seed, "sample").sample(list(known.values()), int(count))
    names = [name.strip() for name in text.split(",")]
    return [STORIES[name] if name in STORIES else catalog.named([name])[0] for name in names]
