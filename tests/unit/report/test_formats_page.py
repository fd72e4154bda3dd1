"""The page about formats shows what the code does."""

from __future__ import annotations

import io
import json
import pathlib
import re

import pytest
import rich.console

from riverwatch.report import cloudevents, ocsf, section, sidekick, table

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "formats.md"
"""The page."""


@pytest.fixture(scope="module")
def blocks():
    """Code blocks of the page, by the heading above them."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = {}
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        block = re.search(r"^```\w+\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
        if block:
            found[heading] = block[1]
    return found


def test_shows_a_table_as_it_is_printed(blocks, plain, shown):
    out = io.StringIO()
    table.render([plain], rich.console.Console(file=out, width=80, color_system=None), context=shown)
    assert blocks["Table"] == out.getvalue()


def test_shows_the_ocsf_finding_as_it_is_sent(blocks, plain):
    assert json.loads(blocks["OCSF"]) == ocsf.to_ocsf(plain)


def test_shows_the_falcosidekick_payload_as_it_is_sent(blocks, plain):
    assert json.loads(blocks["falcosidekick"]) == sidekick.to_sidekick(plain)


def test_shows_the_cloudevents_envelope_as_it_is_sent(blocks, plain):
    written, sent = json.loads(blocks["CloudEvents"]), cloudevents.to_cloudevent(plain)
    assert written.pop("data")["kind"] == sent.pop("data")["kind"]
    assert written == sent


def test_tells_how_much_a_page_has_room_for():
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    many, hundreds = section.room(81), section.room(201)
    assert f"With more than 80 detections a section shows the {many.evidence} strongest records" in text
    assert (hundreds.reasons, hundreds.evidence, hundreds.steps) == (3, 3, 3)
    assert "the 3 strongest reasons, records and steps" in text
    assert table.MAX_REASONS == 4
    assert "At most four reasons are shown" in text


def test_explains_every_attribute_of_the_ocsf_finding_that_is_no_caption(plain):
    text = PAGE.read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z_.]+)`", text.split("```json")[0]))
    plainly = {
        "category_uid",
        "class_uid",
        "type_uid",
        "start_time",
        "end_time",
        "count",
        "message",
        "metadata",
        "actor",
    }
    attributes = {name for name in ocsf.to_ocsf(plain) if not name.endswith("_name")}
    captions = {name for name in attributes if f"{name}_id" in attributes}
    assert attributes - captions - plainly - told == set()
