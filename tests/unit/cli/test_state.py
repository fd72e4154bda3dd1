"""``riverwatch state``: checkpoints are listed, and a person can be taken out of them."""

from __future__ import annotations

import pathlib

from riverwatch.state import store

SCENARIO = pathlib.Path(__file__).parents[2] / "scenarios" / "cluster-admin-without-history" / "input.jsonl"
NAME = "mallory@example.com"


def contents(place: pathlib.Path) -> list[bytes]:
    kept = store.Store(place)
    return [kept.read(name).content for name in kept.names()]


def test_a_person_is_taken_out_of_every_checkpoint_and_the_rest_goes_on(riverwatch, tmp_path):
    for _ in range(2):
        riverwatch("replay", SCENARIO, "--state", tmp_path)
    before = contents(tmp_path)
    assert len(before) == 2
    assert all(NAME.encode() in one for one in before)

    ran = riverwatch("state", "forget", NAME, "--state", tmp_path)

    assert ran.returncode == 0
    assert ran.stdout.startswith(b"taken out at ")
    assert not [one for one in contents(tmp_path) if NAME.encode() in one]
    assert b"nobody-" in contents(tmp_path)[0]
    again = riverwatch("replay", SCENARIO, "--state", tmp_path, "-o", "jsonl")
    assert b"went on from" in again.stderr
    assert b"duplicate 1" in again.stderr


def test_checkpoints_are_listed(riverwatch, tmp_path):
    riverwatch("replay", SCENARIO, "--state", tmp_path)
    (tmp_path / "checkpoint-000000000009-abcdef.rw").write_bytes(b"none")

    newest, other = riverwatch("state", "list", "--state", tmp_path).stdout.decode().splitlines()

    assert newest.startswith("checkpoint-000000000009-abcdef.rw  cannot be used: ")
    assert "bytes" in other


def test_what_cannot_be_read_goes_and_is_told(riverwatch, tmp_path):
    riverwatch("replay", SCENARIO, "--state", tmp_path)
    (tmp_path / "checkpoint-000000000009-abcdef.rw").write_bytes(b"none")

    ran = riverwatch("state", "forget", NAME, "--state", tmp_path)

    assert b"checkpoint-000000000009-abcdef.rw could not be read and was removed" in ran.stderr
    assert len(contents(tmp_path)) == 1


def test_wrong_calls_say_what_is_wrong(riverwatch, tmp_path):
    empty = riverwatch("state", "forget", NAME, "--state", tmp_path)
    assert (empty.returncode, b"holds no checkpoint" in empty.stderr) == (1, True)
    short = riverwatch("state", "forget", "ab", "--state", tmp_path)
    assert (short.returncode, b"at least 3 characters" in short.stderr) == (1, True)
    kind = riverwatch("state", "list", "--state", "ftp://x")
    assert (kind.returncode, b"s3://" in kind.stderr) == (1, True)


def test_nobody_else_reads_checkpoints(riverwatch, tmp_path):
    riverwatch("replay", SCENARIO, "--state", tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    [one] = (tmp_path / "new").glob("*.rw")
    assert one.stat().st_mode & 0o077 == 0
