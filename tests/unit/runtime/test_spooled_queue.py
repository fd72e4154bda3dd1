"""The queue on disk: what was accepted comes out once and in order, in this process or the next."""

import errno
import os
import pathlib
import threading

import msgspec
import pytest

from riverwatch.runtime import spooled_queue
from riverwatch.sources import base
from riverwatch.state import spool


def delivery(number: int) -> base.Delivery:
    return base.Delivery(b'{"number": %d}' % number * 3, f"10.0.0.7 ü {number}", 1000.0 + number, number)


@pytest.fixture
def disk(tmp_path: pathlib.Path):
    made = spool.Spool(tmp_path, segment_bytes=300)
    yield made
    made.close()


def drain(queue: spooled_queue.SpooledQueue) -> list[base.Delivery]:
    found = []
    while (work := queue.take(wait_s=0.0)).delivery is not None:
        found.append(work.delivery)
    return found


def test_gives_back_deliveries_as_they_were(disk: spool.Spool) -> None:
    queue = spooled_queue.SpooledQueue(disk)
    assert all(queue.offer(delivery(number)) for number in range(9))
    assert (queue.depth, queue.age_s(1010.0)) == (9, 0.0)
    assert drain(queue) == [delivery(number) for number in range(9)]
    assert (queue.depth, queue.octets, queue.fill) == (0, 0, 0.0)


def test_nothing_is_lost_while_the_process_has_no_file_left(disk: spool.Spool, monkeypatch) -> None:
    monkeypatch.setattr(spooled_queue, "AGAIN_S", 0.0)
    queue = spooled_queue.SpooledQueue(disk)
    assert all(queue.offer(delivery(number)) for number in range(9))
    found = [queue.take(wait_s=0.0).delivery]
    opened = os.open

    def no_file(path, flags, *rest, **more):
        if flags & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EMFILE, "Too many open files")
        return opened(path, flags, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", no_file)
        while (work := queue.take(wait_s=0.0)).delivery is not None:
            found.append(work.delivery)
        assert len(found) < 9
        assert queue.take(wait_s=0.0).delivery is None
    found += drain(queue)

    assert found == [delivery(number) for number in range(9)]
    assert disk.counts.damaged_segments == 0


def test_deliveries_that_come_while_it_is_read(disk: spool.Spool) -> None:
    queue = spooled_queue.SpooledQueue(disk)
    found = []
    for number in range(12):
        queue.offer(delivery(2 * number))
        queue.offer(delivery(2 * number + 1))
        found.append(queue.take(wait_s=0.0).delivery)
    found += drain(queue)
    queue.offer(delivery(24))
    found += drain(queue)
    assert found == [delivery(number) for number in range(25)]


def test_goes_on_after_what_the_checkpoint_includes(disk: spool.Spool) -> None:
    queue = spooled_queue.SpooledQueue(disk)
    for number in range(8):
        queue.offer(delivery(number))
    for _ in range(3):
        queue.take(wait_s=0.0)
    kept = queue.position
    queue.take(wait_s=0.0)
    disk.close()
    again = spool.Spool(disk.folder, segment_bytes=300)
    queue = spooled_queue.SpooledQueue(again, after=kept)
    queue.offer(delivery(8))
    assert drain(queue) == [delivery(number) for number in range(3, 9)]
    again.close()


def test_a_cold_start_begins_with_the_oldest(disk: spool.Spool) -> None:
    spooled_queue.SpooledQueue(disk).offer(delivery(0))
    assert drain(spooled_queue.SpooledQueue(disk)) == [delivery(0)]
    assert drain(spooled_queue.SpooledQueue(disk, after=spool.Position(99, 9))) == [delivery(0)]


def test_refuses_when_the_spool_does(tmp_path: pathlib.Path) -> None:
    small = spool.Spool(tmp_path, cap_bytes=500)
    queue = spooled_queue.SpooledQueue(small)
    count = 0
    while queue.offer(delivery(count)):
        count += 1
    assert count > 2
    assert queue.fill == 1.0
    assert len(drain(queue)) == count
    small.close()


def test_a_waiting_worker_is_woken_by_a_delivery(disk: spool.Spool) -> None:
    queue = spooled_queue.SpooledQueue(disk)
    assert queue.take(wait_s=0.0).delivery is None
    sender = threading.Thread(target=queue.offer, args=(delivery(1),))
    sender.start()
    found = None
    while found is None:
        found = queue.take(wait_s=60.0).delivery
    sender.join()
    assert found == delivery(1)


def test_changes_come_before_the_next_delivery(disk: spool.Spool) -> None:
    queue: spooled_queue.SpooledQueue[list[str]] = spooled_queue.SpooledQueue(disk)
    queue.offer(delivery(0))
    queue.change(lambda owner: owner.append("first"))
    queue.change_once("same", lambda owner: owner.append("second"))
    queue.change_once("same", lambda owner: owner.append("never"))
    work = queue.take(wait_s=0.0)
    told: list[str] = []
    for apply in work.changes:
        apply(told)
    assert told == ["first", "second"]
    assert work.delivery == delivery(0)


def test_once_closed_it_takes_nothing_and_leaves_the_rest_on_disk(disk: spool.Spool) -> None:
    queue = spooled_queue.SpooledQueue(disk)
    for number in range(3):
        queue.offer(delivery(number))
    queue.take(wait_s=0.0)
    queue.close()
    assert not queue.offer(delivery(9))
    work = queue.take(wait_s=60.0)
    assert (work.closed, work.delivery) == (True, None)
    assert drain(spooled_queue.SpooledQueue(disk, after=queue.position)) == [delivery(1), delivery(2)]


def test_many_senders_lose_and_double_nothing(disk: spool.Spool) -> None:
    queue = spooled_queue.SpooledQueue(disk)

    def send(first: int) -> None:
        for number in range(first, first + 50):
            assert queue.offer(delivery(number))

    senders = [threading.Thread(target=send, args=(first,)) for first in range(0, 400, 50)]
    for sender in senders:
        sender.start()
    found: list[base.Delivery] = []
    while len(found) < 400:
        one = queue.take(wait_s=60.0).delivery
        found += [one] if one is not None else []
    for sender in senders:
        sender.join()
    assert sorted(one.line for one in found) == list(range(400))
    assert drain(queue) == []


def test_held_deliveries_stay_on_disk_until_released(disk: spool.Spool) -> None:
    queue = spooled_queue.SpooledQueue(disk)
    queue.hold()
    queue.offer(delivery(1))
    assert queue.take(wait_s=0.0).delivery is None
    queue.release()
    assert drain(queue) == [delivery(1)]


def test_a_source_goes_on_after_what_the_spool_holds(disk: spool.Spool) -> None:
    def from_log(offset: int) -> base.Delivery:
        return base.Delivery(b"lines", "audit.log", 1.0, after=base.Position(1, 2, offset, "head"))

    queue = spooled_queue.SpooledQueue(disk)
    for one in (from_log(10), delivery(1), from_log(20), delivery(2), from_log(30), delivery(3)):
        queue.offer(one)
    assert queue.take(wait_s=0.0).delivery == from_log(10)
    assert queue.after == base.Position(1, 2, 10, "head"), "what a checkpoint says"
    kept = queue.position

    again = spooled_queue.SpooledQueue(disk, after=kept)
    again.after = queue.after
    assert again.resume_of_source() == base.Position(1, 2, 30, "head"), "nothing that is on disk is read again"
    assert again.position == kept, "looking reads nothing"
    assert len(drain(again)) == 5
    assert again.after == base.Position(1, 2, 30, "head")


def test_a_spool_of_an_earlier_version_is_read(disk: spool.Spool) -> None:
    head = msgspec.msgpack.encode(("10.0.0.7", 5.0, 3))
    disk.append(len(head).to_bytes(2, "big"), head, b"body")
    assert drain(spooled_queue.SpooledQueue(disk)) == [base.Delivery(b"body", "10.0.0.7", 5.0, 3)]
