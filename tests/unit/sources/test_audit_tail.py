"""Following a growing log: nothing twice, nothing missing, whatever happens to the file."""

import asyncio
import contextlib
import json
import pathlib

import pytest

from riverwatch import errors, metrics
from riverwatch.sources import audit_tail, base, decode

DATA = pathlib.Path(__file__).parents[2] / "data" / "audit"
RECORD = json.loads((DATA / "lines.jsonl").read_text().splitlines()[0])


def lines(*ids):
    return "".join(json.dumps(RECORD | {"auditID": str(one)}) + "\n" for one in ids)


class Follower:
    """A running tail and the ids of the records it delivered."""

    def __init__(self, path, position=None, room=10_000):
        self.room = room
        self.deliveries = []
        self.changed = asyncio.Event()
        self.tally = base.Tally()
        self.counters = metrics.Metrics()
        self.tail = audit_tail.AuditTail(self.take, path, position=position, poll_s=0.002, counters=self.counters)

    def take(self, delivery):
        if len(self.deliveries) >= self.room:
            return False
        self.deliveries.append(delivery)
        self.changed.set()
        return True

    @property
    def ids(self):
        decoder = decode.RecordDecoder(tally=base.Tally())
        return [r.audit_id for d in self.deliveries for r in decoder.body(d.body, where=d.where)]

    async def until(self, *ids):
        expected = [str(one) for one in ids]
        async with asyncio.timeout(20):
            while self.ids != expected:
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def following(path, **options):
    follower = Follower(path, **options)
    await follower.tail.start()
    try:
        yield follower
    finally:
        await follower.tail.stop()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "audit.log"


def append(path, text):
    with path.open("a") as file:
        file.write(text)


async def test_what_is_there_and_what_is_added_is_delivered(log):
    log.write_text(lines(1, 2))
    async with following(log) as follower:
        await follower.until(1, 2)
        append(log, lines(3))
        await follower.until(1, 2, 3)


async def test_log_may_appear_later(log):
    async with following(log) as follower:
        log.write_text(lines(1))
        await follower.until(1)


async def test_half_a_line_waits_for_its_end(log):
    text = lines(1)
    log.write_text(text[:50])
    async with following(log) as follower:
        append(log, text[50:] + lines(2)[:30])
        await follower.until(1)

        assert follower.tail.position().offset == len(text)


async def test_rotation_by_renaming_is_followed_to_the_end_of_the_old_file(log):
    log.write_text(lines(1))
    async with following(log) as follower:
        await follower.until(1)
        with log.open("a") as still_open:
            log.rename(log.with_name("audit-2026-03-02T09-00-00.000.log"))
            still_open.write(lines(2))
            still_open.flush()
            await follower.until(1, 2)
        log.write_text(lines(3))
        await follower.until(1, 2, 3)

        assert follower.counters.registry.get_sample_value("riverwatch_tail_rotations_total") == 1


async def test_truncation_starts_over(log):
    log.write_text(lines(1, 2, 3))
    async with following(log) as follower:
        await follower.until(1, 2, 3)
        log.write_text(lines(4))
        await follower.until(1, 2, 3, 4)


async def test_truncation_that_grew_again_is_noticed_by_the_first_bytes(log):
    log.write_text(lines(1))
    async with following(log) as follower:
        await follower.until(1)
        log.write_text(lines(7, 8, 9))
        await follower.until(1, 7, 8, 9)


async def test_restart_repeats_nothing_and_omits_nothing(log):
    log.write_text(lines(1, 2))
    async with following(log) as first:
        await first.until(1, 2)
    append(log, lines(3))

    async with following(log, position=first.tail.position()) as second:
        await second.until(3)


async def test_restart_finds_the_file_that_was_rotated_meanwhile(log):
    log.write_text(lines(1))
    async with following(log) as first:
        await first.until(1)
    append(log, lines(2))
    log.rename(log.with_name("audit-2026-03-02T09-00-00.000.log"))
    log.write_text(lines(3))
    log.rename(log.with_name("audit-2026-03-02T10-00-00.000.log"))
    log.write_text(lines(4))

    async with following(log, position=first.tail.position()) as second:
        await second.until(2, 3, 4)


async def test_restart_after_the_old_file_is_gone_begins_with_the_new_one_and_says_so(log, caplog):
    log.write_text(lines(1))
    async with following(log) as first:
        await first.until(1)
    log.unlink()
    log.write_text(lines(2))

    async with following(log, position=first.tail.position()) as second:
        await second.until(2)

    assert "rotated away while nobody followed it" in caplog.text


async def test_position_is_plain_data(log):
    log.write_text(lines(1))
    async with following(log) as follower:
        await follower.until(1)
        position = follower.tail.position()

    assert position == base.Position(position.device, log.stat().st_ino, len(lines(1)), position.fingerprint)
    assert len(position.fingerprint) == 64


async def test_full_sink_stops_reading_and_the_position(log):
    log.write_text(lines(1))
    async with following(log, room=0) as follower:
        append(log, lines(2))

        assert follower.tail.position().offset == 0
        follower.room = 10
        await follower.until(1, 2)


async def test_line_longer_than_any_record_is_handed_on_in_parts(log, monkeypatch):
    monkeypatch.setattr(audit_tail, "READ_BYTES", 1024)
    monkeypatch.setattr(audit_tail, "LINE_MAX_BYTES", 4096)
    log.write_text("x" * 10_000 + "\n" + lines(1))

    async with following(log) as follower:
        await follower.until(1)

        assert b"".join(one.body for one in follower.deliveries) == log.read_bytes()


@pytest.mark.parametrize("wrong", ["", "no/such/folder/audit.log"], ids=["a folder", "a missing folder"])
async def test_wrong_path_is_an_error(tmp_path, wrong):
    with pytest.raises(errors.BadInputError, match="directory"):
        await audit_tail.AuditTail(lambda _: True, tmp_path / wrong).start()
