"""The spool gives out what it took, once and in order, whatever happens to process, disk and files."""

import errno
import os
import pathlib
import threading
import types

import pytest

from riverwatch import errors
from riverwatch.state import frames, spool


@pytest.fixture
def one(tmp_path: pathlib.Path):
    made = spool.Spool(tmp_path / "spool", segment_bytes=200)
    yield made
    made.close()


def again(old: spool.Spool, **more) -> spool.Spool:
    old.close()
    return spool.Spool(old.folder, **{"segment_bytes": 200, **more})


def payloads(one: spool.Spool, position: spool.Position | None = None) -> list[bytes]:
    return [payload for _, payload in one.read_from(position)]


def numbered(count: int, size: int = 60) -> list[bytes]:
    return [bytes([number]) * size for number in range(count)]


def files(one: spool.Spool) -> list[pathlib.Path]:
    return [path for _, path in frames.segments(one.folder)]


def spoil(path: pathlib.Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0xFF
    path.write_bytes(data)


def test_gives_out_what_it_took_in_order_over_segments(one: spool.Spool) -> None:
    for payload in numbered(10):
        assert one.append(payload) is not None
    assert payloads(one) == numbered(10)
    assert len(files(one)) == 5
    assert one.size_bytes == sum(path.stat().st_size for path in files(one))


def test_pieces_are_one_batch(one: spool.Spool) -> None:
    one.append(b"head", b"", b"body")
    one.append()
    assert payloads(one) == [b"headbody", b""]


def test_reading_on_from_every_position_repeats_and_omits_nothing(one: spool.Spool) -> None:
    taken = [one.append(payload) for payload in numbered(10)]
    read = [position for position, _ in one.read_from()]
    assert read == taken
    for place, position in enumerate(read):
        assert payloads(one, position) == numbered(10)[place + 1 :]


def test_a_new_process_goes_on_from_every_position(one: spool.Spool) -> None:
    taken = [one.append(payload) for payload in numbered(6)]
    second = again(one)
    second.append(b"later")
    for place, position in enumerate(taken):
        assert payloads(second, position) == [*numbered(6)[place + 1 :], b"later"]
    second.close()


def test_a_reader_sees_what_is_appended_while_it_reads(one: spool.Spool) -> None:
    one.append(b"0")
    seen = []
    for _, payload in one.read_from():
        seen.append(payload)
        if len(seen) < 9:
            one.append(str(len(seen)).encode() * 90)
    assert [payload[:1] for payload in seen] == [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8"]


def test_a_batch_larger_than_a_segment_has_one_of_its_own(one: spool.Spool) -> None:
    for payload in (b"small", b"x" * 1_000, b"small again"):
        one.append(payload)
    assert [len(payload) for payload in payloads(one)] == [5, 1_000, 11]
    assert len(files(one)) == 3


def test_trimming_removes_only_whole_segments_before_the_position(one: spool.Spool) -> None:
    taken = [one.append(payload) for payload in numbered(6)]
    assert one.trim(taken[3]) == 1
    assert payloads(one, taken[3]) == numbered(6)[4:]
    assert one.start == spool.Position(2, frames.START)
    assert one.trim(one.end) == 1
    assert payloads(one, taken[-1]) == []
    one.append(b"next")
    assert payloads(one, taken[-1]) == [b"next"]
    assert one.size_bytes == sum(path.stat().st_size for path in files(one))


def test_says_how_much_is_left_to_read(one: spool.Spool) -> None:
    assert one.size_after(one.start) == 0
    taken = [one.append(payload) for payload in numbered(6)]
    assert one.size_after(taken[-1]) == 0
    assert one.size_after(taken[-2]) == 72
    assert one.size_after(taken[0]) == 72 + 2 * (2 * 72 + frames.START)


def test_numbers_never_go_back_so_that_old_positions_keep_their_meaning(one: spool.Spool) -> None:
    taken = [one.append(payload) for payload in numbered(6)]
    one.trim(one.end)
    second = again(one)
    second.append(b"new")
    assert payloads(second, taken[-1]) == [b"new"]
    second.close()


def test_a_position_of_another_folder_begins_with_the_oldest(one: spool.Spool) -> None:
    one.append(b"a")
    assert payloads(one, spool.Position(77, 400)) == [b"a"]


def test_refuses_beyond_the_cap_and_takes_again_after_trimming(tmp_path: pathlib.Path) -> None:
    one = spool.Spool(tmp_path, cap_bytes=400, segment_bytes=150)
    taken = []
    while (position := one.append(b"x" * 60)) is not None:
        taken.append(position)
    assert one.counts.refused_full == 1
    assert "of 400 bytes" in one.trouble
    assert one.size_bytes <= 400
    assert one.append(b"x" * 60) is None
    one.trim(taken[-1])
    assert one.append(b"y" * 60) is not None
    assert one.trouble == ""
    assert payloads(one, taken[-1]) == [b"y" * 60]
    one.close()


def test_leaves_room_for_checkpoints_on_a_small_disk(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=1_000))
    one = spool.Spool(tmp_path, cap_bytes=100_000)
    assert one.cap_bytes == 750
    one.close()


def test_a_second_process_is_refused(one: spool.Spool) -> None:
    with pytest.raises(errors.BadInputError, match="another process uses this spool"):
        spool.Spool(one.folder)


def test_a_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(errors.BadInputError, match=r"/dev/null/spool: cannot keep the spool there"):
        spool.Spool(pathlib.Path("/dev/null/spool"))


def test_nothing_is_taken_after_close(one: spool.Spool) -> None:
    one.append(b"a")
    one.close()
    one.close()
    assert one.append(b"b") is None
    assert one.trouble == "it is closed"


def test_waiting_ends_with_an_append(one: spool.Spool) -> None:
    at = one.append(b"a")
    assert not one.wait(at, wait_s=0.0)
    thread = threading.Thread(target=one.append, args=(b"b",))
    thread.start()
    assert one.wait(at, wait_s=30.0)
    thread.join()
    assert payloads(one, at) == [b"b"]


# ---- damage


@pytest.mark.parametrize("cut", [1, 11, 12, 13, 40, 71], ids=lambda cut: f"{cut} bytes of the last frame missing")
def test_a_torn_tail_costs_only_what_was_not_taken(one: spool.Spool, cut: int) -> None:
    for payload in numbered(4):
        one.append(payload)
    one.close()
    os.truncate(files(one)[-1], files(one)[-1].stat().st_size - cut)
    second = spool.Spool(one.folder, segment_bytes=200)
    second.append(b"after")
    assert payloads(second) == [*numbered(3), b"after"]
    assert (second.counts.torn_tails, second.counts.damaged_segments, second.counts.lost_bytes) == (1, 0, 0)
    second.close()


def test_zeros_at_the_end_are_a_torn_tail(one: spool.Spool) -> None:
    """Some file systems leave them after a loss of power."""
    one.append(b"a")
    with files(one)[0].open("ab") as file:
        file.write(bytes(4_096))
    second = again(one)
    assert payloads(second) == [b"a"]
    assert (second.counts.torn_tails, second.counts.damaged_segments) == (1, 0)
    second.close()


@pytest.mark.parametrize("size", [0, 5, frames.START], ids=["empty", "half a head", "only a head"])
def test_a_segment_that_was_just_begun_is_no_damage(one: spool.Spool, size: int) -> None:
    one.append(b"a")
    frames.path(one.folder, 2).write_bytes(frames.segment_head(2)[:size])
    second = again(one)
    second.append(b"b")
    assert payloads(second) == [b"a", b"b"]
    assert second.counts.damaged_segments == 0
    second.close()


def test_a_damaged_payload_costs_that_batch_alone(one: spool.Spool) -> None:
    for payload in numbered(6):
        one.append(payload)
    spoil(files(one)[1], frames.START + 12 + 5)
    second = again(one)
    assert payloads(second) == [payload for number, payload in enumerate(numbered(6)) if number != 2]
    assert (second.counts.damaged_frames, second.counts.damaged_segments, second.counts.lost_bytes) == (1, 0, 60)
    second.close()


def test_a_damaged_frame_head_costs_the_rest_of_its_segment(one: spool.Spool) -> None:
    for payload in numbered(6):
        one.append(payload)
    spoil(files(one)[1], frames.START + 2)
    assert payloads(one) == [*numbered(2), *numbered(6)[4:]]
    assert (one.counts.damaged_segments, one.counts.lost_bytes) == (1, 2 * 72)


def test_a_damaged_segment_head_costs_that_segment(one: spool.Spool) -> None:
    for payload in numbered(6):
        one.append(payload)
    spoil(files(one)[0], 3)
    assert payloads(one) == numbered(6)[2:]
    assert one.counts.damaged_segments == 1


def test_a_segment_that_is_missing_is_passed_over(one: spool.Spool) -> None:
    taken = [one.append(payload) for payload in numbered(6)]
    files(one)[1].unlink()
    second = again(one)
    assert payloads(second, taken[0]) == [numbered(6)[1], *numbered(6)[4:]]
    second.close()


def test_every_damaged_byte_costs_at_most_its_segment_and_never_gives_a_wrong_batch(one: spool.Spool) -> None:
    for payload in numbered(4, size=20):
        one.append(payload)
    one.close()
    file = files(one)[0]
    good = file.read_bytes()
    for offset in range(len(good)):
        spoil(file, offset)
        second = spool.Spool(one.folder)
        assert [payload for payload in payloads(second) if payload not in numbered(4, size=20)] == []
        counts = second.counts
        assert counts.damaged_frames + counts.damaged_segments + counts.torn_tails == 1
        second.close()
        file.write_bytes(good)


# ---- a disk that fails


class Disk:
    """Stands in for the calls that write, and fails when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writev, self.write, self.ftruncate = os.writev, os.write, os.ftruncate
        self.room = 1 << 40
        self.can_truncate = True
        monkeypatch.setattr(spool.os, "writev", self._writev)
        monkeypatch.setattr(spool.os, "write", self._write)
        monkeypatch.setattr(spool.os, "ftruncate", self._ftruncate)

    def _writev(self, handle: int, parts: list[bytes]) -> int:
        return self._write(handle, b"".join(parts))

    def _write(self, handle: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self.write(handle, data[: self.room])
        self.room -= written
        return written

    def _ftruncate(self, handle: int, size: int) -> None:
        if not self.can_truncate:
            raise OSError(errno.EIO, "Input/output error")
        self.ftruncate(handle, size)


@pytest.mark.parametrize("can_truncate", [True, False], ids=["cut off again", "left behind"])
def test_a_full_disk_refuses_and_goes_on_when_there_is_room(
    one: spool.Spool, monkeypatch: pytest.MonkeyPatch, *, can_truncate: bool
) -> None:
    one.append(b"a")
    disk = Disk(monkeypatch)
    disk.can_truncate = can_truncate
    for room in (5, 0, 30):
        disk.room = room
        assert one.append(b"lost" * 20) is None
    assert one.trouble == "the disk does not take it: No space left on device"
    assert one.counts.refused_disk == 3
    assert payloads(one) == [b"a"]
    disk.room = 1 << 40
    assert one.append(b"b") is not None
    assert payloads(one) == [b"a", b"b"]
    second = again(one)
    assert payloads(second) == [b"a", b"b"]
    assert second.counts.torn_tails == (0 if can_truncate else 1)
    second.close()


def test_a_full_disk_at_the_first_batch_leaves_nothing(one: spool.Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    disk.room = 25
    assert one.append(b"lost") is None
    assert files(one) == []
    assert one.size_bytes == 0
    disk.room = 1 << 40
    assert one.append(b"b") is not None
    assert payloads(one) == [b"b"]


def test_a_short_write_is_finished(one: spool.Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    short = os.writev
    monkeypatch.setattr(spool.os, "writev", lambda handle, parts: short(handle, [b"".join(parts)[:7]]))
    one.append(b"head", b"x" * 50)
    assert payloads(one) == [b"head" + b"x" * 50]


# ---- flushing


def test_machine_durability_flushes_before_it_takes(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    real = os.fdatasync
    monkeypatch.setattr(spool.os, "fdatasync", lambda handle: (flushed.append(os.fstat(handle).st_size), real(handle)))
    one = spool.Spool(tmp_path, segment_bytes=200, durability=spool.Durability.MACHINE)
    for payload in numbered(5):
        position = one.append(payload)
        assert flushed[-1] == position.offset
    assert payloads(one) == numbered(5)
    one.close()


def test_batches_that_wait_share_a_flush(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = spool.Spool(tmp_path, durability=spool.Durability.MACHINE)
    first, go = threading.Event(), threading.Event()

    def slow(handle: int) -> None:
        first.set()
        assert go.wait(30.0)

    monkeypatch.setattr(spool.os, "fdatasync", slow)
    threads = [threading.Thread(target=one.append, args=(payload,)) for payload in numbered(20)]
    threads[0].start()
    assert first.wait(30.0)
    for thread in threads[1:]:
        thread.start()
    while one.counts.appended < 20:
        one.wait(one.end, wait_s=0.001)
    go.set()
    for thread in threads:
        thread.join()
    assert one.counts.flushes == 2
    assert sorted(payloads(one)) == sorted(numbered(20))
    one.close()


def test_a_batch_that_could_not_be_flushed_was_not_taken(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = spool.Spool(tmp_path, durability=spool.Durability.MACHINE)
    assert one.append(b"a") is not None

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(spool.os, "fdatasync", broken)
    assert one.append(b"b") is None
    assert one.trouble == "the disk cannot be flushed"
    monkeypatch.undo()
    assert one.append(b"c") is not None
    assert len(files(one)) == 2
    assert payloads(one)[-1] == b"c"
    one.close()


def test_goes_on_behind_a_checkpoint_when_the_folder_was_lost(tmp_path: pathlib.Path) -> None:
    """Otherwise what is taken now would stand before the place where reading goes on."""
    fresh = spool.Spool(tmp_path / "new")
    stored = spool.Position(57, 4_000)
    fresh.go_on_after(stored)
    fresh.append(b"after the loss")
    assert payloads(fresh, stored) == [b"after the loss"]
    later = again(fresh)
    later.append(b"and later")
    assert payloads(later, stored) == [b"after the loss", b"and later"]
    later.close()


def test_a_folder_that_holds_batches_goes_on_by_itself(one: spool.Spool) -> None:
    one.append(b"kept")
    end = one.end
    one.go_on_after(spool.Position(57, 4_000))
    assert one.end == end


@pytest.mark.parametrize("segment", [10**12, 10**30], ids=["one too far", "far too far"])
def test_a_position_that_no_file_can_have_is_passed_over(one: spool.Spool, segment: int) -> None:
    one.go_on_after(spool.Position(segment, 26))
    one.append(b"taken")
    assert payloads(again(one)) == [b"taken"]
