"""The reference page of models."""

from __future__ import annotations

import pathlib

from riverwatch import models
from riverwatch.models import pages

ROOT = pathlib.Path(__file__).parents[3]


def test_the_page_is_fresh_and_names_every_model():
    text = (ROOT / pages.PAGE).read_text(encoding="utf-8")
    assert text == pages.text()
    for card in (*models.CARDS, *models.BENCHED):
        assert f"### {card.name}" in text
