"""Fair turns: nobody's flood delays others, order is kept, nothing is lost silently, restarts lose nothing."""

from __future__ import annotations

import collections

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


@pytest.fixture
def time() -> testing.FakeClock:
    return testing.FakeClock()


@pytest.fixture
def small(time) -> tuple[worker.Worker, Clocked]:
    """A worker with room for eight records of one namespace in its lane, and its judge."""
    queue = worker_queue.WorkQueue(worker_queue.Bounds(batches=100, octets=1 << 30))
    judge = Clocked(time)
    quota = fairness.Quota(1.0, 1.0, waiting=16)
    return worker.Worker(judge, lambda _: None, queue=queue, time=time, quota=quota), judge


def sent(one: worker.Worker, time: testing.FakeClock, *bodies: bytes) -> None:
    for data in bodies:
        assert one.offer(base.Delivery(data, "sender", time.now_s()))


def turned(one: worker.Worker, turns: int) -> None:
    for _ in range(turns):
        one.turn(one.queue.take(wait_s=0.0))


FLOOD = body(*[(f"{NOISY}{number}", f"n-{number}") for number in range(10)])


def test_what_can_only_be_lost_is_counted_without_being_decoded(monkeypatch, small, time):
    decoded = []
    body_of = decode.RecordDecoder.body
    monkeypatch.setattr(
        decode.RecordDecoder, "body", lambda self, data, **rest: decoded.append(data) or body_of(self, data, **rest)
    )
    one, judge = small
    sent(one, time, FLOOD, FLOOD, body((f"{NOISY}0", "n-9"), (QUIET, "q-1"), (f"{NOISY}1", "n-10")), FLOOD)
    turned(one, 3)

    assert decoded == [FLOOD], "the first, until its namespace has all the room that it may have"
    assert [name for name, _ in judge.judged] == ["n-0", "q-1"]
    assert one.tally.read == 10 + 10 + 3
    assert one.tally.skipped == {base.SkipReason.OVER_QUOTA: 1 + 10 + 2}
    assert (one.fairness.dropped, one.fairness.waiting) == (13, 8)


def test_what_can_only_be_lost_takes_no_place_in_the_queue(small, time):
    one, judge = small
    sent(one, time, FLOOD, FLOOD)
    turned(one, 1)
    depth = one.queue.depth
    sent(one, time, FLOOD, FLOOD, FLOOD)
    assert one.queue.depth == depth
    sent(one, time, body((NOISY, "n-11"), (QUIET, "q-1")))
    assert one.queue.depth == depth + 1, "one record of somebody else keeps a delivery"
    turned(one, 2)

    assert one.tally.read == 10 + 10 + 3 * 10 + 2
    assert one.tally.read == len(judge.judged) + one.fairness.waiting + one.fairness.dropped
    assert one.tally.skipped == {base.SkipReason.OVER_QUOTA: one.fairness.dropped}
    assert one.watch.senders["sender"].deliveries == 4, "twice at the queue, twice at the door"


def test_what_is_dropped_while_the_worker_ends_is_counted(small, time):
    one, _ = small
    sent(one, time, FLOOD, FLOOD)
    turned(one, 1)
    one.on_step(lambda *_: None)
    one.add_duty(worker.Duty(1e9, lambda: None, at_end=lambda: counted.append(one.tally.read)))
    counted = []
    sent(one, time, FLOOD)
    one.queue.close()
    one.run()
    assert counted == [30]


def test_a_source_that_resumes_where_it_stood_loses_nothing_at_the_door(small, time):
    one, _ = small
    sent(one, time, FLOOD, FLOOD)
    turned(one, 1)
    depth = one.queue.depth
    one.offer(base.Delivery(FLOOD, "file", time.now_s(), after=base.Position(offset=9)))
    assert one.queue.depth == depth + 1, "its position is that of what was taken"


def test_the_operators_own_records_are_heard_in_a_flood_of_its_namespace(small, time):
    one, _ = small
    heard = []
    one.watch.on_own(lambda records: heard.extend(found.audit_id for found in records))
    mine = "system:serviceaccount:riverwatch:riverwatch"
    one.exclude(worker_identity.OwnIdentity(mine, "", "", "", frozenset()))
    flood = [("system:serviceaccount:riverwatch:other", f"n-{number}") for number in range(12)]
    sent(one, time, body(*flood), body(*flood, (mine, "spooled")), body(*flood))
    turned(one, 1)
    sent(one, time, body(*flood, (mine, "at the door")))
    turned(one, 3)

    assert heard == ["spooled", "at the door"]


def test_nobody_shares_an_allowance_too():
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=1.0, waiting=2))
    refused = [testing.audit_record(user="", audit_id=str(number), code=401) for number in range(3)]
    assert [found.audit_id for found in one.admit(refused, at_s=0.0)[0]] == ["0"]
    assert one.sift(["", "ana@example.com"]) == [1]


def test_a_key_without_room_may_let_some_wait_again_once_there_is_room_for_several():
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=1.0, waiting=2_000))
    many = [testing.audit_record(user=QUIET, audit_id=str(number)) for number in range(1_100)]
    one.admit(many, at_s=0.0)
    assert (one.waiting, one.closed) == (1_000, True)
    one.take(300)
    assert one.sift([QUIET, "ana@example.com"]) == [1]
    one.take(40)
    assert not one.closed
    assert one.sift([QUIET, "ana@example.com"]) == [0, 1]


def test_however_much_one_key_sends_others_find_room():
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=1.0, waiting=1_024))
    for key in range(6):
        one.admit([testing.audit_record(user=f"user-{key}", audit_id=str(n)) for n in range(5_000)], at_s=0.0)
    held = collections.Counter(found.user.username for found in one.take(1_024))
    assert held == {"user-0": 512, "user-1": 256, "user-2": 128, "user-3": 64, "user-4": 32, "user-5": 16}


def test_more_keys_than_there_is_room_for_are_bounded_and_counted():
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=1.0, waiting=3_000))
    records = [testing.audit_record(user=f"user-{n % 4_000}", audit_id=str(n)) for n in range(12_000)]
    now, lost = one.admit(records, at_s=0.0)
    assert (len(now), one.waiting, lost) == (4_000, 3_000, 5_000)
    assert len(one.take(3_000)) == 3_000
    assert (one.waiting, one.closed) == (0, False)


@pytest.mark.parametrize(
    ("age_s", "taken"),
    [
        pytest.param(0.0, fairness.TURN_RECORDS, id="in time"),
        pytest.param(1.0, fairness.LATE_RECORDS, id="late"),
    ],
)
def test_what_waits_yields_to_deliveries_that_are_late(age_s, taken, time):
    queue = worker_queue.WorkQueue(worker_queue.Bounds(batches=100, octets=1 << 30))
    judge = Clocked(time)
    one = worker.Worker(judge, lambda _: None, queue=queue, time=time, quota=fairness.Quota(100.0, 100.0))
    one.fairness.load(msgspec.json.encode({"user": {"username": f"user-{n}"}, "auditID": str(n)}) for n in range(90))
    sent(one, time, body((QUIET, "q-1")), body((QUIET, "q-2")))
    time.advance(age_s)
    turned(one, 1)
    assert len(judge.judged) == 1 + taken


def test_what_waits_is_bounded_in_bytes_too():
    one = fairness.Fairness(fairness.Quota(records_per_s=1.0, burst=1.0, waiting_bytes=20_000))
    large = {"kind": "Pod", "note": "x" * 4_000}
    records = [testing.audit_record(user=QUIET, audit_id=str(n), request_object=large) for n in range(9)]
    now, lost = one.admit(records, at_s=0.0)
    assert (len(now), one.waiting, lost) == (1, 3, 5)
    assert one.closed
    again = fairness.Fairness(fairness.Quota(waiting_bytes=20_000))
    again.load(one.dump())
    assert len(again.take(9)) == 3
    again.admit(records, at_s=0.0)
    assert not again.closed


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
