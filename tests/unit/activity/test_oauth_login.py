"""OpenShift's OAuth server says who logged in; whoever was turned away is nobody."""

from __future__ import annotations

import msgspec
import pytest

from riverwatch import testing
from riverwatch.activity import identities, normalise, record
from riverwatch.features import vector

DECISION, USERNAME = "authentication.openshift.io/decision", "authentication.openshift.io/username"


def login(annotations: dict[str, object] | None, *, user: str = identities.ANONYMOUS) -> record.AuditRecord:
    found = testing.audit_record(user=user, verb="post", code=302, source_ip="203.0.113.9")
    raw = record.ABSENT if annotations is None else msgspec.Raw(msgspec.json.encode(annotations))
    return msgspec.structs.replace(found, object_ref=None, request_uri="/login/htpasswd", annotations=raw)


@pytest.mark.parametrize(
    ("annotations", "name"),
    [
        pytest.param({DECISION: "allow", USERNAME: "kube:admin"}, "kube:admin", id="let in"),
        pytest.param({DECISION: "deny", USERNAME: "kube:admin"}, identities.ANONYMOUS, id="turned away"),
        pytest.param({DECISION: "error", USERNAME: "ana"}, identities.ANONYMOUS, id="an error"),
        pytest.param({DECISION: "allow", USERNAME: 7}, identities.ANONYMOUS, id="no name"),
        pytest.param({DECISION: "allow"}, identities.ANONYMOUS, id="not told"),
        pytest.param(None, identities.ANONYMOUS, id="nothing told"),
    ],
)
def test_who_acts_in_a_log_in(annotations, name):
    activity = normalise.from_audit(login(annotations))
    assert activity.principal.username == name
    assert activity.record.user is not None
    assert activity.record.user.username == name


def test_nobody_else_is_renamed_by_annotations():
    activity = normalise.from_audit(login({DECISION: "allow", USERNAME: "kube:admin"}, user="ana"))
    assert activity.principal.username == "ana"


def test_log_ins_of_two_users_are_two_combinations():
    first, second = (login({DECISION: "allow", USERNAME: name}) for name in ("ana", "kube:admin"))
    assert vector.context_key(first) != vector.context_key(second)
    assert vector.context_key(first) == vector.context_key(login({DECISION: "allow", USERNAME: "ana"}))
