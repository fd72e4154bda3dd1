"""A glance tells the names that decoding tells, and the records it picks are those that decoding gives."""

import json
import pathlib

import pytest

from riverwatch.sources import base, decode, glance

DATA = pathlib.Path(__file__).parents[2] / "data" / "audit"
LINES = (DATA / "lines.jsonl").read_bytes()
V1 = "audit.k8s.io/v1"


def listed(*items: object, **fields: object) -> bytes:
    return json.dumps({"kind": "EventList", "apiVersion": V1, "items": items} | fields).encode()


def record(name: str | None, **fields: object) -> dict[str, object]:
    user = {} if name is None else {"user": {"groups": ["a"], "username": name}}
    return {"auditID": f"of {name}", "stage": "ResponseComplete", "verb": "get"} | user | fields


def decoder() -> decode.RecordDecoder:
    return decode.RecordDecoder(tally=base.Tally())


@pytest.mark.parametrize("body", [LINES, (DATA / "event-list.json").read_bytes()], ids=["lines", "list"])
def test_names_and_records_are_those_of_decoding(body):
    seen = glance.look(body)
    records = decoder().body(body, where="x")
    again = decoder()
    chosen = glance.chosen(seen, range(len(seen.names)), body, decoder=again, where="x")

    assert chosen == records
    assert set(seen.names) >= {one.user.username for one in records}
    assert again.tally.read == len(seen.names)


def test_only_the_chosen_are_decoded():
    body = listed(record("ana"), record("eve"), record(None), record("bob"))
    seen = glance.look(body)
    one = decoder()
    chosen = glance.chosen(seen, [0, 3], body, decoder=one, where="x")

    assert seen.names == ["ana", "eve", "", "bob"]
    assert [record.audit_id for record in chosen] == ["of ana", "of bob"]
    assert one.tally.read == 2


def test_of_a_name_given_twice_the_last_counts_as_in_decoding():
    body = listed(record("ana")).replace(b'"username": "ana"', b'"username": "ana", "username": "eve"')

    assert glance.look(body).names == ["eve"]
    assert [one.user.username for one in decoder().body(body, where="x")] == ["eve"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half a value"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b'{"items":' * 100_000, id="nested too deep"),
        pytest.param(b'{"message": "{}"}', id="a wrapper"),
        pytest.param(listed(record("ana"), apiVersion="audit.k8s.io/v2"), id="another version"),
        pytest.param(listed(record("ana")) * 2, id="two lists"),
        pytest.param(listed(record("ana"), "text"), id="text among records"),
        pytest.param(listed(record("ana"), {"user": {"username": 1}}), id="a name that is a number"),
        pytest.param(
            json.dumps(record("ana", kind="Event", apiVersion=V1)).encode() + b"\n[]", id="a list among lines"
        ),
    ],
)
def test_what_must_be_decoded_to_know_is_told(body):
    seen = glance.look(body)
    assert seen is None or seen.names == []


def test_a_record_with_items_of_its_own_stays_one():
    body = json.dumps(record("ana", kind="Event", apiVersion=V1, items=[record("eve"), record("bob")])).encode()
    seen = glance.look(body)

    assert seen == glance.Glance(["ana"], listed=False)
    assert [one.audit_id for one in glance.chosen(seen, [0], body, decoder=decoder(), where="x")] == ["of ana"]
