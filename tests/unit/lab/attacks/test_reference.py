"""The page of attacks."""

import pathlib

import riverwatch
from riverwatch.lab.attacks import catalog, reference

ROOT = pathlib.Path(riverwatch.__file__).parents[2]


def test_is_fresh():
    assert reference.main(["--check", "--root", str(ROOT)]) == 0


def test_tells_a_stale_page(tmp_path, capsys):
    assert reference.main(["--root", str(tmp_path)]) == 0
    assert reference.main(["--check", "--root", str(tmp_path)]) == 0
    (tmp_path / reference.PAGE).write_text("old")
    assert reference.main(["--check", "--root", str(tmp_path)]) == 1
    assert "stale" in capsys.readouterr().err


def test_shows_every_attack():
    text = reference.page(catalog.load().values())
    assert all(f"## {name}\n" in text for name in catalog.load())
