"""Bytes of a checkpoint: what goes in comes out, and every kind of damage is named."""

import hashlib
import struct

import msgspec
import pytest
import zstandard

from riverwatch import errors
from riverwatch.state import snapshot

CONTENT = snapshot.pack({"models": {"web": [1.5, 2, "get pods"] * 200}, "open": [], "nothing": None})
ONE = snapshot.Snapshot(
    CONTENT, "novelty-9", record_s=1_768_464_000.25, resume={"spool": {"segment": 3, "offset": 1_024}}
)


def damaged(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :]


def test_gives_back_what_was_stored() -> None:
    assert snapshot.decode(snapshot.encode(ONE)) == ONE


def test_floats_and_orders_survive_exactly() -> None:
    plain = {"z": 0.1 + 0.2, "a": [float("inf"), -0.0, 1e-308], "m": {"9": 1, "1": 2}}
    back = snapshot.unpack(snapshot.decode(snapshot.encode(snapshot.Snapshot(snapshot.pack(plain), "m"))).content)
    assert repr(back) == repr(plain)


def test_same_content_gives_same_bytes() -> None:
    assert snapshot.encode(ONE) == snapshot.encode(ONE)


ENCODED = snapshot.encode(ONE)
NEWER = ENCODED[:8] + struct.pack(">H", snapshot.FORMAT_VERSION + 1) + ENCODED[10:]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"PK\x03\x04 something else entirely", "no checkpoint", id="another kind of file"),
        pytest.param(b"", "truncated", id="empty file"),
        pytest.param(ENCODED[:5], "truncated", id="cut in the magic"),
        pytest.param(ENCODED[:20], "truncated", id="cut in the header"),
        pytest.param(ENCODED[:-40], "truncated", id="cut in the body"),
        pytest.param(ENCODED[:-1], "truncated", id="last byte missing"),
        pytest.param(ENCODED + b"\0", "checksum", id="one byte more"),
        pytest.param(NEWER, "newer program wrote it: format 2", id="newer format"),
        pytest.param(damaged(ENCODED, len(ENCODED) // 2), "checksum", id="one bit in the body"),
        pytest.param(damaged(ENCODED, 20), "checksum", id="one bit in the header"),
        pytest.param(damaged(ENCODED, len(ENCODED) - 3), "checksum", id="one bit in the checksum"),
    ],
)
def test_names_what_is_wrong(data: bytes, text: str) -> None:
    with pytest.raises(errors.StateError, match=text):
        snapshot.decode(data)


def test_every_single_bit_flip_is_noticed() -> None:
    for place in range(len(ENCODED)):
        with pytest.raises(errors.StateError):
            snapshot.decode(damaged(ENCODED, place))


def test_every_truncation_is_noticed() -> None:
    for length in range(len(ENCODED)):
        with pytest.raises(errors.StateError):
            snapshot.decode(ENCODED[:length])


def test_refuses_content_that_claims_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_CONTENT_BYTES", len(CONTENT) - 1)
    with pytest.raises(errors.StateError, match="more than"):
        snapshot.decode(ENCODED)


def test_reads_a_header_of_the_first_version_without_later_fields() -> None:
    header = msgspec.msgpack.encode(
        {
            "model_version": "m",
            "content_bytes": len(CONTENT),
            "body_bytes": len(zstandard.compress(CONTENT)),
            "later_field": 1,
        }
    )
    data = struct.pack(">8sHI", snapshot.MAGIC, 1, len(header)) + header + zstandard.compress(CONTENT)
    one = snapshot.decode(data + hashlib.sha256(data).digest())
    assert (one.content, one.record_s, one.resume) == (CONTENT, 0.0, {})


@pytest.mark.parametrize("content", [b"\xc1", b"\x93\x01\x02\x03", b""], ids=["no msgpack", "a list", "nothing"])
def test_content_that_is_no_map_is_refused(content: bytes) -> None:
    with pytest.raises(errors.StateError, match="no plain data"):
        snapshot.unpack(content)
