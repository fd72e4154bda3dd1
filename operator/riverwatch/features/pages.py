"""Prints the reference page of attributes, which is also the privacy sheet, from the cards in `features.catalog`.

``python -m riverwatch.features.pages`` writes the page, ``--check`` fails when it differs (`make verify`).
"""

from __future__ import annotations

import argparse
import pathlib
import sys

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


def main() -> int:
    """Write or check the page; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the page of attributes.")
    parser.add_argument("--check", action="store_true", help="Write nothing; fail when the page differs.")
    if parser.parse_args().check:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text():
            return 0
        sys.stderr.write(f"{PAGE}: stale; run make docs\n")
        return 1
    PAGE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
