"""Reading pods, deployments and services for attacks."""

import pytest

from riverwatch import errors
from riverwatch.lab.attacks import mounts, review, workloads


def pod(**spec) -> dict:
    return {"metadata": {"namespace": "web"}, "spec": spec}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param(pod(volumes=[{"configMap": {"name": "c"}}]), [("configmaps", "web", "c")], id="config map volume"),
        pytest.param(
            pod(volumes=[{"projected": {"sources": [{"secret": {"name": "s"}}, {"serviceAccountToken": {}}]}}]),
            [("secrets", "web", "s")],
            id="projected volume",
        ),
        pytest.param(
            pod(containers=[{"envFrom": [{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "c"}}]}]),
            [("secrets", "web", "s"), ("configmaps", "web", "c")],
            id="variables from whole objects",
        ),
        pytest.param(
            pod(initContainers=[{"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}, {"name": "B"}]}]),
            [("secrets", "web", "s")],
            id="one variable of an init container",
        ),
        pytest.param(pod(volumes=[{"emptyDir": {}}], containers=[{}]), [], id="nothing"),
        pytest.param(None, [], id="no pod"),
    ],
)
def test_finds_what_a_pod_refers_to(body, found):
    assert list(mounts.of(body)) == found


def test_refuses_a_deployment_without_a_container():
    with pytest.raises(errors.BadInputError, match="without a container"):
        workloads.first_image({"spec": {"template": {"spec": {"containers": []}}}})


@pytest.mark.parametrize(
    ("method", "target", "asked"),
    [
        pytest.param("GET", "/api/v1/pods", ("", "", "pods", "", "", "list"), id="list everywhere"),
        pytest.param("GET", "/api/v1/secrets?watch=true", ("", "", "secrets", "", "", "watch"), id="watch"),
        pytest.param(
            "GET", "/api/v1/namespaces/web/pods/a/log", ("", "web", "pods", "a", "log", "get"), id="subresource"
        ),
        pytest.param(
            "PATCH",
            "/apis/apps/v1/namespaces/web/deployments/a",
            ("apps", "web", "deployments", "a", "", "patch"),
            id="named group",
        ),
        pytest.param(
            "DELETE",
            "/api/v1/namespaces/web/events",
            ("", "web", "events", "", "", "deletecollection"),
            id="collection",
        ),
    ],
)
def test_asks_for_the_right_that_a_request_needs(method, target, asked):
    attributes = review.question("dana", method, target)["spec"]["resourceAttributes"]
    names = ("group", "namespace", "resource", "name", "subresource", "verb")
    assert tuple(attributes[name] for name in names) == asked


def test_refuses_a_path_that_is_no_resource():
    with pytest.raises(ValueError, match="no path of a resource"):
        review.question("dana", "GET", "/version")
