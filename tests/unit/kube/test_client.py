"""The API client: paths, typed errors, tokens, pages; against an API server in memory."""

from __future__ import annotations

import pytest

from riverwatch import errors
from riverwatch.kube import client as kube_client
from riverwatch.kube import connection, resources


def threat(name: str, namespace: str = "web", **spec) -> dict:
    return {
        "apiVersion": resources.THREAT_DETECTIONS.api_version,
        "kind": "ThreatDetection",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def test_apply_creates_then_updates_as_our_field_manager(api_client, memory_api):
    first = api_client.apply(resources.THREAT_DETECTIONS, threat("a", title="one"))
    second = api_client.apply(resources.THREAT_DETECTIONS, threat("a", title="two"))

    assert first["metadata"]["uid"] == second["metadata"]["uid"]
    assert memory_api.headers[-1]["Content-Type"] == "application/apply-patch+yaml"
    assert memory_api.headers[-1]["User-Agent"].startswith("riverwatch/")


def test_list_reads_all_pages_and_fills_in_the_kind(api_client, memory_api):
    for number in range(1_203):
        memory_api.objects[f"/api/v1/namespaces/web/pods/p-{number}"] = {"metadata": {"name": f"p-{number}"}}

    found = list(api_client.list(resources.PODS, namespace="web"))

    assert len({one["metadata"]["name"] for one in found}) == 1_203
    assert found[0]["kind"] == "Pod"
    assert len(memory_api.requests) == 3


def test_create_says_when_it_is_there_already(api_client):
    body = {"metadata": {"name": "e", "namespace": "web"}}

    assert api_client.create(resources.K8S_EVENTS, body) is True
    assert api_client.create(resources.K8S_EVENTS, body) is False


def test_delete_says_when_it_is_gone_already(api_client):
    api_client.apply(resources.THREAT_DETECTIONS, threat("a"))

    assert api_client.delete(resources.THREAT_DETECTIONS, name="a", namespace="web") is True
    assert api_client.delete(resources.THREAT_DETECTIONS, name="a", namespace="web") is False


def test_whoami_returns_the_identity(api_client, memory_api):
    assert api_client.whoami() == memory_api.user


@pytest.mark.parametrize("status", sorted(kube_client.TEMPORARY_CODES))
def test_answer_worth_another_attempt_is_temporary(api_client, memory_api, status):
    memory_api.fail(status, "Reason", "try later", headers={"Retry-After": "7"})

    with pytest.raises(errors.ApiTemporaryError, match="try later") as failed:
        api_client.get(resources.PODS, name="a", namespace="web")
    assert failed.value.retry_after_s == 7.0


@pytest.mark.parametrize("status", [400, 403, 404, 405, 422])
def test_refusal_is_permanent(api_client, memory_api, status):
    memory_api.fail(status, "Forbidden", "no")

    with pytest.raises(errors.ApiPermanentError) as failed:
        api_client.get(resources.PODS, name="a", namespace="web")
    assert failed.value.status == status


def test_server_that_is_away_is_temporary_and_back_again(api_client, served_api):
    served_api.down()
    with pytest.raises(errors.ApiTemporaryError, match="away"):
        api_client.whoami()
    served_api.up()

    assert api_client.whoami()["username"]


def test_error_never_holds_the_token(api_client, served_api):
    served_api.down()
    with pytest.raises(errors.ApiTemporaryError) as failed:
        api_client.whoami()

    assert "secret-token" not in str(failed.value)
    assert "secret-token" not in repr(served_api.connection)


def test_changed_token_file_is_read_again_after_a_refusal(served_api, memory_api, tmp_path):
    path = tmp_path / "token"
    path.write_text("first\n")
    client = kube_client.Client(connection.Connection(server=served_api.connection.server, token_file=path))
    client.whoami()
    path.write_text("second\n")
    memory_api.fail(401, "Unauthorized")
    with pytest.raises(errors.ApiTemporaryError):
        client.whoami()
    client.whoami()

    assert [headers["Authorization"] for headers in memory_api.headers] == ["Bearer first"] * 2 + ["Bearer second"]
    client.close()


def test_answer_that_is_no_json_is_temporary(api_client, monkeypatch):
    class Odd:
        status, data = 200, b"<html>"

    monkeypatch.setattr(api_client._pool, "request", lambda *_, **__: Odd())
    with pytest.raises(errors.ApiTemporaryError, match="no JSON"):
        api_client.whoami()


@pytest.mark.parametrize(
    ("resource", "options", "path"),
    [
        pytest.param(resources.PODS, {"namespace": "a", "name": "b"}, "/api/v1/namespaces/a/pods/b", id="core"),
        pytest.param(resources.PODS, {}, "/api/v1/pods", id="all namespaces"),
        pytest.param(resources.RULES, {"name": "x"}, "/apis/riverwatch.dev/v1alpha1/detectionrules/x", id="cluster"),
        pytest.param(resources.NODES, {"name": "../../secrets"}, "/api/v1/nodes/..%2F..%2Fsecrets", id="hostile name"),
    ],
)
def test_path(resource, options, path):
    assert resource.path(**options) == path
