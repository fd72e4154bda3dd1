"""Checkpoints are taken in time, written elsewhere, survive trouble, and the spool is trimmed behind them."""

import pathlib
import threading

import checkpoint_stream
import pytest

from riverwatch import errors, testing
from riverwatch.rules import engine
from riverwatch.runtime import checkpoint, pipeline
from riverwatch.state import snapshot, spool, store

RULES = engine.load_catalog()
STREAM = checkpoint_stream.records()


@pytest.fixture
def clock() -> testing.FakeClock:
    return testing.FakeClock()


def fed(count: int = len(STREAM)) -> pipeline.Pipeline:
    run = checkpoint_stream.Run(RULES)
    run.feed(STREAM[:count])
    return run.pipeline


@pytest.fixture(scope="module")
def known() -> pipeline.Pipeline:
    return fed()


def empty() -> pipeline.Pipeline:
    return pipeline.Pipeline(rules=engine.RuleEngine(RULES), learn_until_s=checkpoint_stream.LEARN_S)


def state(one: pipeline.Pipeline) -> bytes:
    return snapshot.pack(one.snapshot())


def made(folder: pathlib.Path, clock: testing.FakeClock, **follow) -> checkpoint.Checkpointer:
    one = checkpoint.Checkpointer(store.Store(folder), every_s=300.0, time=clock)
    one.follow(resume=dict, **follow) if "resume" not in follow else one.follow(**follow)
    return one


def write(folder: pathlib.Path, clock: testing.FakeClock, of: pipeline.Pipeline, **follow) -> checkpoint.Checkpointer:
    one = made(folder, clock, **follow)
    one.take(of)
    assert one.finish(within_s=60.0)
    return one


def test_a_start_goes_on_from_what_was_written(tmp_path, clock, known) -> None:
    one = write(tmp_path, clock, known)
    assert (one.counts.taken, one.counts.written, one.counts.failed) == (1, 1, 0)
    fresh = empty()
    recovery = made(tmp_path, clock).recover(fresh)
    assert state(fresh) == state(known)
    assert recovery.empty == []
    assert recovery.report.record_s == known.learning.now_s


def test_a_first_start_is_cold(tmp_path, clock) -> None:
    recovery = made(tmp_path, clock).recover(empty())
    assert recovery.report.cold
    assert (recovery.position, recovery.unfinished) == (None, [])
    assert str(recovery) == "started without a checkpoint"


def test_it_is_due_every_so_often(tmp_path, clock, known) -> None:
    one = made(tmp_path, clock)
    assert not one.tick(known)
    clock.advance(300.0)
    assert one.tick(known)
    assert not one.tick(known)
    assert one.finish(within_s=60.0)


def test_a_filling_spool_brings_it_forward(tmp_path, clock, known) -> None:
    buffer = spool.Spool(tmp_path / "spool", cap_bytes=4_000, segment_bytes=1_000)
    one = made(tmp_path / "checkpoints", clock, trims=buffer)
    clock.advance(20.0)
    assert not one.tick(known)
    while buffer.fill < checkpoint.PRESSING:
        buffer.append(b"x" * 400)
    assert one.tick(known)
    assert not one.tick(known), "not again and again while the spool cannot be trimmed"
    assert one.finish(within_s=60.0)
    buffer.close()


def test_one_that_is_still_being_written_is_not_overtaken(tmp_path, clock, known, monkeypatch) -> None:
    go, begun = threading.Event(), threading.Event()
    one = made(tmp_path, clock)
    real = one._place.save

    def slow(what: snapshot.Snapshot) -> store.Saved:
        begun.set()
        assert go.wait(60.0)
        return real(what)

    monkeypatch.setattr(one._place, "save", slow)
    one.take(known)
    assert begun.wait(60.0)
    clock.advance(300.0)
    assert not one.tick(known)
    assert one.counts.skipped == 1
    one.take(known)
    one.take(known)
    go.set()
    assert one.finish(within_s=60.0)
    assert one.counts.written == 2, "the last one is written, the one that waited before it is not"


def test_one_that_cannot_be_written_is_counted_and_the_next_is_tried(tmp_path, clock, known, monkeypatch) -> None:
    one = made(tmp_path, clock)
    real, tries = one._place.save, threading.Semaphore(0)

    def failing(what: snapshot.Snapshot) -> store.Saved:
        tries.release()
        monkeypatch.setattr(one._place, "save", real)
        raise errors.TemporaryError("no route to host")

    monkeypatch.setattr(one._place, "save", failing)
    one.take(known)
    assert tries.acquire(timeout=60.0)
    with one._changed:
        assert one._changed.wait_for(lambda: not one._writing, 60.0)
    assert (one.counts.failed, one.counts.trouble) == (1, "no route to host")
    one.take(known)
    assert one.finish(within_s=60.0)
    assert (one.counts.written, one.counts.trouble) == (1, "")


def test_the_spool_is_trimmed_behind_the_older_of_two(tmp_path, clock, known) -> None:
    buffer = spool.Spool(tmp_path / "spool", segment_bytes=100)
    places = [buffer.append(bytes([number]) * 80) for number in range(6)]
    place = iter(places[1::2])
    for number, left in enumerate((6, 4, 2)):
        one = checkpoint.Checkpointer(store.Store(tmp_path / "c"), every_s=300.0, time=clock)
        one.recover(empty())
        one.follow(resume=lambda: checkpoint.spool_resume(next(place)), trims=buffer)
        one.take(known)
        assert one.finish(within_s=60.0)
        assert len(list(buffer.read_from())) <= left + 1, number
    recovery = made(tmp_path / "c", clock).recover(empty())
    assert recovery.position == places[5]
    assert [payload[:1] for _, payload in buffer.read_from(places[3])] == [b"\4", b"\5"]
    buffer.close()


def test_a_damaged_one_falls_back_to_the_older_and_its_position(tmp_path, clock, known) -> None:
    places = iter([spool.Position(3, 50), spool.Position(9, 70)])
    for of in (fed(300), known):
        write(tmp_path, clock, of, resume=lambda: checkpoint.spool_resume(next(places)))
    newest = store.Store(tmp_path).names()[0]
    (tmp_path / newest).write_bytes(b"RWSTATE\n")
    fresh = empty()
    recovery = made(tmp_path, clock).recover(fresh)
    assert state(fresh) == state(fed(300))
    assert recovery.position == spool.Position(3, 50)
    assert f"{newest} was not used" in str(recovery)


def test_an_older_whole_one_is_better_than_a_newer_part(tmp_path, clock, known, monkeypatch) -> None:
    write(tmp_path, clock, known)
    with monkeypatch.context() as patch:
        patch.setattr("riverwatch.runtime.memory.bank.MODEL_VERSION", "novelty-next")
        write(tmp_path, clock, known)
    recovery = made(tmp_path, clock).recover(empty())
    assert recovery.report.used == store.Store(tmp_path).names()[1]
    assert recovery.empty == []


def test_after_a_change_of_models_the_rest_is_kept(tmp_path, clock, known, monkeypatch) -> None:
    write(tmp_path, clock, known)
    monkeypatch.setattr("riverwatch.runtime.memory.bank.MODEL_VERSION", "novelty-next")
    fresh = empty()
    recovery = made(tmp_path, clock).recover(fresh)
    assert [text.split()[0] for text in recovery.empty] == ["judge", "learning", "models"]
    assert fresh.folder.dump() == known.folder.dump()
    assert "starts empty: models stored by models" in str(recovery)


def test_what_outputs_had_not_confirmed_is_handed_over_again(tmp_path, clock, known) -> None:
    uids = [one.uid for one in known.folder.open.values()]
    write(tmp_path, clock, known, unfinished=lambda: [uids[1], "gone"])
    recovery = made(tmp_path, clock).recover(empty())
    assert [one.uid for one in recovery.unfinished] == [uids[1]]


def test_without_word_from_the_outputs_every_incident_is(tmp_path, clock, known) -> None:
    write(tmp_path, clock, known)
    recovery = made(tmp_path, clock).recover(empty())
    assert {one.uid for one in recovery.unfinished} == {one.uid for one in known.folder.open.values()}
