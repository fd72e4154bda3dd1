"""Fair turns: nobody's flood delays others, order is kept, nothing is lost silently, restarts lose nothing."""

from __future__ import annotations

import msgspec
import pytest

from riverwatch import testing
from riverwatch.runtime import fairness, worker, worker_identity, worker_queue
from riverwatch.sources import base, decode

QUOTA = fairness.Quota(records_per_s=20.0, burst=40.0, waiting=4_000)
JUDGE_S = 0.002
"""Seconds that judging one record takes: five hundred a second, half of what the flood brings."""

QUIET = "system:serviceaccount:pay:app"
NOISY = "system:serviceaccount:web:flood-"


class Clocked:
    """A pipeline that takes its time, by the clock of the test."""

    def __init__(self, time: testing.FakeClock) -> None:
        self._time = time
        self.judged: list[tuple[str, float]] = []

    def process(self, records, *, tally, where=""):  # noqa: ARG002 - the protocol's
        for one in records:
            self._time.advance(JUDGE_S)
            self.judged.append((one.audit_id, self._time.now_s()))
        return []


def body(*ids: tuple[str, str]) -> bytes:
    fields = [
        {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "auditID": name,
            "stage": "ResponseComplete",
            "verb": "get",
            "user": {"username": user},
            "requestReceivedTimestamp": "2026-01-15T08:00:00Z",
        }
        for user, name in ids
    ]
    return msgspec.json.encode({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": fields})


def flooded(quota: fairness.Quota) -> tuple[dict[str, float], worker.Worker, Clocked]:
    """Run ten seconds in which one namespace sends fifty times a quota; return how late each record was judged."""
    time = testing.FakeClock()
    began_s = time.now_s()
    queue = worker_queue.WorkQueue(worker_queue.Bounds(batches=100_000, octets=1 << 30))
    judge = Clocked(time)
    one = worker.Worker(judge, lambda _: None, queue=queue, time=time, quota=quota)
    arrivals = []
    for tick in range(100):
        noise = [(f"{NOISY}{number % 5}", f"noise-{tick}-{number}") for number in range(100)]
        noise.insert(50, (QUIET, f"quiet-{tick}"))
        arrivals.append((began_s + tick / 10.0, body(*noise)))
    due = list(arrivals)
    while due or queue.depth or one.fairness.waiting:
        while due and due[0][0] <= time.now_s():
            at_s, data = due.pop(0)
            queue.offer(base.Delivery(data, "sender", at_s))
        before_s = time.now_s()
        one.turn(queue.take(wait_s=0.0))
        if time.now_s() == before_s:
            time.advance(0.001)
    late = {}
    for name, at_s in judge.judged:
        late[name] = at_s - (began_s + int(name.split("-")[1]) / 10.0)
    return late, one, judge


def test_a_namespace_at_fifty_times_its_quota_delays_others_by_less_than_a_second():
    late, one, _ = flooded(QUOTA)
    quiet = [late[f"quiet-{tick}"] for tick in range(100)]
    assert max(quiet) < 1.0
    noise = [late[name] for name in late if name.startswith("noise")]
    assert max(noise) > max(quiet), "whoever sends too much waits"
    assert one.fairness.moved > 1_000
    assert len(late) + one.fairness.dropped == 100 * 101, "judged or counted"


def test_without_a_quota_the_flood_delays_everyone():
    late, _, _ = flooded(fairness.Quota(records_per_s=1e9, burst=1e9))
    assert max(late[f"quiet-{tick}"] for tick in range(100)) > 5.0


def test_records_of_one_actor_keep_their_order():
    _, _, judge = flooded(QUOTA)
    for number in range(5):
        mine = [name for name, _ in judge.judged if name.startswith("noise") and int(name.split("-")[2]) % 5 == number]
        assert mine == sorted(mine, key=lambda name: [int(part) for part in name.split("-")[1:]])


def test_what_finds_no_room_is_counted():
    late, one, _ = flooded(fairness.Quota(records_per_s=1.0, burst=1.0, waiting=20))
    assert one.fairness.dropped > 0
    assert one.tally.skipped[base.SkipReason.OVER_QUOTA] == one.fairness.dropped
    assert len(late) == one.tally.used


def test_while_the_lane_is_full_a_flood_is_counted_without_being_decoded(monkeypatch):
    decoded = []
    body_of = decode.RecordDecoder.body
    monkeypatch.setattr(
        decode.RecordDecoder, "body", lambda self, data, **rest: decoded.append(data) or body_of(self, data, **rest)
    )
    time = testing.FakeClock()
    queue = worker_queue.WorkQueue(worker_queue.Bounds(batches=100, octets=1 << 30))
    judge = Clocked(time)
    one = worker.Worker(judge, lambda _: None, queue=queue, time=time, quota=fairness.Quota(1.0, 1.0, waiting=4))
    flood = body(*[(f"{NOISY}{number}", f"n-{number}") for number in range(6)])
    for data in [flood, flood, flood, body((f"{NOISY}0", "n-9"), (QUIET, "q-1"), (f"{NOISY}1", "n-10")), flood]:
        queue.offer(base.Delivery(data, "sender", time.now_s()))
    for _ in range(4):
        one.turn(queue.take(wait_s=0.0))

    assert decoded == [flood], "the first fills the lane"
    assert [name for name, _ in judge.judged] == ["n-0", "q-1"]
    assert one.tally.read == 6 + 6 + 6 + 3
    assert one.tally.skipped == {base.SkipReason.OVER_QUOTA: 1 + 6 + 6 + 2}
    assert one.fairness.dropped == 15
    assert one.fairness.waiting == 4


def test_the_operators_own_records_are_heard_in_a_flood_of_its_namespace():
    time = testing.FakeClock()
    queue = worker_queue.WorkQueue(worker_queue.Bounds(batches=100, octets=1 << 30))
    one = worker.Worker(
        Clocked(time), lambda _: None, queue=queue, time=time, quota=fairness.Quota(1.0, 1.0, waiting=4)
    )
    heard = []
    one.watch.on_own(lambda records: heard.extend(found.audit_id for found in records))
    mine = "system:serviceaccount:riverwatch:riverwatch"
    one.exclude(worker_identity.OwnIdentity(mine, "", "", "", frozenset()))
    flood = [("system:serviceaccount:riverwatch:other", f"n-{number}") for number in range(9)]
    for data in [body(*flood), body(*flood, (mine, "beat")), body(*flood)]:
        queue.offer(base.Delivery(data, "sender", time.now_s()))
    for _ in range(2):
        one.turn(queue.take(wait_s=0.0))

    assert heard == ["beat"]


def test_a_full_lane_takes_some_again_once_there_is_room_for_a_batch():
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=1.0, waiting=1_000))
    many = [testing.audit_record(user=QUIET, audit_id=str(number)) for number in range(1_100)]
    one.admit(many, at_s=0.0)
    assert one.full
    one.take(fairness.BATCH_RECORDS - 1)
    assert one.full
    assert one.sift([QUIET, "ana@example.com", ""], at_s=0.0) == [1, 2]
    one.take(1)
    assert not one.full


def test_what_waits_is_bounded_in_bytes_too():
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=1.0, waiting_bytes=10_000))
    large = {"kind": "Pod", "note": "x" * 4_000}
    records = [testing.audit_record(user=QUIET, audit_id=str(n), request_object=large) for n in range(9)]
    now, lost = one.admit(records, at_s=0.0)
    assert (len(now), one.waiting, lost) == (1, 3, 5)
    assert one.full
    again = fairness.Fairness(fairness.Quota(waiting_bytes=10_000))
    again.load(one.dump())
    assert len(again.take(9)) == 3
    again.admit(records, at_s=0.0)
    assert not again.full


def test_nothing_waits_while_the_worker_keeps_up():
    time = testing.FakeClock()
    queue = worker_queue.WorkQueue(worker_queue.Bounds(batches=10, octets=1 << 30))
    judge = Clocked(time)
    one = worker.Worker(judge, lambda _: None, queue=queue, time=time, quota=fairness.Quota(1.0, 1.0))
    queue.offer(base.Delivery(body(*[(QUIET, f"q-{number}") for number in range(50)]), "sender", time.now_s()))
    one.turn(queue.take(wait_s=0.0))
    assert [name for name, _ in judge.judged] == [f"q-{number}" for number in range(50)]


def test_what_waits_survives_a_restart_in_order():
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=2.0))
    records = [testing.audit_record(user=f"{QUIET}{number % 2}", audit_id=str(number)) for number in range(9)]
    now, lost = one.admit(records, at_s=0.0)
    assert ([record.audit_id for record in now], lost) == (["0", "1"], 0)
    again = fairness.Fairness()
    again.load(one.dump())
    assert again.waiting == one.waiting == 7
    assert [record.audit_id for record in again.take(100)] == [str(number) for number in range(2, 9)]
    assert again.waiting == 0


def test_a_record_that_waited_is_the_record_that_came():
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=1.0))
    came = [
        testing.audit_record(user=QUIET, audit_id="a"),
        testing.audit_record(
            user=QUIET, audit_id="b", verb="create", request_object={"kind": "Pod"}, extra={"k": ["v"]}
        ),
        testing.audit_record(user=QUIET, audit_id="c"),
    ]
    one.admit(came, at_s=0.0)
    assert [bytes(record.request_object) for record in one.take(9)] == [b'{"kind":"Pod"}', b""]
    one.admit(came, at_s=0.0)
    waited = one.take(9)[1]
    assert (waited.user, waited.object_ref, waited.source_ips) == (came[1].user, came[1].object_ref, came[1].source_ips)


def test_what_waits_costs_no_more_than_its_quota_while_others_wait():
    one = fairness.Fairness(fairness.Quota(records_per_s=2.0, burst=1.0))
    records = [testing.audit_record(user=f"{QUIET}{number % 2}", audit_id=str(number)) for number in range(20)]
    one.admit([*records, testing.audit_record(user="ana@example.com")], at_s=0.0)

    assert one.take(40, at_s=0.0) == []
    assert [record.audit_id for record in one.take(40, at_s=0.5)] == ["1"]
    assert [record.audit_id for record in one.take(3)] == ["2", "3", "4"], "all of it when nobody waits"
    assert one.waiting == 15


@pytest.mark.parametrize(
    ("elapsed_s", "admitted"),
    [
        pytest.param(0.0, 0, id="at once"),
        pytest.param(2.0, 2, id="two seconds later"),
        pytest.param(99.0, 3, id="full"),
    ],
)
def test_an_allowance_comes_back_with_time(elapsed_s, admitted):
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=3.0))
    assert len(one.admit([testing.audit_record(user=QUIET, audit_id=str(n)) for n in range(3)], at_s=5.0)[0]) == 3
    more = [testing.audit_record(user=QUIET, audit_id=f"more {n}") for n in range(5)]
    assert len(one.admit(more, at_s=5.0 + elapsed_s)[0]) == admitted


def test_a_clock_that_jumps_back_gives_and_takes_nothing():
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=2.0))
    first, _ = one.admit([testing.audit_record(user=QUIET, audit_id="a")], at_s=1_000.0)
    second, _ = one.admit([testing.audit_record(user=QUIET, audit_id=str(n)) for n in range(2)], at_s=0.0)
    assert (len(first), len(second)) == (1, 1)
