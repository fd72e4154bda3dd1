"""Where images come from: hosts, shared hubs, and what of a body is looked at."""

from __future__ import annotations

import json
import random
import re

import pytest

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.features import catalog, images, vector

TEMPLATE = {"spec": {"template": {"spec": {"containers": [{"image": "registry.example.com/shop/web:2"}]}}}}
TWO = {"spec": {"containers": [{"image": "quay.io/shop/web"}], "initContainers": [{"image": "busybox"}]}}
APPLIED = {"metadata": {"annotations": {"last-applied": json.dumps({"image": "evil.example.net/x"})}}} | TEMPLATE


def sources(body: object, **more: object) -> str:
    fields = {"verb": "create", "resource": "deployments", "api_group": "apps", "request_object": body} | more
    return images.sources_of(normalise.from_audit(testing.audit_record(**fields)))


@pytest.mark.parametrize(
    ("image", "source"),
    [
        pytest.param("nginx:1.27", "docker.io/library", id="official image"),
        pytest.param("bitnami/redis", "docker.io/bitnami", id="organisation on the default hub"),
        pytest.param("docker.io/bitnami/redis", "docker.io/bitnami", id="the same, written out"),
        pytest.param("registry.example.com/a/b/c@sha256:00", "registry.example.com", id="own registry"),
        pytest.param("registry:5000/a", "registry:5000", id="host with port"),
        pytest.param("localhost/a", "localhost", id="this host"),
        pytest.param("eu.gcr.io/project/a", "eu.gcr.io/project", id="regional hub"),
        pytest.param("ghcr.io/team/a:1", "ghcr.io/team", id="shared hub"),
    ],
)
def test_source_is_the_registry_or_the_publisher(image, source):
    assert images.source_of(image.encode()) == source


@pytest.mark.parametrize(
    ("body", "more", "expected"),
    [
        pytest.param(TEMPLATE, {}, "registry.example.com", id="pod template"),
        pytest.param(TWO, {"resource": "pods", "api_group": ""}, "docker.io/library+quay.io/shop", id="two places"),
        pytest.param(APPLIED, {}, "registry.example.com", id="text in an annotation is no image"),
        pytest.param(TEMPLATE, {"resource": "configmaps"}, "", id="no workload"),
        pytest.param(TEMPLATE, {"verb": "get"}, "", id="nothing written"),
        pytest.param(TEMPLATE, {"subresource": "status"}, "", id="status"),
        pytest.param({"spec": {"replicas": 2}}, {}, "", id="no image"),
        pytest.param(
            TEMPLATE,
            {"user": "system:serviceaccount:kube-system:replicaset-controller", "resource": "pods"},
            "",
            id="a controller carries out what others decided",
        ),
    ],
)
def test_images_are_told_of_written_workloads(body, more, expected):
    assert sources(body, **more) == expected


def test_an_image_from_elsewhere_is_no_known_combination():
    one, other = (
        testing.audit_record(
            verb="patch",
            resource="deployments",
            request_object={"spec": {"template": {"spec": {"containers": [{"image": image}]}}}},
        )
        for image in ("registry.example.com/shop/web:2", "docker.io/miner/miner")
    )
    place = catalog.INDEX["image"]
    values = [vector.measure(normalise.from_audit(each)).values[place] for each in (one, other)]
    assert values == ["registry.example.com", "docker.io/miner"]
    assert vector.context_key(one) != vector.context_key(other)


IN_ONE = re.compile(rb'(?<!\\)"image"\s*:\s*"([^"\\]{1,512})"')
"""The same as one expression, which scans a body byte by byte."""

PIECES = [b'"image"', b"\\", b'"', b":", b" ", b"\n", b"image", b"a", b"x/y", b'"image":"q"']


def test_a_body_is_read_as_one_expression_would():
    rng = random.Random(5)
    for _ in range(5_000):
        body = b"".join(rng.choices(PIECES, k=rng.randrange(12)))
        assert list(images._images(body)) == IN_ONE.findall(body)
