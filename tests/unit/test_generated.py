"""Files written from code: written, found fresh, found stale."""

from __future__ import annotations

import pathlib

import pytest

from riverwatch import generated

FILES = {pathlib.Path("docs/a.md"): "ä\n", pathlib.Path("b.yaml"): "b: 1\n"}


def run(root: pathlib.Path, *arguments: str) -> int:
    return generated.main(lambda: FILES, [*arguments, "--root", str(root)], module="some.module")


def test_written_files_are_fresh(tmp_path, capsys):
    assert run(tmp_path) == 0
    assert (tmp_path / "docs" / "a.md").read_bytes() == "ä\n".encode()
    assert run(tmp_path, "--check") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(pathlib.Path.unlink, id="missing"),
        pytest.param(lambda path: path.write_text("b: 2\n"), id="edited"),
    ],
)
def test_check_names_what_is_stale_and_how_to_renew_it(damage, tmp_path, capsys):
    run(tmp_path)
    damage(tmp_path / "b.yaml")

    assert run(tmp_path, "--check") == 1
    assert capsys.readouterr().err == f"{tmp_path / 'b.yaml'}: stale; run python -m some.module\n"


def test_check_writes_nothing(tmp_path):
    assert run(tmp_path, "--check") == 1
    assert list(tmp_path.iterdir()) == []


def test_files_that_belong_to_nothing_are_the_callers_to_find(tmp_path, capsys):
    stranger = tmp_path / "stranger.yaml"
    arguments = ["--check", "--root", str(tmp_path)]

    assert generated.main(lambda: FILES, arguments, module="some.module", wrong=lambda root: [root / stranger]) == 1
    assert capsys.readouterr().err.startswith(f"{stranger}: stale")
