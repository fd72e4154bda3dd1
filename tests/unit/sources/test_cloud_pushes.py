"""Deliveries that EKS, GKE and AKS push over HTTPS: what arrives is read, and the answer is what the sender wants."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any, Self

import aiohttp
import pytest

from riverwatch.activity import record, sample
from riverwatch.sources import audit_webhook, base, decode, webhook_access

TOKEN = "a-token-of-some-length"
JSON = {"Content-Type": "application/json"}


def audit(number: int) -> dict[str, Any]:
    return sample.audit_record(verb="get", resource="secrets", namespace="web", name="tls", audit_id=f"id-{number}")


def firehose(*records: object, packed: bool = True) -> dict[str, Any]:
    """Write what Data Firehose posts; records of a CloudWatch Logs subscription are compressed."""

    def data(one: object) -> str:
        text = json.dumps(one).encode()
        return base64.b64encode(gzip.compress(text) if packed else text).decode()

    return {"requestId": "r-7", "timestamp": 1_768_464_000_000, "records": [{"data": data(one)} for one in records]}


def cloudwatch(*records: object) -> dict[str, Any]:
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "/aws/eks/prod/cluster",
        "logStream": "kube-apiserver-audit-0a1b",
        "subscriptionFilters": ["riverwatch"],
        "logEvents": [
            {"id": str(place), "timestamp": 1_768_464_000_000, "message": json.dumps(one)}
            for place, one in enumerate(records)
        ],
    }


CONTROL = {
    "messageType": "CONTROL_MESSAGE",
    "owner": "CloudwatchLogs",
    "logGroup": "",
    "logStream": "",
    "subscriptionFilters": [],
    "logEvents": [
        {"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose."}
    ],
}


def pubsub(entry: object) -> dict[str, Any]:
    """Write what a Pub/Sub push subscription posts for an entry of a Cloud Logging sink."""
    return {
        "message": {
            "attributes": {"logging.googleapis.com/timestamp": "2026-01-15T08:00:00.25Z"},
            "data": base64.b64encode(json.dumps(entry).encode()).decode(),
            "messageId": "136969346945",
            "publishTime": "2026-01-15T08:00:01.1Z",
        },
        "subscription": "projects/p/subscriptions/riverwatch",
    }


def gke(number: int) -> dict[str, Any]:
    return {
        "insertId": f"id-{number}",
        "logName": "projects/p/logs/cloudaudit.googleapis.com%2Fdata_access",
        "timestamp": "2026-01-15T08:00:00.25Z",
        "resource": {"type": "k8s_cluster", "labels": {"cluster_name": "prod"}},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "serviceName": "k8s.io",
            "methodName": "io.k8s.core.v1.secrets.get",
            "resourceName": "core/v1/namespaces/web/secrets/tls",
            "authenticationInfo": {"principalEmail": "system:serviceaccount:web:front"},
            "requestMetadata": {"callerIp": "10.4.7.19", "callerSuppliedUserAgent": "front/1.0"},
            "status": {},
        },
    }


def aks(*records: object) -> dict[str, Any]:
    """Write what forwarders of an Event Hub post: a batch of diagnostic records."""
    return {
        "records": [
            {
                "category": "kube-audit-admin",
                "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
                "time": "2026-01-15T08:00:01.1Z",
                "properties": {"log": json.dumps(one), "stream": "stdout", "pod": "kube-apiserver-1"},
            }
            for one in records
        ]
    }


class Served:
    """A receiver with a token, and what it took."""

    def __init__(self, folder: Any, room: int = 100) -> None:
        tokens = folder / "tokens"
        tokens.write_text(TOKEN + "\n")
        self.taken: list[bytes] = []
        self.room = room
        access = webhook_access.Access(token_file=tokens)
        self.source = audit_webhook.AuditWebhook(self._take, insecure=True, access=access)

    def _take(self, delivery: base.Delivery) -> bool:
        if len(self.taken) >= self.room:
            return False
        self.taken.append(delivery.body)
        return True

    async def __aenter__(self) -> Self:
        await self.source.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.source.stop()

    async def send(
        self, body: object, headers: dict[str, str] | None = None, *, query: str = "", method: str = "POST"
    ) -> tuple[int, str, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, self.source.url + query, data=data, headers=JSON | (headers or {})) as answer,
        ):
            return answer.status, await answer.text(), answer.headers

    def records(self) -> tuple[list[record.AuditRecord], base.Tally]:
        tally = base.Tally()
        decoder = decode.RecordDecoder(tally=tally)
        return [one for body in self.taken for one in decoder.body(body, where="x")], tally


FIREHOSE = {"X-Amz-Firehose-Request-Id": "r-7", "X-Amz-Firehose-Protocol-Version": "1.0"}


async def test_eks_through_firehose_is_read_and_its_request_id_repeated(tmp_path):
    async with Served(tmp_path) as served:
        body = firehose(cloudwatch(audit(1), audit(2)), CONTROL, cloudwatch(audit(3)))
        status, text, headers = await served.send(body, FIREHOSE | {"X-Amz-Firehose-Access-Key": TOKEN})
    found, tally = served.records()

    assert [one.audit_id for one in found] == ["id-1", "id-2", "id-3"]
    assert tally.skipped == {base.SkipReason.NOT_AUDIT: 1}
    answer = json.loads(text)
    assert (status, answer.pop("requestId"), headers["Content-Type"].split(";")[0]) == (200, "r-7", "application/json")
    assert isinstance(answer.pop("timestamp"), int)
    assert answer == {}


async def test_firehose_with_its_own_compression_is_read(tmp_path):
    async with Served(tmp_path) as served:
        packed = gzip.compress(json.dumps(firehose(cloudwatch(audit(1)))).encode())
        headers = FIREHOSE | {"X-Amz-Firehose-Access-Key": TOKEN, "Content-Encoding": "gzip"}
        status, _, _ = await served.send(packed, headers)

    assert (status, len(served.records()[0])) == (200, 1)


async def test_records_that_firehose_does_not_compress_are_read(tmp_path):
    async with Served(tmp_path) as served:
        headers = FIREHOSE | {"X-Amz-Firehose-Access-Key": TOKEN}
        await served.send(firehose(audit(1), audit(2), packed=False), headers)

    assert [one.audit_id for one in served.records()[0]] == ["id-1", "id-2"]


@pytest.mark.parametrize(
    ("headers", "room", "status", "text"),
    [
        pytest.param({"X-Amz-Firehose-Access-Key": "wrong"}, 9, 401, "valid bearer token", id="wrong key"),
        pytest.param({"X-Amz-Firehose-Access-Key": TOKEN}, 0, 429, "queue is full", id="no room"),
        pytest.param({"X-Amz-Firehose-Access-Key": TOKEN, "Content-Encoding": "gzip"}, 9, 400, "no gzip", id="no gzip"),
    ],
)
async def test_firehose_is_told_in_its_own_form_why_not(tmp_path, headers, room, status, text):
    async with Served(tmp_path, room) as served:
        got, body, _ = await served.send(firehose(cloudwatch(audit(1))), FIREHOSE | headers)
    answer = json.loads(body)

    assert (got, answer["requestId"]) == (status, "r-7")
    assert text in answer["errorMessage"]
    assert served.taken == []


async def test_gke_through_pubsub_push_is_read_and_acknowledged(tmp_path):
    async with Served(tmp_path) as served:
        status, _, _ = await served.send(pubsub(gke(1)), query=f"?token={TOKEN}")
        refused, _, _ = await served.send(pubsub(gke(2)), query="?token=wrong")
    [found] = served.records()[0]

    assert (status, refused) == (200, 401)
    assert (found.audit_id, found.verb, found.object_ref.resource) == ("id-1", "get", "secrets")
    assert found.user.username == "system:serviceaccount:web:front"
    assert found.source_ips == ["10.4.7.19"]


async def test_pubsub_is_not_acknowledged_without_room(tmp_path):
    async with Served(tmp_path, room=0) as served:
        status, _, headers = await served.send(pubsub(gke(1)), query=f"?token={TOKEN}")

    assert (status, headers["Retry-After"]) == (429, "5")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(aks(audit(1), audit(2)), id="one Event Hub message"),
        pytest.param([aks(audit(1)), aks(audit(2))], id="a batch of messages"),
        pytest.param([json.dumps(aks(audit(1))), json.dumps(aks(audit(2)))], id="a batch of messages as text"),
        pytest.param([{"id": "1", "eventType": "x", "data": aks(audit(1), audit(2))}], id="wrapped by Event Grid"),
    ],
)
async def test_aks_through_an_event_hub_is_read(tmp_path, body):
    async with Served(tmp_path) as served:
        status, _, _ = await served.send(body, {"Authorization": f"Bearer {TOKEN}"})

    assert status == 200
    assert [one.audit_id for one in served.records()[0]] == ["id-1", "id-2"]


HANDSHAKE = [
    {
        "id": "2d1781af",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6", "validationUrl": "https://example.com/validate"},
    }
]


async def test_event_grid_may_send_after_its_handshake_with_a_token(tmp_path):
    headers = {"aeg-event-type": "SubscriptionValidation"}
    async with Served(tmp_path) as served:
        status, text, _ = await served.send(HANDSHAKE, headers, query=f"?token={TOKEN}")
        refused, told, _ = await served.send(HANDSHAKE, headers)

    assert (status, json.loads(text)) == (200, {"validationResponse": "512d38b6"})
    assert refused == 401
    assert "512d38b6" not in told
    assert served.taken == []


@pytest.mark.parametrize("body", [[], [{}], {"data": 7}, [{"data": {"validationCode": ""}}]], ids=str)
async def test_handshake_that_is_none_is_taken_for_a_batch(tmp_path, body):
    headers = {"aeg-event-type": "SubscriptionValidation", "Authorization": f"Bearer {TOKEN}"}
    async with Served(tmp_path) as served:
        status, text, _ = await served.send(body, headers)

    assert status in (200, 400)
    assert "validationResponse" not in text


async def test_cloudevents_sender_may_send_after_its_handshake_with_a_token(tmp_path):
    origin = {"WebHook-Request-Origin": "eventgrid.azure.net"}
    async with Served(tmp_path) as served:
        status, _, headers = await served.send(b"", origin, query=f"?token={TOKEN}", method="OPTIONS")
        refused, _, refusal = await served.send(b"", origin, method="OPTIONS")
        unnamed, _, _ = await served.send(b"", query=f"?token={TOKEN}", method="OPTIONS")

    assert (status, headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")
    assert (refused, "WebHook-Allowed-Origin" in refusal) == (401, False)
    assert unnamed == 400
