"""Every wrapping in tests/data/audit gives the same records, whatever the file is called and however it arrives."""

import collections
import pathlib
import shutil

import msgspec
import pytest

from riverwatch import errors
from riverwatch.activity import normalise
from riverwatch.sources import audit_file, base, compression, decode, stream

DATA = pathlib.Path(__file__).parents[2] / "data" / "audit"

FOUR = ["1", "2", "3", "4"]
SKIPS = {
    "azure-diagnostic-records.json": {"not_audit": 1},
    "azure-log-analytics.csv": {"malformed_json": 1},
    "bad-item-in-list.json": {"wrong_shape": 1, "not_audit": 1},
    "bad-lines.jsonl": {"malformed_json": 3, "wrong_shape": 1, "unknown_api_version": 1, "not_audit": 2},
    "bad-truncated-list.json": {"malformed_json": 1},
    "bad-truncated.jsonl.gz": {"truncated": 1, "malformed_json": 1},
    "cloudwatch-concatenated.json": {"not_audit": 1},
    "google-log-entries.json": {"not_audit": 1},
    "lines-with-stage-received.jsonl": {"stage_received": 1},
}
IDS = {
    "one-pretty.json": ["1"],
    "bad-item-in-list.json": ["1", "3", "4"],
    "bad-truncated-list.json": ["1", "2"],
    "bad-truncated.jsonl.gz": (FOUR * 198)[:789],
}
NOTHING = {"pods.json": "looks like JSON", "v1alpha1-list.json": "audit.k8s.io/v1alpha1"}
GOOD = sorted(path.name for path in DATA.iterdir() if path.name not in NOTHING and path.suffix != ".md")


def read(path, **options):
    tally = base.Tally()
    records = [one for batch in audit_file.read_paths([path], tally=tally, **options) for one in batch.records]
    return records, tally


def ids(records):
    return [one.audit_id[-1] for one in records]


@pytest.mark.parametrize("name", GOOD)
def test_records_come_out_of_the_wrapping(name):
    records, tally = read(DATA / name)

    assert ids(records) == IDS.get(name, FOUR)
    assert {reason.value: count for reason, count in tally.skipped.items()} == SKIPS.get(name, {})
    assert tally.read == len(records) + tally.skipped_total


@pytest.mark.parametrize("name", GOOD)
def test_records_can_be_normalised_and_keep_their_facts(name):
    records, _ = read(DATA / name)

    for one in records:
        fact = normalise.from_audit(one)
        assert fact.verb
        assert fact.resource
        assert fact.source_ip
        assert fact.user_agent.startswith("kubectl/")
    first = normalise.from_audit(records[0])
    assert first.principal.name == "web"
    assert (first.verb, first.resource, first.namespace, first.name) == ("get", "secrets", "shop", "db-password")
    assert first.time_s == pytest.approx(1772442001.1)


@pytest.mark.parametrize("size", [1, 7, 64, 1000], ids=lambda size: f"{size} bytes at a time")
@pytest.mark.parametrize("name", GOOD)
def test_where_chunks_are_cut_does_not_matter(name, size):
    with (DATA / name).open("rb") as file:
        plain = b""
        try:
            for chunk in compression.plain_chunks(file):
                plain += chunk
        except compression.DamagedError:
            plain = plain[:3000]
    whole_tally, tally = base.Tally(), base.Tally()
    whole = decode.RecordDecoder(tally=whole_tally).body(plain, where="x", line=1)
    reader = stream.StreamDecoder(decode.RecordDecoder(tally=tally), where="x")

    records = [one for at in range(0, len(plain), size) for one in reader.feed(plain[at : at + size])]
    records += reader.finish()

    assert ids(records) == ids(whole)
    assert tally.skipped == whole_tally.skipped
    assert [skip.where for skip in tally.recent] == [skip.where for skip in whole_tally.recent]


@pytest.mark.parametrize("name", GOOD)
def test_name_of_the_file_does_not_matter(name, tmp_path):
    shutil.copy(DATA / name, tmp_path / "audit.txt")

    records, _ = read(tmp_path / "audit.txt")

    assert ids(records) == IDS.get(name, FOUR)


@pytest.mark.parametrize(("name", "says"), NOTHING.items(), ids=NOTHING)
def test_file_without_audit_record_is_an_error_that_says_what_it_is(name, says):
    with pytest.raises(errors.BadInputError, match=says) as caught:
        read(DATA / name)

    assert caught.value.where.endswith(name)


def test_bad_lines_are_reported_with_their_line():
    _, tally = read(DATA / "bad-lines.jsonl")

    lines = {skip.where.rsplit(":", 1)[1]: skip.reason.value for skip in tally.recent}
    assert lines == {
        "2": "malformed_json",
        "3": "malformed_json",
        "5": "wrong_shape",
        "6": "unknown_api_version",
        "7": "not_audit",
        "8": "not_audit",
        "9": "malformed_json",
    }


def test_bad_items_of_a_list_are_reported_with_their_index():
    _, tally = read(DATA / "bad-item-in-list.json")

    assert [skip.where.rsplit(":", 1)[1] for skip in tally.recent] == ["1[1]", "1[3]"]


def test_bodies_survive_the_wrapping():
    records, _ = read(DATA / "cloudwatch-query-results.json")

    body = msgspec.json.decode(records[2].request_object)
    assert body["rules"] == [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    assert body["metadata"]["annotations"]["note"] == 'braces } ] and "quotes"\nin text'


def test_google_entries_are_rebuilt_with_what_google_says():
    records, _ = read(DATA / "google-log-entries.jsonl")
    facts = [normalise.from_audit(one) for one in records]

    assert [(one.verb, one.api_group, one.resource_path, one.namespace, one.name, one.code) for one in facts] == [
        ("get", "", "secrets", "shop", "db-password", 200),
        ("create", "", "pods/exec", "shop", "web-6f9-abcde", 200),
        ("patch", "rbac.authorization.k8s.io", "clusterroles", "", "viewer", 403),
        ("update", "apps", "deployments", "shop", "web", 200),
    ]
    assert [one.stage for one in facts] == ["ResponseComplete", "ResponseStarted", *["ResponseComplete"] * 2]
    assert [one.level for one in facts] == ["Metadata", "Metadata", "RequestResponse", "Request"]
    assert facts[1].request_uri == "/api/v1/namespaces/shop/pods/web-6f9-abcde/exec"
    assert facts[2].request_uri == "/apis/rbac.authorization.k8s.io/v1/clusterroles/viewer"
    assert records[2].response_status.reason == "Forbidden"
    assert msgspec.json.decode(records[2].annotations)["authorization.k8s.io/decision"] == "forbid"


def test_every_file_has_been_thought_of():
    named = collections.Counter([*SKIPS, *IDS])

    assert set(named) <= set(GOOD)
    assert len(GOOD) >= 60
