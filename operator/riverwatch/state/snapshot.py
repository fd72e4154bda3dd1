"""Checkpoint bytes: `Snapshot` -> one headered, compressed, checksummed block, and back. Nothing in it runs code.

Layout, numbers big-endian::

    magic    8 bytes   ``RWSTATE`` and a line feed
    version  u16       `FORMAT_VERSION`; a reader takes its own and older ones
    length   u32       bytes of the header
    header             msgpack map, see `Header`; new fields only with defaults
    body               content (msgpack of plain data), zstd
    digest   32 bytes  SHA-256 of everything before it

Pure. Called by `state.store` and `runtime.checkpoint`; what the content means is the pipeline's business.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import msgspec
import zstandard

from riverwatch import errors

MAGIC = b"RWSTATE\n"
"""First bytes of every checkpoint."""

FORMAT_VERSION = 1
"""Version of the layout above."""

COMPRESSION_LEVEL = 3
"""zstd level: on a state of 10,000 identities, higher levels save less than a tenth and take several times as long."""

MAX_CONTENT_BYTES = 1 << 31
"""Largest content that is unpacked: ten times the state of the largest load in the benchmark."""

_FIXED = struct.Struct(">8sHI")
_DIGEST_BYTES = 32

Resume = dict[str, dict[str, int | str]]
"""Name of a source, or ``spool`` -> where it goes on, as plain data of that source. The position stands *after* the
last delivery that the content includes; resuming there repeats nothing and omits nothing."""


class Snapshot(msgspec.Struct, frozen=True):
    """One checkpoint in memory."""

    content: bytes
    """As `pack` made it."""
    model_version: str
    record_s: float = 0.0
    """Time of the latest record in it, seconds since the epoch."""
    resume: Resume = {}


class Header(msgspec.Struct, frozen=True):
    """What a checkpoint says about itself."""

    model_version: str
    content_bytes: int
    """Bytes of the content, unpacked."""
    body_bytes: int
    """Bytes of the content as stored."""
    record_s: float = 0.0
    resume: Resume = {}


def pack(plain: object) -> bytes:
    """Write plain data (numbers, texts, lists, dictionaries) as content."""
    return msgspec.msgpack.encode(plain)


def unpack(content: bytes) -> dict[str, Any]:
    """Read content.

    Raises
    ------
    StateError
        When it is no plain data, or no map.
    """
    try:
        return msgspec.msgpack.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.StateError(f"the content is no plain data: {error}") from error


def encode(one: Snapshot) -> bytes:
    """Write a checkpoint.

    Examples
    --------
    >>> data = encode(Snapshot(pack({"used": 3}), "novelty-1", record_s=1768464000.0))
    >>> unpack(decode(data).content)
    {'used': 3}
    """
    body = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress(one.content)
    header = msgspec.msgpack.encode(
        Header(one.model_version, len(one.content), len(body), record_s=one.record_s, resume=one.resume)
    )
    digest = hashlib.sha256()
    parts = [_FIXED.pack(MAGIC, FORMAT_VERSION, len(header)), header, body]
    for part in parts:
        digest.update(part)
    return b"".join([*parts, digest.digest()])


def digest_of(data: bytes) -> str:
    """Return the checksum that stands at the end of an encoded checkpoint.

    Examples
    --------
    >>> digest_of(encode(Snapshot(b"", "model-1")))[:7]
    'sha256:'
    """
    return f"sha256:{data[-_DIGEST_BYTES:].hex()}"


def decode(data: bytes) -> Snapshot:
    """Read a checkpoint.

    Raises
    ------
    StateError
        When it is none, is cut short, was damaged, or was written by a newer program; the text says which.
    """
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise errors.StateError("this is no checkpoint: its first bytes are others")
    if len(data) < _FIXED.size:
        raise errors.StateError(f"it is truncated: {len(data)} bytes do not hold a header")
    _, version, header_bytes = _FIXED.unpack_from(data)
    if version > FORMAT_VERSION:
        raise errors.StateError(
            f"a newer program wrote it: format {version}, this program reads up to {FORMAT_VERSION}"
        )
    start = _FIXED.size + header_bytes
    header = _header(data[_FIXED.size : start]) if len(data) >= start + _DIGEST_BYTES else None
    whole = start + (header.body_bytes if header else 0) + _DIGEST_BYTES
    if len(data) < whole:
        raise errors.StateError(f"it is truncated: {len(data)} of at least {whole} bytes")
    content_end = len(data) - _DIGEST_BYTES
    if hashlib.sha256(memoryview(data)[:content_end]).digest() != data[content_end:] or header is None:
        raise errors.StateError("it was damaged: its checksum does not hold")
    return Snapshot(
        _content(data[start:content_end], header.content_bytes),
        header.model_version,
        record_s=header.record_s,
        resume=header.resume,
    )


def _header(data: bytes) -> Header | None:
    """Read the header; None when it is unreadable, which the checksum will explain."""
    try:
        return msgspec.msgpack.decode(data, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _content(body: bytes, size: int) -> bytes:
    if size > MAX_CONTENT_BYTES:
        raise errors.StateError(f"its content has {size} bytes, more than the {MAX_CONTENT_BYTES} that are unpacked")
    try:
        if zstandard.frame_content_size(body) != size:
            raise errors.StateError("its body has another length than its header says")
        return zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError as error:
        raise errors.StateError(f"its body cannot be unpacked: {error}") from error
