"""Markup that its content cannot break."""

from __future__ import annotations

from riverwatch.report import markup


def test_escapes_content_and_attributes():
    assert markup.tag("a", "<b>", href='"x') == '<a href="&quot;x">&lt;b&gt;</a>'


def test_escapes_once():
    assert markup.tag("p", markup.tag("b", "a&b"), "a&b") == "<p><b>a&amp;b</b>a&amp;b</p>"


def test_takes_text_made_from_markup_for_text():
    assert markup.safe(f"{markup.tag('b', 'x')}") == "&lt;b&gt;x&lt;/b&gt;"


def test_makes_control_and_direction_characters_visible():
    assert markup.safe("a\x00\u202eb\ud800") == "a??b?"


def test_leaves_out_empty_attributes():
    assert markup.void("rect", class_="", aria_hidden="true") == '<rect aria-hidden="true"/>'
