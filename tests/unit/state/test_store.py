"""The store keeps the two newest checkpoints, falls back when one is bad, and never takes a blip for an empty store."""

import pathlib
import re

import obstore.exceptions
import pytest

from riverwatch import errors
from riverwatch.state import snapshot, store


def checkpoint(number: int) -> snapshot.Snapshot:
    return snapshot.Snapshot(
        snapshot.pack({"number": number}),
        "m-1",
        record_s=1000.0 + number,
        resume={"spool": {"segment": number, "offset": 8}},
    )


class Taker:
    """Takes checkpoints over, but for those it is told to refuse."""

    def __init__(self, *refuse: int) -> None:
        self.refuse = refuse
        self.taken: list[int] = []

    def __call__(self, one: snapshot.Snapshot) -> None:
        number = snapshot.unpack(one.content)["number"]
        if number in self.refuse:
            raise errors.StateError("models have another version")
        self.taken.append(number)


def fill(folder: pathlib.Path, count: int) -> store.Store:
    one = store.Store(folder)
    for number in range(1, count + 1):
        one.save(checkpoint(number))
    return one


def spoil(folder: pathlib.Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-7])


def test_starts_cold_when_nothing_is_there(tmp_path: pathlib.Path) -> None:
    report = store.Store(tmp_path / "new" / "folder").load(Taker())
    assert report.cold
    assert str(report) == "started without a checkpoint"


def test_keeps_the_two_newest(tmp_path: pathlib.Path) -> None:
    one = fill(tmp_path, 4)
    names = one.names()
    assert [re.sub(r"-[0-9a-f]{6}\.rw$", "", name) for name in names] == [
        "checkpoint-000000000004",
        "checkpoint-000000000003",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_takes_the_newest_and_says_where_to_go_on(tmp_path: pathlib.Path) -> None:
    fill(tmp_path, 3)
    taker = Taker()
    report = store.Store(tmp_path).load(taker)
    assert taker.taken == [3]
    assert report.resume == {"spool": {"segment": 3, "offset": 8}}
    assert (report.record_s, report.rejected, report.cold) == (1003.0, (), False)


def test_falls_back_to_the_older_when_the_newest_is_damaged(tmp_path: pathlib.Path) -> None:
    names = fill(tmp_path, 3).names()
    spoil(tmp_path, names[0])
    taker = Taker()
    report = store.Store(tmp_path).load(taker)
    assert taker.taken == [2]
    assert report.used == names[1]
    assert [one.name for one in report.rejected] == [names[0]]
    assert f"{names[0]} was not used: it is truncated" in str(report)


def test_falls_back_when_the_content_cannot_be_taken(tmp_path: pathlib.Path) -> None:
    fill(tmp_path, 3)
    taker = Taker(3)
    report = store.Store(tmp_path).load(taker)
    assert taker.taken == [2]
    assert report.rejected[0].reason == "models have another version"


def test_starts_cold_and_names_every_bad_one(tmp_path: pathlib.Path) -> None:
    names = fill(tmp_path, 3).names()
    for name in names:
        spoil(tmp_path, name)
    report = store.Store(tmp_path).load(Taker())
    assert report.cold
    assert [one.name for one in report.rejected] == names
    assert report.resume == {}


def test_a_bad_one_does_not_push_out_a_good_one(tmp_path: pathlib.Path) -> None:
    names = fill(tmp_path, 3).names()
    spoil(tmp_path, names[0])
    again = store.Store(tmp_path)
    again.load(Taker())
    saved = again.save(checkpoint(4))
    assert names[1] in again.names()
    assert goes_on(saved) == [4, 2]
    again.save(checkpoint(5))
    taker = Taker()
    assert store.Store(tmp_path).load(taker).rejected == ()
    assert len(again.names()) == 2


def test_numbers_go_on_after_a_bad_one(tmp_path: pathlib.Path) -> None:
    spoil(tmp_path, fill(tmp_path, 2).names()[0])
    again = store.Store(tmp_path)
    again.load(Taker())
    assert again.save(checkpoint(3)).name.startswith("checkpoint-000000000003-")


def goes_on(saved: store.Saved) -> list[int | str]:
    return [resume["spool"]["segment"] for resume in saved.resumes]


def test_says_where_those_that_are_kept_go_on(tmp_path: pathlib.Path) -> None:
    one = store.Store(tmp_path)
    assert goes_on(one.save(checkpoint(1))) == [1]
    assert goes_on(one.save(checkpoint(2))) == [2, 1]
    assert goes_on(one.save(checkpoint(3))) == [3, 2]


def test_does_not_guess_where_one_that_it_has_not_read_goes_on(tmp_path: pathlib.Path) -> None:
    fill(tmp_path, 2)
    again = store.Store(tmp_path)
    assert goes_on(again.save(checkpoint(3))) == []
    assert goes_on(again.save(checkpoint(4))) == [4, 3]


def test_two_writers_overwrite_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = store.Store(tmp_path), store.Store(tmp_path)
    monkeypatch.setattr(second, "names", list)  # what it saw before the first one wrote
    saved = {first.save(checkpoint(1)).name, second._put(snapshot.encode(checkpoint(2)))}
    assert len(saved) == 2
    assert set(first.names()) == saved


def test_leaves_other_files_alone_and_clears_what_a_kill_left(tmp_path: pathlib.Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "checkpoint-000000000001-abcdef.rw#1").write_bytes(b"half")
    fill(tmp_path, 1)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.glob("*#*")] == []


def test_a_place_that_is_away_is_no_cold_start(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = fill(tmp_path, 1)

    def away(*_: object, **__: object) -> object:
        raise obstore.exceptions.GenericError("connection refused\n\nDebug source: long")

    monkeypatch.setattr(store.obstore, "get", away)
    with pytest.raises(errors.TemporaryError, match=r"cannot be read: connection refused$"):
        one.load(Taker())
    monkeypatch.setattr(store.obstore, "list", away)
    with pytest.raises(errors.TemporaryError, match="cannot be listed"):
        one.load(Taker())


def test_a_failed_write_leaves_what_was_there(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = fill(tmp_path, 2)
    before = one.names()

    def full(*_: object, **__: object) -> object:
        raise obstore.exceptions.GenericError("No space left on device")

    monkeypatch.setattr(store.obstore, "put", full)
    with pytest.raises(errors.TemporaryError, match="cannot be written: No space left"):
        one.save(checkpoint(3))
    assert one.names() == before


@pytest.mark.parametrize("place", ["file://{}", "{}"], ids=["as a URL", "as a folder"])
def test_folders_can_be_written_both_ways(tmp_path: pathlib.Path, place: str) -> None:
    folder = tmp_path / "with space"
    store.Store(place.format(str(folder).replace(" ", "%20") if "://" in place else folder)).save(checkpoint(1))
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    "place",
    ["s3://bucket/some/prefix", "gs://bucket/prefix", "az://account/container/prefix"],
    ids=["S3", "Google", "Azure"],
)
def test_understands_object_stores(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert store.Store(place).place == place


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("ftp://host/x", "begins with file://, s3://, gs://, az://"),
        ("https://host/x", "begins with file://, s3://"),
        ("s3://", "cannot keep checkpoints there"),
        ("/dev/null/x", "cannot keep checkpoints there"),
    ],
    ids=["unknown scheme", "plain web server", "no bucket", "a folder that cannot be"],
)
def test_refuses_other_places_by_name(place: str, text: str) -> None:
    with pytest.raises(errors.BadInputError, match=text) as caught:
        store.Store(place)
    assert caught.value.where == place
