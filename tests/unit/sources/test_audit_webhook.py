"""The audit receiver: who may send, what is taken, and what the answer says."""

import asyncio
import base64
import datetime as dt
import gzip
import io
import ipaddress
import json
import pathlib
import ssl
import threading

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from riverwatch import errors, metrics
from riverwatch.sources import audit_webhook, base, decode, webhook_access, webhook_body

DATA = pathlib.Path(__file__).parents[2] / "data" / "audit"
BATCH = (DATA / "event-list.json").read_bytes()
SMALL = b'{"auditID":"x","requestURI":"' + b"/" * 150 + b'"}'
TOKEN = "a-token-of-some-length"
JSON = {"Content-Type": "application/json"}


class Sink:
    """Keeps deliveries until it is full."""

    def __init__(self, room=1000):
        self.room = room
        self.taken = []

    def __call__(self, delivery):
        if len(self.taken) >= self.room:
            return False
        self.taken.append(delivery)
        return True


def certificate(name, issuer=None):
    """Return certificate and key, self-signed when there is no issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    return built, key


def write(pair, folder, name):
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    cert.write_bytes(pair[0].public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        pair[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert, key


@pytest.fixture
def ca():
    return certificate("test ca")


@pytest.fixture
def access(tmp_path, ca):
    write(ca, tmp_path, "ca")
    cert, key = write(certificate("receiver", ca), tmp_path, "receiver")
    token_file = tmp_path / "tokens"
    token_file.write_text(f"# senders\n{TOKEN}\n\nanother-token-of-some-length\n")
    return webhook_access.Access(cert, key, token_file, tmp_path / "ca.crt")


def trusting(access, client=None):
    context = ssl.create_default_context(cafile=access.client_ca)
    if client is not None:
        context.load_cert_chain(*client)
    return context


class Running:
    """A started receiver and a client."""

    def __init__(self, sink=None, **options):
        self.sink = sink or Sink()
        self.counters = metrics.Metrics()
        self.receiver = audit_webhook.AuditWebhook(self.sink, counters=self.counters, **options)

    async def __aenter__(self):
        await self.receiver.start()
        self.client = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_):
        await self.client.close()
        await self.receiver.stop()

    async def post(self, data=BATCH, path="/audit", headers=None, **options):
        url = self.receiver.url.removesuffix("/audit") + path
        data = io.BytesIO(data) if isinstance(data, bytes) else data
        async with self.client.post(url, data=data, headers=JSON | (headers or {}), **options) as answer:
            return answer.status, await answer.text(), answer.headers


def plain(sink=None, **options):
    return Running(sink, insecure=True, **options)


@pytest.mark.parametrize("path", ["/audit", "/k8s-audit", "/"])
async def test_batch_is_taken_whole(path):
    async with plain() as running:
        status, _, _ = await running.post(path=path)

        assert status == 200
        (delivery,) = running.sink.taken
        assert delivery.body == BATCH
        tally = base.Tally()
        assert len(decode.RecordDecoder(tally=tally).body(delivery.body, where=delivery.where)) == 4
        assert running.counters.registry.get_sample_value("riverwatch_receiver_bytes_total") == len(BATCH)


async def test_gzip_is_undone():
    async with plain() as running:
        body = gzip.compress(BATCH[:100]) + gzip.compress(BATCH[100:])
        status, _, _ = await running.post(body, headers={"Content-Encoding": "gzip"})

        assert status == 200
        assert running.sink.taken[0].body == BATCH


REFUSED = {
    "no JSON": (b"kind=EventList", {}, 400, "malformed JSON"),
    "an empty body": (b"", {}, 400, "malformed JSON: the body is empty"),
    "nothing but white space": (b" " * 500_000, {}, 400, "malformed JSON: the body is empty"),
    "JSON cut off": (BATCH[:-1], {}, 400, "malformed JSON"),
    "JSON cut off in a text": (BATCH[:-30], {}, 400, "ends in the middle"),
    "a wrong word in small JSON": (BATCH.replace(b'"get"', b"get"), {}, 400, "malformed JSON: JSON is malformed"),
    "a large text that is no JSON": (b"x" * 500_000, {}, 400, "malformed JSON"),
    "nesting beyond reason": (b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", {}, 400, "malformed JSON"),
    "another content type": (BATCH, {"Content-Type": "text/plain"}, 415, "Content-Type"),
    "another content encoding": (BATCH, {"Content-Encoding": "br"}, 415, "Content-Encoding"),
    "a body that is no gzip": (BATCH, {"Content-Encoding": "gzip"}, 400, "no gzip"),
    "gzip cut off": (gzip.compress(BATCH)[:-10], {"Content-Encoding": "gzip"}, 400, "ends too early"),
    "a body that is too large": (b"[" + b" " * 2_000_000 + b"]", {}, 413, "send smaller batches"),
    "a gzip bomb": (gzip.compress(b"[" + b" " * 50_000_000 + b"]"), {"Content-Encoding": "gzip"}, 413, "uncompressed"),
    "too many records": (b"[" + b",".join([SMALL] * 101) + b"]", {}, 413, "more than 100 records"),
}


@pytest.mark.parametrize(("body", "headers", "status", "says"), REFUSED.values(), ids=REFUSED)
async def test_body_is_refused_with_a_reason(body, headers, status, says):
    limits = audit_webhook.Limits(body_bytes=1_000_000, records=100)
    async with plain(limits=limits) as running:
        found, text, _ = await running.post(body, headers=headers)

        assert (found, says in text) == (status, True), text
        assert running.sink.taken == []
        assert (
            running.counters.registry.get_sample_value("riverwatch_receiver_answers_total", {"code": str(status)}) == 1
        )
        assert (await running.post())[0] == 200


async def test_body_of_unknown_length_is_limited_too():
    async def endless():
        yield b"["
        for _ in range(100):
            yield b" " * 100_000

    async with plain(limits=audit_webhook.Limits(body_bytes=1_000_000)) as running:
        status, _, _ = await running.post(endless())

        assert status == 413


async def test_batch_with_a_bad_item_is_taken():
    async with plain() as running:
        status, _, _ = await running.post((DATA / "bad-item-in-list.json").read_bytes())

        assert status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods_are_refused(method):
    async with plain() as running, running.client.request(method, running.receiver.url) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "OPTIONS,POST"


async def test_health_needs_no_credentials(access):
    async with Running(access=access) as running:
        url = running.receiver.url.replace("/audit", "/healthz")
        async with running.client.get(url, ssl=trusting(access)) as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_connection_that_asks_nothing_more_is_closed(monkeypatch):
    monkeypatch.setattr(audit_webhook, "IDLE_S", 0.1)
    async with Running(insecure=True) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.receiver.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        writer.close()


async def test_full_sink_sheds_and_says_when_to_come_back():
    async with plain(Sink(room=1)) as running:
        assert (await running.post())[0] == 200
        status, text, headers = await running.post()

        assert (status, headers["Retry-After"]) == (429, "5")
        assert "queue is full" in text
        assert len(running.sink.taken) == 1
        running.sink.taken.clear()
        assert (await running.post())[0] == 200


async def test_sink_that_fails_is_no_acknowledgement():
    def broken(_):
        raise RuntimeError

    async with plain(broken) as running:
        status, _, headers = await running.post()

        assert (status, headers["Retry-After"]) == (503, "5")


async def test_batches_at_once_are_bounded_together():
    arrived = asyncio.Event()

    async def slow():
        yield BATCH[:10]
        await arrived.wait()
        yield BATCH[10:]

    limits = audit_webhook.Limits(body_bytes=100_000, in_flight_bytes=100_000)
    async with plain(limits=limits) as running:
        first = asyncio.create_task(running.post(slow()))
        async with asyncio.timeout(20):
            while (await running.post())[0] != 429:
                pass
        arrived.set()

        assert (await first)[0] == 200


async def test_connection_that_is_lost_is_counted_and_no_error(caplog):
    async with plain() as running:
        _, writer = await asyncio.open_connection("127.0.0.1", running.receiver.port)
        writer.write(b"POST /audit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n[")
        await writer.drain()
        assert (await running.post())[0] == 200
        writer.transport.abort()
        assert (await running.post())[0] == 200
    assert running.counters.registry.get_sample_value("riverwatch_receiver_answers_total", {"code": "400"}) == 1
    assert not any(record.levelname == "ERROR" for record in caplog.records)


async def test_small_body_that_holds_much_is_undone_on_another_thread(monkeypatch):
    threads = []
    undo = webhook_body.gunzip

    def gunzip(data, limit_bytes):
        threads.append((threading.current_thread() is threading.main_thread(), limit_bytes))
        return undo(data, limit_bytes)

    monkeypatch.setattr(webhook_body, "gunzip", gunzip)
    body = b'[{"a":"' + b"x" * (webhook_body.ON_LOOP_BYTES + 1) + b'"}]'
    async with plain() as running:
        status, _, _ = await running.post(gzip.compress(body), headers={"Content-Encoding": "gzip"})
        assert status == 200
        assert running.sink.taken[0].body == body
    assert threads == [(True, webhook_body.ON_LOOP_BYTES), (False, audit_webhook.Limits().body_bytes)]


async def test_body_that_does_not_arrive_is_given_up():
    async def never():
        yield BATCH[:10]
        await asyncio.Event().wait()

    async with plain(limits=audit_webhook.Limits(body_s=0.05)) as running:
        status, text, _ = await running.post(never())

        assert status == 408
        assert "did not arrive" in text


CREDENTIALS = {
    "the first token": ({"Authorization": f"Bearer {TOKEN}"}, "", 200),
    "the second token": ({"Authorization": "bearer another-token-of-some-length"}, "", 200),
    "the password of basic authentication": (
        {"Authorization": "Basic " + base64.b64encode(f"x:{TOKEN}".encode()).decode()},
        "",
        200,
    ),
    "the key of Firehose": ({"X-Amz-Firehose-Access-Key": TOKEN}, "", 200),
    "the token of a push subscription": ({}, f"?token={TOKEN}", 200),
    "nothing": ({}, "", 401),
    "a wrong token": ({"Authorization": "Bearer a-token-of-some-lengtH"}, "", 401),
    "an empty token": ({"Authorization": "Bearer "}, "", 401),
    "a comment of the token file": ({"Authorization": "Bearer # senders"}, "", 401),
    "a token that is no ASCII": ({"Authorization": "Bearer töken"}, "", 401),
    "broken basic authentication": ({"Authorization": "Basic %%%"}, "", 401),
    "basic authentication that is no ASCII": ({"Authorization": "Basic tökentöken"}, "", 401),
    "basic authentication that is no UTF-8": ({"Authorization": "Basic /////w=="}, "", 401),
}


@pytest.mark.parametrize(("headers", "query", "status"), CREDENTIALS.values(), ids=CREDENTIALS)
async def test_credentials_decide(access, headers, query, status):
    async with Running(access=access) as running:
        found, _, answered = await running.post(headers=headers, path=f"/audit{query}", ssl=trusting(access))

        assert found == status
        assert len(running.sink.taken) == (status == 200)
        assert ("WWW-Authenticate" in answered) == (status == 401)


async def test_client_certificate_is_enough(access, ca, tmp_path):
    client = write(certificate("kube-apiserver", ca), tmp_path, "client")
    async with Running(access=access) as running:
        assert (await running.post(ssl=trusting(access, client)))[0] == 200


async def test_client_certificate_of_another_ca_is_refused(access, tmp_path):
    client = write(certificate("kube-apiserver", certificate("other ca")), tmp_path, "client")
    async with Running(access=access) as running:
        with pytest.raises(aiohttp.ClientError):
            await running.post(ssl=trusting(access, client))

        assert running.sink.taken == []


async def test_changed_token_is_in_force_without_a_restart(access):
    async with Running(access=access) as running:
        old, new = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Bearer a-new-token-of-some-length"}
        assert (await running.post(headers=old, ssl=trusting(access)))[0] == 200
        access.token_file.write_text("a-new-token-of-some-length\n")

        assert await running.receiver.reload() is True

        assert (await running.post(headers=new, ssl=trusting(access)))[0] == 200
        assert (await running.post(headers=old, ssl=trusting(access)))[0] == 401


async def test_changed_certificate_and_ca_are_in_force_without_a_restart(access, ca, tmp_path):
    old_client = write(certificate("kube-apiserver", ca), tmp_path, "client")
    async with Running(access=access) as running:
        port = running.receiver.port
        old = trusting(access, old_client)
        assert (await running.post(ssl=old))[0] == 200
        new_ca = certificate("new ca")
        write(new_ca, tmp_path, "ca")
        write(certificate("receiver", new_ca), tmp_path, "receiver")

        assert await running.receiver.reload() is True

        assert running.receiver.port == port
        status, _, headers = await running.post(ssl=old)
        assert (status, headers["Connection"]) == (200, "close")
        with pytest.raises(aiohttp.ClientError):
            await running.post(ssl=old)
        new_client = write(certificate("kube-apiserver", new_ca), tmp_path, "client")
        assert (await running.post(ssl=trusting(access, new_client)))[0] == 200


async def test_changed_files_are_noticed_by_themselves(access):
    async with Running(access=access, reload_s=0.01) as running:
        access.token_file.write_text("a-new-token-of-some-length\n")
        new = {"Authorization": "Bearer a-new-token-of-some-length"}

        async with asyncio.timeout(20):
            while (await running.post(headers=new, ssl=trusting(access)))[0] != 200:
                pass


@pytest.mark.parametrize("wrong", ["", "short\n"], ids=["emptied", "too short"])
async def test_unusable_change_leaves_the_last_good_one(access, wrong):
    async with Running(access=access) as running:
        access.token_file.write_text(wrong)

        assert await running.receiver.reload() is False

        assert (await running.post(headers={"Authorization": f"Bearer {TOKEN}"}, ssl=trusting(access)))[0] == 200
        failed = running.counters.registry.get_sample_value("riverwatch_receiver_reloads_total", {"result": "failed"})
        assert failed == 1


UNSAFE = {
    "plain HTTP that nobody allowed": ({}, False, "127.0.0.1", "give a certificate"),
    "plain HTTP for the network": ({}, True, "0.0.0.0", "loopback"),
    "no credentials": ({"token_file": None, "client_ca": None}, False, "127.0.0.1", "may invent records"),
    "a certificate without key": ({"key": None}, False, "127.0.0.1", "belong together"),
}


@pytest.mark.parametrize(("changes", "insecure", "host", "says"), UNSAFE.values(), ids=UNSAFE)
def test_unsafe_configuration_is_refused(access, changes, insecure, host, says):
    fields = {name: getattr(access, name) for name in access.__struct_fields__} | changes
    chosen = webhook_access.Access(**fields) if changes else webhook_access.Access()

    with pytest.raises(errors.BadInputError, match=says):
        audit_webhook.AuditWebhook(Sink(), host=host, access=chosen, insecure=insecure)


@pytest.mark.parametrize("name", ["cert", "token_file", "client_ca"])
def test_missing_file_is_named(access, name):
    path = getattr(access, name)
    path.unlink()

    with pytest.raises(errors.BadInputError, match=path.name):
        audit_webhook.AuditWebhook(Sink(), access=access)


async def test_taken_address_is_an_error_that_names_it():
    async with plain() as running:
        other = audit_webhook.AuditWebhook(Sink(), port=running.receiver.port, insecure=True)

        with pytest.raises(errors.BadInputError, match=str(running.receiver.port)):
            await other.start()


async def test_firehose_gets_its_request_id_back():
    async with plain() as running:
        body = (DATA / "firehose.json").read_bytes()
        status, text, _ = await running.post(body, headers={"X-Amz-Firehose-Request-Id": "r-1"})

        assert status == 200
        assert json.loads(text)["requestId"] == "r-1"
