"""What every live source owes: resume, back-pressure, malformed bytes, close, and a card that is true.

A new source gets its `Harness` below; the suite fails for a card without one.
"""

import asyncio
import contextlib
import importlib
import inspect
import json
import pathlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from riverwatch import metrics, settings, sources
from riverwatch.sources import admission_review, admission_webhook, audit_tail, audit_webhook, base, decode, host

DATA = pathlib.Path(__file__).parents[1] / "data" / "audit"
RECORD = json.loads((DATA / "lines.jsonl").read_text().splitlines()[0])


def line(number: int) -> bytes:
    return json.dumps(RECORD | {"auditID": str(number)}).encode() + b"\n"


class Sink:
    """Keeps deliveries while there is room."""

    def __init__(self) -> None:
        self.room = 1000
        self.offered = 0
        self.bodies: list[bytes] = []
        self.changed = asyncio.Event()

    def __call__(self, delivery: base.Delivery) -> bool:
        self.offered += 1
        self.changed.set()
        if len(self.bodies) >= self.room:
            return False
        self.bodies.append(delivery.body)
        return True

    def ids(self) -> tuple[list[str | None], base.Tally]:
        tally = base.Tally()
        decoder = decode.RecordDecoder(tally=tally)
        found = [one.audit_id or "" for body in self.bodies for one in decoder.body(body, where="x")]
        return [one.removeprefix(admission_review.ID_PREFIX) for one in found], tally

    async def until(self, condition) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


class WebhookHarness:
    """Sends as the API server does: again, until it is accepted."""

    def __init__(self, _: pathlib.Path) -> None:
        self.waiting: list[bytes] = []

    def make(self, sink: Sink, position: base.Position | None) -> base.Source:
        assert position is None
        return audit_webhook.AuditWebhook(sink, insecure=True)

    async def send(self, source: base.Source, data: bytes) -> None:
        assert isinstance(source, audit_webhook.AuditWebhook)
        self.waiting.append(data)
        async with aiohttp.ClientSession() as client:
            while self.waiting:
                headers = {"Content-Type": "application/x-ndjson"}
                async with client.post(source.url, data=self.waiting[0], headers=headers) as answer:
                    assert answer.status in (200, 429)
                    if answer.status == 429:
                        return
                    self.waiting.pop(0)


class AdmissionHarness:
    """Asks as the API server does: once, whatever becomes of it."""

    def __init__(self, _: pathlib.Path) -> None:
        self.counters = metrics.Metrics()

    def make(self, sink: Sink, position: base.Position | None) -> base.Source:
        assert position is None
        return admission_webhook.AdmissionWebhook(sink, insecure=True, counters=self.counters)

    async def send(self, source: base.Source, data: bytes) -> None:
        assert isinstance(source, admission_webhook.AdmissionWebhook)
        url = source.url.replace("/audit", admission_webhook.PATH)
        async with aiohttp.ClientSession() as client:
            for text in data.splitlines():
                uid = json.loads(text)["auditID"]
                review = {
                    "kind": "AdmissionReview",
                    "apiVersion": admission_review.API_VERSION,
                    "request": {
                        "uid": uid,
                        "operation": "CREATE",
                        "userInfo": RECORD["user"],
                        "resource": {"group": "", "version": "v1", "resource": "pods"},
                        "namespace": "web",
                        "name": "front",
                    },
                }
                async with client.post(url, json=review) as answer:
                    if isinstance(uid, str):
                        assert (await answer.json())["response"] == {"uid": uid, "allowed": True}

    def counted(self, result: str) -> float:
        return self.counters.admission_reviews.labels(result=result)._value.get()


class TailHarness:
    """Writes as the API server does."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.path = folder / "audit.log"

    def make(self, sink: Sink, position: base.Position | None) -> base.Source:
        return audit_tail.AuditTail(sink, self.path, position=position, poll_s=0.002)

    async def send(self, _: base.Source, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)


HARNESSES = {"audit-webhook": WebhookHarness, "audit-tail": TailHarness, "admission-webhook": AdmissionHarness}
IDS = [card.id for card in sources.CARDS]


@contextlib.asynccontextmanager
async def started(source: base.Source) -> AsyncIterator[base.Source]:
    await source.start()
    try:
        yield source
    finally:
        await source.stop()


@pytest.fixture(params=IDS)
def harness(request, tmp_path):
    return HARNESSES[request.param](tmp_path)


async def test_what_is_sent_arrives_once_and_in_order(harness):
    sink = Sink()
    async with started(harness.make(sink, None)) as source:
        for number in range(20):
            await harness.send(source, line(number))
        await sink.until(lambda: len(sink.ids()[0]) == 20)

    assert sink.ids()[0] == [str(number) for number in range(20)]


async def test_restart_resumes_after_what_was_accepted(harness):
    first, second = Sink(), Sink()
    async with started(harness.make(first, None)) as source:
        await harness.send(source, line(1))
        await first.until(lambda: first.ids()[0] == ["1"])
    async with started(harness.make(second, source.position())) as source:
        await harness.send(source, line(2))
        await second.until(lambda: second.ids()[0] == ["2"])


async def test_position_is_plain_data_that_survives_json(harness):
    import msgspec  # noqa: PLC0415 - only this test writes it

    sink = Sink()
    async with started(harness.make(sink, None)) as source:
        await harness.send(source, line(1))
        await sink.until(lambda: len(sink.bodies) == 1)
    position = source.position()

    assert msgspec.json.decode(msgspec.json.encode(position), type=base.Position | None) == position


async def test_full_sink_loses_nothing_or_counts_it(harness):
    sink = Sink()
    sink.room = 0
    async with started(harness.make(sink, None)) as source:
        await harness.send(source, line(1))
        await sink.until(lambda: sink.offered > 0)
        assert sink.bodies == []
        sink.room = 1000
        await harness.send(source, line(2))
        expected = ["1", "2"] if source.card.repeats else ["2"]
        await sink.until(lambda: len(sink.ids()[0]) == len(expected))

    assert sink.ids()[0] == expected
    if not source.card.repeats:
        assert harness.counted("no_room") == 1


async def test_malformed_bytes_do_not_stop_it(harness):
    sink = Sink()
    async with started(harness.make(sink, None)) as source:
        await harness.send(source, line(1) + b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":7}\n' + line(2))
        await sink.until(lambda: len(sink.ids()[0]) == 2)
        await harness.send(source, line(3))
        await sink.until(lambda: len(sink.ids()[0]) == 3)

    found, tally = sink.ids()
    assert found == ["1", "2", "3"]
    if source.card.repeats:
        assert tally.skipped == {base.SkipReason.WRONG_SHAPE: 1}
    else:
        assert harness.counted("malformed") == 1


async def test_close_is_final_and_may_be_asked_for_twice(harness):
    sink = Sink()
    source = harness.make(sink, None)
    await source.start()
    await harness.send(source, line(1))
    await sink.until(lambda: len(sink.bodies) == 1)
    await source.stop()
    await source.stop()

    assert {task for task in asyncio.all_tasks() if not task.done()} == {asyncio.current_task()}


async def test_close_while_the_sink_is_full_does_not_hang(harness):
    sink = Sink()
    sink.room = 0
    async with asyncio.timeout(20), started(harness.make(sink, None)) as source:
        await harness.send(source, line(1))
        await sink.until(lambda: sink.offered > 0)


def test_thread_of_its_own_runs_it(harness):
    bodies = []
    source = harness.make(lambda delivery: bodies.append(delivery.body) or True, None)
    running = host.SourceHost([source])
    running.start()
    try:
        asyncio.run(harness.send(source, line(1)))
        assert running.alive
    finally:
        running.stop()
        running.stop()

    assert not running.alive


def test_source_that_cannot_start_stops_the_others():
    class Broken:
        card = sources.CARDS[0]

        async def start(self):
            raise RuntimeError("no")

        async def stop(self):
            raise AssertionError("never started")

        def position(self):
            return None

    first = audit_webhook.AuditWebhook(lambda _: True, insecure=True)
    with pytest.raises(RuntimeError, match="no"):
        host.SourceHost([first, Broken()]).start()

    assert first.port == 0


@pytest.mark.parametrize("card", sources.CARDS, ids=IDS)
def test_card_is_true(card):
    module = importlib.import_module(f"riverwatch.sources.{card.id.replace('-', '_')}")
    classes = [one for _, one in inspect.getmembers(module, inspect.isclass) if getattr(one, "card", None) is card]

    assert len(classes) == 1
    assert card.summary.endswith(".")
    assert card.needs
    assert card.blind_spots
    assert set(card.settings) <= set(settings.Settings.model_fields)


def test_ids_are_unique_and_have_a_harness():
    assert sorted(IDS) == sorted(set(IDS)) == sorted(HARNESSES)
