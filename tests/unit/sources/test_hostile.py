"""Whatever bytes arrive, decoding does not raise, counts everything, and stays within its bounds."""

import base64
import gzip
import json
import pathlib
import tracemalloc

import hypothesis
import hypothesis.strategies as st
import pytest

from riverwatch.sources import base, decode, envelopes, patience, scan, stream

DATA = pathlib.Path(__file__).parents[2] / "data" / "audit"
SEEDS = [path.read_bytes() for path in sorted(DATA.glob("*.json*")) if path.suffix not in (".gz", ".zst")]
RECORD = SEEDS[0] and (DATA / "lines.jsonl").read_bytes().split(b"\n", 1)[0]

JUNK = st.sampled_from(
    [b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"\0", b"\xff", b"1e999", b"null", b"{}"]
)


def decoded(data, size=None, limit=decode.RECORD_MAX_BYTES):
    """Decode as a file and as a delivery; both must count everything."""
    tally = base.Tally()
    decoder = decode.RecordDecoder(tally=tally, record_max_bytes=limit)
    if size is None:
        records = decoder.body(data, where="x")
    else:
        reader = stream.StreamDecoder(decoder, where="x")
        records = [one for at in range(0, len(data), size) for one in reader.feed(data[at : at + size])]
        records += reader.finish()
    assert tally.used == len(records)
    return records, tally


@hypothesis.given(st.binary(max_size=400), st.sampled_from([None, 1, 13]))
@hypothesis.settings(max_examples=150, deadline=None)
def test_arbitrary_bytes_are_counted_and_never_raise(data, size):
    decoded(data, size)


@hypothesis.given(st.lists(JUNK | st.just(RECORD), max_size=40).map(b"".join), st.sampled_from([None, 5]))
@hypothesis.settings(max_examples=80, deadline=None)
def test_arbitrary_brackets_around_records_are_counted_and_never_raise(data, size):
    decoded(data, size)


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=80, deadline=None)
def test_damaged_good_input_is_counted_and_never_raises(data):
    seed = data.draw(st.sampled_from(SEEDS))
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 40)))
    decoded(
        seed[:start] + data.draw(JUNK | st.binary(max_size=5)) + seed[end:], data.draw(st.sampled_from([None, 997]))
    )


@hypothesis.given(st.recursive(st.none() | st.text() | st.floats() | st.integers(), lambda inner: (
    st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["kind", "apiVersion", "items", "user", "auditID", "message", "log", "records", "protoPayload", "data", "hits",
         "results", "status", "AuditId", "Verb", "User", "verb", "annotations", "responseStatus"]), inner, max_size=5)),
    max_leaves=30))  # fmt: skip
@hypothesis.settings(max_examples=60, deadline=None)
def test_arbitrary_json_under_known_keys_is_counted_and_never_raises(value):
    decoded(json.dumps(value).encode())


ODD = {
    "nested beyond reason": b'{"items":' + b"[" * 40_000 + b"]" * 40_000 + b"}",
    "nested beyond reason over lines": b"[\n" * 20_000 + b"]\n" * 20_000,
    "openers only": b'{"a":\n' * 20_000,
    "many empty objects in a row": b"{}" * 20_000,
    "a number out of range": RECORD.replace(b'"code":200', b'"code":1e999'),
    "an integer of a thousand digits": RECORD.replace(b'"code":200', b'"code":' + b"9" * 1000),
    "bytes that are no UTF-8": RECORD.replace(b"db-password", b"db-\xff"),
    "a NUL inside": RECORD.replace(b"db-password", b"db-\0"),
    "a lone surrogate": RECORD.replace(b"db-password", b"\\ud800"),
    "text of quotes": b'"' * 100_000,
    "a list of forty thousand numbers": b"[" + b"1," * 40_000 + b"1]",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_odd_input_is_counted_and_the_next_record_is_used(data):
    records, tally = decoded(data + b"\n" + RECORD + b"\n", size=4096)

    assert records
    assert records[-1].verb == "get"
    assert tally.skipped_total or len(records) == 2


def test_a_key_given_twice_counts_as_the_api_server_reads_it():
    records, _ = decoded(RECORD[:-1] + b',"verb":"delete"}')

    assert [one.verb for one in records] == ["delete"]


def test_wrapper_nested_in_itself_ends():
    data = json.loads(RECORD)
    for _ in range(50):
        data = {"message": json.dumps(data)} if len(json.dumps(data)) < 100_000 else {"event": data}

    records, tally = decoded(json.dumps(data).encode())

    assert records == []
    assert tally.skipped == {base.SkipReason.WRONG_SHAPE: 1}


def test_gzip_bomb_inside_base64_is_cut(monkeypatch):
    limit = envelopes.INFLATE_MAX_BYTES // 4
    monkeypatch.setattr(envelopes, "INFLATE_MAX_BYTES", limit)
    assert limit > decode.RECORD_MAX_BYTES
    bomb = base64.b64encode(gzip.compress(b"{" + b" " * (limit * 5 // 4), compresslevel=1)).decode()
    tracemalloc.start()

    _, tally = decoded(json.dumps({"data": bomb}).encode())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert tally.skipped_total == 1
    assert peak < 2.2 * limit


@pytest.mark.parametrize("shape", ["line", "item of a list", "item of a list on its own line", "wrapped"])
def test_record_over_the_limit_is_skipped_and_the_rest_used(shape):
    large = RECORD[:-1] + b',"requestObject":{"pad":"' + b"x" * 5000 + b'"}}'
    data = {
        "line": RECORD + b"\n" + large + b"\n" + RECORD + b"\n",
        "item of a list": b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":['
        + RECORD + b"," + large + b"," + RECORD + b"]}\n",
        "item of a list on its own line": b"[\n" + RECORD + b",\n" + large + b",\n" + RECORD + b"\n]\n",
        "wrapped": b"".join(json.dumps({"log": one.decode()}).encode() + b"\n" for one in (RECORD, large, RECORD)),
    }[shape]  # fmt: skip

    records, tally = decoded(data, limit=4000)

    assert len(records) == 2
    assert tally.skipped == {base.SkipReason.TOO_LARGE: 1}


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (b"x" * 100, b"", "too_large"),
        (b'{"pad":"', b'"}\n', "too_large"),
        (b'{"pad":"', b"", "truncated"),
    ],
    ids=["text that never ends", "an endless string in one record", "a string that never ends"],
)
def test_line_that_never_ends_does_not_eat_memory(start, end, reason, monkeypatch):
    """With all limits at a quarter: what is measured is the same, in a quarter of the time."""
    monkeypatch.setattr(stream, "COLLECT_MAX_BYTES", stream.COLLECT_MAX_BYTES // 4)
    tally = base.Tally()
    decoder = decode.RecordDecoder(tally=tally, record_max_bytes=decode.RECORD_MAX_BYTES // 4)
    reader = stream.StreamDecoder(decoder, where="x")
    chunk = b"y" * 250_000
    tracemalloc.start()

    records = reader.feed(RECORD + b"\n" + start)
    for _ in range(60):
        records += reader.feed(chunk)
    records += reader.feed(end + (b"\n" + RECORD + b"\n" if end or reason == "too_large" else b""))
    records += reader.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(records) == (1 if reason == "truncated" else 2)
    assert {one.value: count for one, count in tally.skipped.items()} == {reason: 1}
    assert peak < 3.5 * stream.COLLECT_MAX_BYTES


@pytest.mark.parametrize("head", [b"[", b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":['])
def test_list_larger_than_memory_should_hold_is_cut_into_its_items(head, monkeypatch):
    monkeypatch.setattr(stream, "COLLECT_MAX_BYTES", 1024 * 1024)
    count = 2_500
    data = head + b",".join([RECORD] * count) + (b"]" if head == b"[" else b"]}") + b"\n" + RECORD + b"\n"
    assert len(data) > stream.COLLECT_MAX_BYTES

    records, tally = decoded(data, size=128 * 1024)

    assert len(records) == count + 1
    assert tally.skipped == {}


def test_damage_in_a_large_pretty_list_costs_one_item():
    items = [json.dumps(json.loads(RECORD), indent=2)] * 200
    items[100] = items[100].replace('"get"', "get")

    records, tally = decoded(("[" + ",\n".join(items) + "]").encode(), size=4096)

    assert len(records) == 199
    assert tally.skipped == {base.SkipReason.MALFORMED_JSON: 1}


def test_line_cut_at_a_comma_costs_that_line_alone():
    data = RECORD + b"\n" + RECORD[: RECORD.index(b'"verb"')] + b"\n" + RECORD + b"\n" + RECORD + b"\n"

    records, tally = decoded(data, size=100)

    assert len(records) == 3
    assert [skip.where for skip in tally.recent] == ["x:2"]


@pytest.mark.parametrize(
    ("text", "end"),
    [(b'{"a": "}"} x', 10), (b'["\\"]", 1]', 10), (b'{"a": [1, 2', -1), (b'{"a": "', -1), (b"   [ ]", 6)],
    ids=["bracket in text", "escaped quote", "no end", "no end of text", "blank before"],
)
def test_end_of_a_value_is_found(text, end):
    assert scan.value_end(text) == end


USELESS = {
    "lines": (b"{}\n", b"", b""),
    "items of a list": (b"{},", b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[', b"{}]}"),
    "values in a row": (b"{}", b"", b""),
    "lines in a text": (rb"{}\n", b'{"message":"', b'"}'),
}


@pytest.mark.parametrize(("one", "head", "tail"), USELESS.values(), ids=USELESS)
def test_delivery_of_useless_values_is_given_up_and_all_of_it_counted(one, head, tail):
    tally = base.Tally()
    decoder = decode.RecordDecoder(tally=tally, limited=patience.Patience(refused=50))
    assert decoder.body(head + one * 10_000 + tail, where="x") == []
    assert tally.skipped[base.SkipReason.NOT_AUDIT] == 51
    assert tally.skipped[base.SkipReason.GIVEN_UP] > (0 if one == b"{}" else 9_900)
    assert len(decoder.body(RECORD, where="next")) == 1


def test_records_between_many_useless_lines_are_all_used():
    tally = base.Tally()
    decoder = decode.RecordDecoder(tally=tally, limited=patience.Patience(refused=50))
    found = decoder.body((b"{}\n" * 10 + RECORD + b"\n") * 100, where="x")
    assert len(found) == 100
    assert base.SkipReason.GIVEN_UP not in tally.skipped


def test_a_file_is_read_to_its_end_however_useless():
    tally = base.Tally()
    decoder = decode.RecordDecoder(tally=tally)
    data = b"{}\n" * (patience.REFUSED + 10) + RECORD + b"\n"
    assert len(stream.StreamDecoder(decoder, where="x").feed(data)) == 1


@pytest.mark.parametrize("depth", [scan.MAX_OPEN * 2, scan.MAX_DEPTH * 3])
def test_item_nested_too_deep_costs_what_is_not_before_it(depth):
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    head = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":['
    found, tally = decoded(head + RECORD + b"," + deep + b"," + RECORD + b"]}")
    assert len(found) == (2 if depth < scan.MAX_DEPTH else 1)
    assert tally.skipped_total == 1


@pytest.mark.timeout(20)
@pytest.mark.parametrize("one", [b"[", b'{"a":', b'{"kind":"EventList","items":['])
def test_brackets_without_end_cost_a_look(one):
    data = one * (20_000_000 // len(one))
    for size in (None, 1_000_000):
        found, tally = decoded(data, size)
        assert found == []
        assert tally.skipped_total
