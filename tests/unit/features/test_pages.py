"""The reference page of attributes."""

from __future__ import annotations

import pathlib

from riverwatch.features import catalog, pages

ROOT = pathlib.Path(__file__).parents[3]


def test_the_page_is_fresh_and_names_every_attribute():
    assert pages.main(["--check", "--root", str(ROOT)]) == 0
    text = (ROOT / pages.PAGE).read_text(encoding="utf-8")
    for card in catalog.ATTRIBUTES:
        assert f"| `{card.name}` |" in text
