"""Prints the reference page of attributes, which is also the privacy sheet, from the cards in `features.catalog`.

``python -m riverwatch.features.pages`` writes the page, ``--check`` fails when it differs (`make verify`).
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from riverwatch import generated
from riverwatch.features import catalog

PAGE = pathlib.Path("docs/reference/features.md")
"""Where the page lies, from the root of the repository."""

_HEAD = """# Attributes that habits are learned on

Written by `make docs` from the cards in `features/catalog.py`. This is also the privacy sheet: models read these
audit fields and no others, and keep the values shown here (networks instead of addresses, product names instead of
versions); of request bodies only the registries that images come from.

| attribute | answers | audit fields read | can point at a person or place | why |
|---|---|---|---|---|
"""


def text() -> str:
    """Return the whole page."""
    rows = (
        f"| `{card.name}` | {card.facet.value} | {', '.join(f'`{field}`' for field in card.audit_fields)} "
        f"| {'yes' if card.personal else 'no'} | {card.why} |"
        for card in catalog.ATTRIBUTES
    )
    return _HEAD + "\n".join(rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; return the exit status."""
    return generated.main(lambda: {PAGE: text()}, arguments, module="riverwatch.features.pages")


if __name__ == "__main__":
    raise SystemExit(main())
