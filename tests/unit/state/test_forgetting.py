"""A name is taken out wherever it stands as a whole name, and nowhere else."""

import pytest

from riverwatch.state import forgetting

TEXTS = {
    "alone": ("ann@example.com", "nobody"),
    "before what it did": ("ann@example.com get secrets web/db", "nobody get secrets web/db"),
    "in a sentence": ("Secret read by ann@example.com.", "Secret read by nobody."),
    "in a key of parts": ("ann@example.com\naction=get secrets", "nobody\naction=get secrets"),
    "in brackets": ("(ann@example.com), ann@example.com: x", "(nobody), nobody: x"),
    "in the name of another": ("joann@example.com", "joann@example.com"),
    "before a longer domain": ("ann@example.com.au", "ann@example.com.au"),
    "behind an issuer": ("oidc:ann@example.com", "oidc:ann@example.com"),
    "as part of a path": ("ann@example.com/x", "ann@example.com/x"),
}


@pytest.mark.parametrize(("text", "after"), TEXTS.values(), ids=TEXTS)
def test_whole_names_are_taken_out(text, after):
    assert forgetting.Forgetting("ann@example.com", "nobody").text_of(text) == after


def test_shape_and_numbers_stay():
    one = forgetting.Forgetting("198.51.100.7", "nobody")
    plain = {"198.51.100.7": [1, 2.5, None, True, b"raw", {"a": "198.51.100.70"}], "b": []}
    assert one.text_of(plain) == {"nobody": [1, 2.5, None, True, b"raw", {"a": "198.51.100.70"}], "b": []}
    assert one.places == 1


def test_a_name_is_no_pattern():
    assert forgetting.Forgetting("a.c+d", "nobody").text_of("abc+d a.c+d a.ccd") == "abc+d nobody a.ccd"
