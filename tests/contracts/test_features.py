"""What every attribute promises; runs over the catalogue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.features import attributes, catalog, vector

LONGEST = 5 * attributes.MAX_VALUE_CHARS
"""An attribute joins at most a handful of cut texts."""


@pytest.mark.parametrize("card", catalog.ATTRIBUTES, ids=lambda card: card.name)
def test_card_is_complete(card):
    assert card.why.endswith(".")
    assert card.wording
    assert card.audit_fields


def test_names_are_unique():
    assert len(set(catalog.NAMES)) == len(catalog.NAMES)


texts = st.text(max_size=600)


@given(user=texts, verb=texts.filter(bool), resource=texts, namespace=texts, name=texts, ip=texts, agent=texts)
def test_vector_has_a_bounded_text_for_every_attribute(*, user, verb, resource, namespace, name, ip, agent):
    activity = normalise.from_audit(
        testing.audit_record(
            user=user or "x",
            verb=verb,
            resource=resource,
            namespace=namespace,
            name=name,
            source_ip=ip,
            user_agent=agent,
        )
    )
    values = vector.measure(activity).values
    assert len(values) == len(catalog.NAMES)
    assert all(isinstance(value, str) and len(value) <= LONGEST for value in values)


CHANGES = {
    "action": {"verb": "delete"},
    "outcome": {"code": 403},
    "namespace": {"namespace": "billing"},
    "scope": {"namespace": "billing"},
    "object": {"name": "other"},
    "network": {"source_ip": "198.51.100.7"},
    "agent": {"user_agent": "curl/8"},
    "image": {"verb": "create", "resource": "pods", "request_object": {"spec": {"containers": [{"image": "a/b"}]}}},
    "hour": {"time_s": testing.START_S + 5 * 3600},
}


@pytest.mark.parametrize("name", CHANGES)
def test_attribute_follows_its_field(name):
    place = catalog.INDEX[name]
    usual = vector.measure(normalise.from_audit(testing.audit_record())).values[place]
    changed = vector.measure(normalise.from_audit(testing.audit_record(**CHANGES[name]))).values[place]
    assert changed != usual


@pytest.mark.parametrize("name", CHANGES.keys() - {"hour"})
def test_routine_key_changes_with_every_attribute(name):
    assert vector.context_key(testing.audit_record()) != vector.context_key(testing.audit_record(**CHANGES[name]))


def test_routine_key_stays_the_same_all_day():
    later = testing.audit_record(**CHANGES["hour"], audit_id="another")
    assert vector.context_key(testing.audit_record()) == vector.context_key(later)


few = st.sampled_from(("", "a", "web", "configmaps", "pods", "get", "patch", "exec"))


@given(
    fields=st.lists(st.tuples(few, few, few, few, few, few, st.sampled_from((200, 403, 404))), min_size=2, max_size=8)
)
def test_records_with_one_routine_key_are_measured_alike(fields):
    measured = {}
    for user, verb, resource, subresource, namespace, name, code in fields:
        one = testing.audit_record(
            user=user or "x",
            verb=verb or "get",
            resource=resource,
            subresource=subresource,
            namespace=namespace,
            name=name,
            code=code,
        )
        vectors = measured.setdefault(vector.context_key(one), [])
        vectors.append(vector.measure(normalise.from_audit(one)))
    assert all(len({(one.identity, one.values) for one in vectors}) == 1 for vectors in measured.values())


def test_exec_is_one_action_whatever_the_protocol():
    spdy, web_socket = (
        vector.measure(
            normalise.from_audit(testing.audit_record(verb=verb, resource="pods", subresource="exec", name="web-1"))
        ).values[catalog.INDEX["action"]]
        for verb in ("create", "get")
    )
    assert spdy == web_socket == "connect pods/exec"


def test_generated_names_are_one_object():
    names = {attributes.stable_name(name) for name in ("shop-token-x2k4p", "shop-token-b9d8f", "shop-token-zzz22")}
    assert names == {"shop-token-*"}
