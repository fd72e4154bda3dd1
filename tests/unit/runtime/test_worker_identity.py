"""Own requests: by identity and by what the operator is known to do, never by name alone."""

from __future__ import annotations

import pytest

from riverwatch.activity import sample
from riverwatch.runtime import worker_identity

NAME = "system:serviceaccount:riverwatch-system:riverwatch"
POD = "authentication.kubernetes.io/pod-uid"
CREDENTIAL = "authentication.kubernetes.io/credential-id"
OPERATIONS = frozenset({("", "pods", "watch"), ("riverwatch.dev", "threatdetections/status", "patch")})

REVIEW = {"username": NAME, "uid": "u-1", "extra": {POD: ["p-1"], CREDENTIAL: ["JTI=abc"]}}


def made(**changes):
    fields = {
        "user": {"username": NAME, "uid": "u-1", "extra": {POD: ["p-1"], CREDENTIAL: ["JTI=xyz"]}},
        "verb": "watch",
        "objectRef": {"resource": "pods", "apiVersion": "v1"},
        "requestURI": "/api/v1/pods?watch=true",
    } | changes
    own = worker_identity.from_review(REVIEW, OPERATIONS)
    return own.made(sample.decode(fields))


def user(**changes):
    return {"username": NAME, "uid": "u-1", "extra": {POD: ["p-1"]}} | changes


STATUS = {
    "apiGroup": "riverwatch.dev",
    "resource": "threatdetections",
    "subresource": "status",
    "namespace": "web",
    "name": "rw-1",
}


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        pytest.param({}, True, id="its watch, with a renewed token"),
        pytest.param({"verb": "patch", "objectRef": STATUS}, True, id="its status"),
        pytest.param({"verb": "get", "objectRef": None, "requestURI": "/apis?timeout=30s"}, True, id="discovery"),
        pytest.param({"verb": "list", "objectRef": {"resource": "secrets"}}, False, id="something it never does"),
        pytest.param({"verb": "delete"}, False, id="another verb"),
        pytest.param({"verb": "get", "objectRef": None, "requestURI": "/metrics"}, False, id="another path"),
        pytest.param({"user": user(username="system:serviceaccount:web:front")}, False, id="another account"),
        pytest.param({"user": user(uid="u-2")}, False, id="account made anew under the same name"),
        pytest.param({"user": user(extra={POD: ["p-2"]})}, False, id="token of another pod"),
        pytest.param({"user": user(extra=None)}, False, id="token bound to no pod"),
        pytest.param({"impersonatedUser": {"username": "root"}}, False, id="impersonating somebody"),
        pytest.param({"user": None}, False, id="nobody"),
    ],
)
def test_request_is_own(changes, own):
    assert made(**changes) is own


def test_certificate_counts_only_as_the_same_certificate():
    review = {"username": "operator", "extra": {CREDENTIAL: ["X509SHA256=aa"]}}
    own = worker_identity.from_review(review, OPERATIONS)

    def with_credential(credential: str) -> bool:
        extra = {CREDENTIAL: [credential]}
        fields = {"user": {"username": "operator", "extra": extra}, "verb": "watch", "objectRef": {"resource": "pods"}}
        return own.made(sample.decode(fields))

    assert (with_credential("X509SHA256=aa"), with_credential("X509SHA256=bb")) == (True, False)


def test_review_without_a_name_excludes_nobody():
    assert worker_identity.from_review({}, OPERATIONS) is None
