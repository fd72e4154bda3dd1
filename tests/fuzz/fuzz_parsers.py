"""Every parser of bytes that others choose, each with inputs to begin with and what must hold for any input.

A check returns when the parser did as it promises: it took the input, or refused it with its own error. Anything else
that it raises is a finding. `test_fuzz.py` runs all of them for a moment, `run.py` for as long as you like.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from riverwatch import errors, testing
from riverwatch.activity import sample
from riverwatch.api import documents, yaml_text
from riverwatch.control import rules as control_rules
from riverwatch.rules import cases, engine, loading, sigma
from riverwatch.runtime import pipeline
from riverwatch.scoring import policy_compile
from riverwatch.sources import admission_review, base, compression, decode, glance, stream, webhook_body
from riverwatch.state import frames, snapshot, spool

ROOT = pathlib.Path(__file__).parents[2]
AUDIT = ROOT / "tests" / "data" / "audit"
LIMIT_BYTES = 64 * 1024
"""Largest record and largest body while fuzzing: small enough that inputs go beyond it."""

MAX_INPUT_BYTES = 1 << 20
"""Longest input that is tried."""


class Parser(NamedTuple):
    """One parser under test."""

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...]
    """What is inserted and repeated: the parser's own punctuation."""


def _files(folder: pathlib.Path, pattern: str, *, most: int = 60) -> list[bytes]:
    found = (path.read_bytes() for path in sorted(folder.rglob(pattern)))
    return [data for data in found if len(data) <= MAX_INPUT_BYTES][:most]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def check_delivery(data: bytes) -> None:
    tally = base.Tally()
    records = decode.RecordDecoder(tally=tally, record_max_bytes=LIMIT_BYTES).body(data, where="x")
    assert tally.used == len(records), "a record is not counted"
    seen = glance.look(data)
    if seen is not None:
        decoder = decode.RecordDecoder(tally=base.Tally(), record_max_bytes=LIMIT_BYTES)
        again = glance.chosen(seen, range(len(seen.names)), data, decoder=decoder, where="x")
        assert again == records, "one by one they are others than all at once"


def check_stream(data: bytes) -> None:
    """The first byte says in what pieces the rest arrives."""
    size, rest = 1 + 3 * (data[0] if data else 0), data[1:]
    tally = base.Tally()
    reader = stream.StreamDecoder(decode.RecordDecoder(tally=tally, record_max_bytes=LIMIT_BYTES), where="x")
    records = [one for at in range(0, len(rest), size) for one in reader.feed(rest[at : at + size])]
    records += reader.finish()
    assert tally.used == len(records), "a record is not counted"


@functools.cache
def _judge() -> pipeline.Pipeline:
    return pipeline.Pipeline(rules=engine.RuleEngine(loading.load_catalog()), learn_until_s=testing.START_S)


def check_pipeline(data: bytes) -> None:
    """Whatever a record says, judging it raises nothing and spoils nothing for the next."""
    tally = base.Tally()
    records = decode.RecordDecoder(tally=tally).body(data, where="x")
    found = _judge().process(records, tally=tally, where="x")
    for one in found:
        json.dumps(one.title)
    assert not _judge().rules.faults, _judge().rules.faults
    msgspec.msgpack.encode(_judge().snapshot())


def check_compression(data: bytes) -> None:
    try:
        for chunk in compression.plain_chunks(io.BytesIO(data)):
            assert chunk
    except errors.BadInputError:
        return


def check_webhook_body(data: bytes) -> None:
    assert isinstance(webhook_body.why_not_json(data), str)
    try:
        assert len(webhook_body.gunzip(data, LIMIT_BYTES)) <= LIMIT_BYTES
    except errors.BadInputError:
        return


def check_admission(data: bytes) -> None:
    try:
        converted = admission_review.convert(data, received="2026-01-05T08:00:00.000000Z")
    except errors.BadInputError:
        return
    assert json.loads(converted.answer)["response"]["allowed"] is True
    tally = base.Tally()
    if converted.record:
        decode.RecordDecoder(tally=tally).body(converted.record, where="x")
        assert tally.read == 1, "the record of a review is not one record"


PROBE = tuple(
    sample.activity_of(sample.audit_record(verb=verb, resource=resource))
    for verb, resource in (("get", "secrets"), ("create", "pods"))
)


def check_rule(data: bytes) -> None:
    try:
        rules = sigma.compile_text(_text(data), origin="x.yml", default_id="x")
    except errors.BadRuleError:
        return
    judge = engine.RuleEngine(rules)
    for activity in PROBE:
        judge.match(activity)
    assert not judge.faults, judge.faults


def check_cases(data: bytes) -> None:
    try:
        cases.parse(_text(data), origin="x")
    except errors.BadRuleError:
        return


def check_rule_object(data: bytes) -> None:
    """A DetectionRule as the API server hands it over: any object with a name."""
    try:
        found = yaml_text.read(_text(data), where="x")
    except errors.BadInputError:
        return
    for body in found:
        if isinstance(body, dict):
            one = {**body, "metadata": {"name": "x", "generation": 1}}
            assert control_rules.examine(one).message


def check_policy(data: bytes) -> None:
    try:
        for document in documents.read_text(_text(data), source="x"):
            if isinstance(document.body, dict):
                policy_compile.compile_body(document.body)
    except errors.BadInputError:
        return


def check_segment(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        frames.path(folder, 1).write_bytes(data)
        one = spool.Spool(folder)
        try:
            found = [payload for _, payload in one.read_from()]
            place = one.append(b"next")
            assert place is not None, one.trouble
            assert [payload for _, payload in one.read_from()] == [*found, b"next"]
        finally:
            one.close()


def check_checkpoint(data: bytes) -> None:
    """As it is, and with a checksum that holds, as somebody who may write to the store would make it."""
    for whole in (data, data[:-32] + hashlib.sha256(data[:-32]).digest()):
        try:
            content = snapshot.decode(whole).content
            plain = snapshot.unpack(content)
        except errors.StateError:
            continue
        _restore(plain)


def check_state(data: bytes) -> None:
    try:
        plain = snapshot.unpack(data)
    except errors.StateError:
        return
    _restore(plain)


def _restore(plain: dict[str, object]) -> None:
    through = _empty()
    before = snapshot.pack(through.snapshot())
    try:
        through.restore(plain)
    except errors.StateError:
        assert snapshot.pack(through.snapshot()) == before, "what was refused was taken over in part"
    else:
        _empty.cache_clear()


@functools.cache
def _empty() -> pipeline.Pipeline:
    return pipeline.Pipeline(rules=engine.RuleEngine(()))


@functools.cache
def _small_state() -> bytes:
    through = pipeline.Pipeline(rules=engine.RuleEngine(loading.load_catalog()), learn_until_s=testing.START_S + 30)
    records = [
        testing.audit_record(time_s=testing.START_S + number, name=f"settings-{number % 3}", audit_id=f"a-{number}")
        for number in range(60)
    ]
    records.append(
        testing.audit_record(
            time_s=testing.START_S + 90, verb="list", resource="secrets", source_ip="203.0.113.9", user_agent="curl/8"
        )
    )
    through.process(records, tally=base.Tally())
    return snapshot.pack(through.snapshot())


def _segment() -> list[bytes]:
    payloads = (b"", b"{}", b"x" * 300)
    body = b"".join(frames.frame_head((one,)) + one for one in payloads)
    return [frames.segment_head(1) + body, frames.segment_head(1), frames.segment_head(2) + body]


def _reviews() -> list[bytes]:
    resource = {"group": "apps", "version": "v1", "resource": "deployments"}
    request = {
        "uid": "u-1", "operation": "UPDATE", "userInfo": {"username": "a", "groups": ["g"]}, "resource": resource,
        "subResource": "scale", "name": "web", "namespace": "shop", "object": {"metadata": {"name": "web"}},
    }  # fmt: skip
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    connect = {**request, "operation": "CONNECT", "object": {"command": ["sh", "-c", "id"], "stdin": True}}
    return [json.dumps(review).encode(), json.dumps({**review, "request": connect}).encode()]


def _rule_objects() -> list[bytes]:
    catalog = ROOT / "operator" / "riverwatch" / "rules" / "catalog"
    samples = _files(ROOT / "manifests" / "samples", "detectionrule.yaml")
    texts = [path.read_text() for path in sorted(catalog.rglob("*.yml"))[:12] if ".cases." not in path.name]
    made = [{"apiVersion": "riverwatch.dev/v1alpha1", "kind": "DetectionRule", "spec": {"sigma": one}} for one in texts]
    return samples + [json.dumps(one).encode() for one in made]


def _rules() -> list[bytes]:
    folder = ROOT / "operator" / "riverwatch" / "rules" / "catalog"
    return [path.read_bytes() for path in sorted(folder.rglob("*.yml")) if ".cases." not in path.name]


def _compressed() -> list[bytes]:
    return _files(AUDIT, "*.gz") + _files(AUDIT, "*.zst")


JSON_WORDS = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"\0", b"\xff", b"1e999", b"null", b"{}", b"-1", b"true",
    b'"\\ud800"', b"9" * 40, b'"auditID":"x",', b'"items":[', b'"kind":"EventList",', b'"verb":null,', b'"user":[],',
    b'"requestReceivedTimestamp":"0000-00-00T99:99:99.9Z",', b'"stageTimestamp":"9999-12-31T23:59:59.999999Z",',
    b'"requestURI":"/api/v1/?%ff&x=%00",', b'"sourceIPs":["::ffff:1.2.3.4","x",""],', b'"objectRef":null,',
    b'"requestObject":{"spec":{"containers":[null,{"image":1}]}},', b'"annotations":{"a":1},', b'"extra":{"a":[]},',
)  # fmt: skip
YAML_WORDS = (
    b": ", b"- ", b"\n", b"  ", b"[", b"]", b"{", b"}", b"&a ", b"*a", b"!!binary ", b"? ", b"|", b">", b"'", b'"',
    b"\t",
    b"null", b"[]", b"{}", b"---\n", b"1e999", b"2026-02-31", b"0x", b"\xc2\x85", b"\\", b"*", b"(", b"|re: '(a+)+$'",
    b"|contains|all", b"|cidr: 1.2.3.4/99", b" and not ", b"1 of them", b"correlation: ", b"timespan: 0s", b"custom: ",
    b"condition: ", b"|base64offset|contains", b"|expand: '%x%'", b"|fieldref: a", b"|exists: ", b"level: ",
    b"tags: 1\n",
)  # fmt: skip
BINARY_WORDS = (
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x80",
    b"\xc1",
    b"\x93",
    b"\xdf\xff\xff\xff\xff",
    b"\xdd" + b"\0" * 4,
    b"\xa0",
)

PARSERS = {
    "delivery": Parser(check_delivery, lambda: _files(AUDIT, "*.json*"), JSON_WORDS),
    "stream": Parser(check_stream, lambda: [b"\x05" + one for one in _files(AUDIT, "*.*")], JSON_WORDS),
    "pipeline": Parser(check_pipeline, lambda: _files(ROOT / "tests" / "scenarios", "*.jsonl") + _pods(), JSON_WORDS),
    "compression": Parser(check_compression, _compressed, BINARY_WORDS),
    "webhook-body": Parser(
        check_webhook_body, lambda: _files(AUDIT, "*.gz") + _files(AUDIT, "*.json", most=5), JSON_WORDS + BINARY_WORDS
    ),
    "admission": Parser(check_admission, _reviews, JSON_WORDS),
    "rule": Parser(check_rule, _rules, YAML_WORDS),
    "cases": Parser(check_cases, lambda: _files(ROOT / "operator", "*.cases.yml", most=20), YAML_WORDS),
    "rule-object": Parser(check_rule_object, _rule_objects, YAML_WORDS + JSON_WORDS),
    "policy": Parser(check_policy, lambda: _files(ROOT / "manifests" / "samples", "*.yaml"), YAML_WORDS),
    "segment": Parser(check_segment, _segment, BINARY_WORDS),
    "checkpoint": Parser(
        check_checkpoint,
        lambda: [snapshot.encode(snapshot.Snapshot(_small_state(), "x", resume={"spool": {"segment": 1}}))],
        BINARY_WORDS,
    ),
    "state": Parser(check_state, lambda: [_small_state()], BINARY_WORDS),
}
"""Name -> parser; the name is what ``make fuzz PARSER=...`` takes."""


def _pods() -> list[bytes]:
    return [path.read_bytes() for path in (AUDIT / "lines.jsonl", AUDIT / "pods.json", AUDIT / "event-list.json")]


def found(folder: pathlib.Path = pathlib.Path(__file__).parent / "found") -> Iterator[tuple[str, str, bytes]]:
    """Yield parser, name and bytes of every input that once was a finding."""
    for path in sorted(folder.glob("*/*.b64")):
        yield path.parent.name, path.stem, base64.b64decode(path.read_text())
