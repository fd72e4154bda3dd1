"""Memory per part, on few identities."""

from __future__ import annotations

import gc

from riverwatch.bench.models import footprint, page


def test_every_part_that_grows_is_told():
    found = footprint.measure(identities=20, namespaces=4)
    sizes = {part.name: part.octets for part in found.parts}
    assert sizes["models: habits and groups"] > 20 * 500
    assert sizes["shortcut"] > 0
    assert "20 identities in 4 namespaces" in page.memory(found)


def test_size_of_an_object_is_that_of_all_it_holds():
    root = {"a": [b"x" * 10_000], "b": ({"c" * 5_000},)}
    held = footprint.deep_size(root, set())
    assert 15_000 < held < 17_000
    assert held > len(gc.get_referents(root))
