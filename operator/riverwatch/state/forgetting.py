"""Takes a person's name out of a checkpoint: every text that holds it holds a word that means nobody instead.

``plain data, name -> plain data, places``. The shape stays, so that everything else is as it was; the habits under the
new word fit nobody any more and fade like all that is not seen again. Pure. Called by ``riverwatch state forget``.
"""

from __future__ import annotations

import re
from typing import Any

MIN_CHARS = 3
"""Shortest name that is taken out: a shorter one would be found in everything."""

_BEFORE = r"(?<![\w.@:/-])"
_AFTER = r"(?![\w@/-]|[.:]\w)"
"""What a name ends at: ``ann`` is neither in ``joanne`` nor in ``ann@example.com`` nor in ``oidc:ann``."""


class Forgetting:
    """Replaces a name wherever it stands.

    Parameters
    ----------
    name
        The whole user name, address or other text, as it stands in audit records.
    instead
        What stands there from now on.

    Examples
    --------
    >>> one = Forgetting("ann@example.com", "nobody-1")
    >>> one.text_of({"ann@example.com": ["ann@example.com get secrets", 3, "joann@example.com"]})
    {'nobody-1': ['nobody-1 get secrets', 3, 'joann@example.com']}
    >>> one.places
    2
    """

    def __init__(self, name: str, instead: str) -> None:
        self._pattern = re.compile(_BEFORE + re.escape(name) + _AFTER)
        self._instead = instead
        self.places = 0
        """How often the name was found so far."""

    def text_of(self, plain: Any) -> Any:
        """Return the same plain data without the name."""
        if isinstance(plain, str):
            found, count = self._pattern.subn(lambda _: self._instead, plain)
            self.places += count
            return found
        if isinstance(plain, dict):
            return {self.text_of(key): self.text_of(value) for key, value in plain.items()}
        if isinstance(plain, list):
            return [self.text_of(item) for item in plain]
        return plain
