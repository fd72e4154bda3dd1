"""Reading recorded logs: files, folders, standard input; order, progress, and what is an error."""

import gzip
import io
import json
import pathlib

import pytest

from riverwatch import errors
from riverwatch.sources import audit_file, base, compression

DATA = pathlib.Path(__file__).parents[2] / "data" / "audit"
RECORD = json.loads((DATA / "lines.jsonl").read_text().splitlines()[0])


def line(audit_id, time="2026-03-02T09:00:01.000000Z", **more):
    return json.dumps(RECORD | {"auditID": audit_id, "requestReceivedTimestamp": time} | more) + "\n"


def read(*paths, **options):
    tally = base.Tally()
    records = [one for batch in audit_file.read_paths(paths, tally=tally, **options) for one in batch.records]
    return [one.audit_id for one in records], tally


def test_files_are_read_in_the_order_of_their_first_record(tmp_path):
    (tmp_path / "a.log").write_text(line("late", "2026-03-02T11:00:00Z"))
    (tmp_path / "b.log").write_text("no JSON\n" + line("early", "2026-03-02T09:00:00Z"))
    (tmp_path / "c.log.gz").write_bytes(gzip.compress(line("middle", "2026-03-02T10:00:00.5Z").encode()))

    found, tally = read(tmp_path / "a.log", tmp_path / "b.log", tmp_path / "c.log.gz")

    assert found == ["early", "middle", "late"]
    assert tally.read == 4


def test_folder_is_walked_and_foreign_files_in_it_are_skipped(tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "audit.log").write_text(line("2", "2026-03-02T10:00:00Z"))
    (tmp_path / "audit.log").write_text(line("1", "2026-03-02T09:00:00Z"))
    (tmp_path / "README").write_text("what this is\n")
    (tmp_path / ".hidden").write_text(line("hidden"))
    (tmp_path / "empty.log").touch()

    found, tally = read(tmp_path)

    assert found == ["1", "2"]
    assert [skip.where for skip in tally.recent] == [f"{tmp_path / 'README'}:1"]


def test_file_named_twice_is_read_once(tmp_path):
    (tmp_path / "audit.log").write_text(line("1"))

    assert read(tmp_path, tmp_path / "audit.log")[0] == ["1"]


def test_standard_input_is_read():
    assert read("-", stdin=io.BytesIO(gzip.compress(line("1").encode())))[0] == ["1"]


def test_records_without_a_time_do_not_disturb_the_order(tmp_path):
    (tmp_path / "a.log").write_text(line("none", "never", stageTimestamp="") + line("late", "2026-03-02T11:00:00Z"))
    (tmp_path / "b.log").write_text(line("early", "2026-03-02T09:00:00Z"))

    assert read(tmp_path)[0] == ["early", "none", "late"]


ERRORS = {
    "missing": (lambda folder: folder / "no.log", "there is no such file"),
    "folder without files": (lambda folder: folder, "no file in it"),
    "empty": (lambda folder: made(folder, b""), "looks like an empty file"),
    "text": (lambda folder: made(folder, b"I0302 starting\n"), "looks like text, first line: I0302 starting"),
    "control characters": (lambda folder: made(folder, b"\x1b[31mred\n"), r"first line: \?\[31mred"),
    "zip": (lambda folder: made(folder, b"PK\x03\x04" + bytes(100)), "a zip archive"),
    "bzip2": (lambda folder: made(folder, b"BZh91AY&SY"), "a bzip2 archive"),
    "UTF-16": (lambda folder: made(folder, line("1").encode("utf-16")), "UTF-16 text"),
    "binary": (lambda folder: made(folder, bytes(range(256))), "a binary file"),
    "tar": (lambda folder: made(folder, b"audit.log".ljust(257, b"\0") + b"ustar\x0000" + bytes(500)), "a tar archive"),
    "no gzip after all": (lambda folder: made(folder, b"\x1f\x8b\x08" + bytes(50)), "gzip data is damaged"),
    "no zstd after all": (lambda folder: made(folder, b"\x28\xb5\x2f\xfd" + b"\xff" * 50), "zstd data is damaged"),
}


def made(folder, data):
    (folder / "audit.log").write_bytes(data)
    return folder / "audit.log"


@pytest.mark.parametrize(("path", "says"), ERRORS.values(), ids=ERRORS)
def test_path_that_offers_nothing_is_an_error_that_says_why(path, says, tmp_path):
    with pytest.raises(errors.BadInputError, match=says) as caught:
        read(path(tmp_path))

    assert str(tmp_path) in str(caught.value)


def test_unreadable_file_is_an_error_that_names_it(tmp_path, monkeypatch):
    path = made(tmp_path, b"")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "open", refuse)
    with pytest.raises(errors.BadInputError, match=r"audit\.log: cannot open: Permission denied"):
        read(path)


def test_folder_of_foreign_files_is_an_error(tmp_path):
    made(tmp_path, b"I0302 starting\n")

    with pytest.raises(errors.BadInputError, match="no file holds an audit record"):
        read(tmp_path)


def test_nothing_named_is_an_error():
    with pytest.raises(errors.BadInputError, match="name at least one file"):
        read()


def test_log_of_nothing_but_received_stages_is_an_audit_log(tmp_path):
    path = made(tmp_path, line("1", stage="RequestReceived").encode())

    found, tally = read(path)

    assert found == []
    assert tally.skipped == {base.SkipReason.STAGE_RECEIVED: 1}


@pytest.mark.parametrize("compress", [gzip.compress, bytes], ids=["gzip", "plain"])
def test_progress_ends_at_the_size_of_all_files(compress, tmp_path):
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(compress((line(name) * 3000).encode()))
    seen = []

    read(tmp_path, progress=lambda done, total: seen.append((done, total)))

    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert seen[-1] == (size, size)
    assert seen == sorted(seen)


def test_batches_say_where_they_start(tmp_path):
    path = made(tmp_path, (line("1") * 1000).encode())
    batches = list(audit_file.read_paths([path], tally=base.Tally()))

    assert batches[0].where == f"{path}:1"
    assert batches[1].where == f"{path}:{len(batches[0].records) + 1}"
    assert batches[0].place(2) == f"{path}:1 (record 3 from there)"


def test_trailing_zeros_after_gzip_are_no_damage(tmp_path):
    _, tally = read(made(tmp_path, gzip.compress(line("1").encode()) + bytes(1000)))

    assert tally.skipped == {}


def test_something_after_gzip_is_counted(tmp_path):
    found, tally = read(made(tmp_path, gzip.compress(line("1").encode()) + b"trailer"))

    assert found == ["1"]
    assert tally.skipped == {base.SkipReason.TRUNCATED: 1}


@pytest.mark.parametrize("magic", [compression.GZIP_MAGIC, compression.ZSTD_MAGIC], ids=["gzip", "zstd"])
def test_archive_cut_anywhere_is_counted_and_what_came_before_is_used(magic, tmp_path):
    name = {compression.GZIP_MAGIC: "lines.jsonl.gz", compression.ZSTD_MAGIC: "lines.jsonl.zst"}[magic]
    data = (DATA / name).read_bytes()
    counts = []
    for end in range(len(magic), len(data), 37):
        try:
            found, tally = read(made(tmp_path, data[:end]))
        except errors.BadInputError as error:
            assert "ends too early" in str(error)  # noqa: PT017 - most cuts leave something, and then do not raise
            continue
        counts.append(len(found))
        assert tally.skipped[base.SkipReason.TRUNCATED] == 1
    assert counts == sorted(counts)
