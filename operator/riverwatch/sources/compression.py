"""Stage 1, files: compressed bytes -> plain bytes, recognised by magic number, in bounded memory.

gzip (several members in one file too), zstd (several frames) and plain. Damage and a missing end are reported once, and
what came out before is used. Used by `audit_file`; knows nothing of JSON.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

import zstandard

from riverwatch import errors

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

CHUNK_BYTES = 128 * 1024
"""Plain bytes handed on at a time, about: measured, larger ones decode a quarter slower for the caches."""

_ZSTD_SLICE_BYTES = 1024
"""Compressed bytes given to zstd at once. Four bytes can unfold to 128 KiB, so this bounds one step at 32 MiB."""

_FOREIGN = (
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"SQLite format 3", "a SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)
"""Files that people offer by mistake, by their first bytes."""


class Reader(Protocol):
    """What is needed of an open binary file."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, nothing at the end."""
        ...


class DamagedError(errors.BadInputError):
    """The compression is damaged or ends too early; what came out before is good."""


def looks_like(head: bytes) -> str:
    """Say what a file that is no audit log looks like, by its first bytes.

    Examples
    --------
    >>> looks_like(b"PK" + bytes([3, 4]) + b"...")
    'a zip archive'
    >>> looks_like(b"listening on :8080")
    'text'
    """
    for magic, name in _FOREIGN:
        if head.startswith(magic):
            return name
    if head[257:262] == b"ustar":
        return "a tar archive"
    if b"\0" in head:
        return "a binary file"
    stripped = head.lstrip()
    if not stripped:
        return "an empty file"
    return "JSON" if stripped[:1] in b"{[" else "text"


def plain_chunks(source: Reader) -> Iterator[bytes]:
    """Read a file to its end and undo its compression.

    Parameters
    ----------
    source
        The file, at its start.

    Yields
    ------
    bytes
        Plain bytes, never empty.

    Raises
    ------
    DamagedError
        After the last good bytes, when the compressed data is damaged or incomplete.
    """
    head = source.read(CHUNK_BYTES)
    while head and len(head) < len(ZSTD_MAGIC) and (more := source.read(CHUNK_BYTES)):
        head += more
    if head.startswith(GZIP_MAGIC):
        yield from _gzip(head, source)
    elif head.startswith(ZSTD_MAGIC):
        yield from _zstd(head, source)
    else:
        while head:
            yield head
            head = source.read(CHUNK_BYTES)


def _gzip(data: bytes, source: Reader) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    while data:
        try:
            plain = member.decompress(data, CHUNK_BYTES)
        except zlib.error as error:
            raise DamagedError(f"the gzip data is damaged ({error}); what came before it is used") from error
        if plain:
            yield plain
        if member.eof:
            data = member.unused_data.lstrip(b"\0") or source.read(CHUNK_BYTES).lstrip(b"\0")
            if data and not data.startswith(GZIP_MAGIC[: len(data)]):
                raise DamagedError("something that is not gzip follows the gzip data; it is ignored")
            if data:
                member = zlib.decompressobj(wbits=31)
        else:
            data = member.unconsumed_tail or source.read(CHUNK_BYTES)
    if not member.eof:
        raise DamagedError("the gzip data ends too early; what came before is used")


def _zstd(data: bytes, source: Reader) -> Iterator[bytes]:
    frame = zstandard.ZstdDecompressor().decompressobj()
    out = bytearray()
    while data:
        for start in range(0, len(data), _ZSTD_SLICE_BYTES):
            part = data[start : start + _ZSTD_SLICE_BYTES]
            try:
                while part:
                    if frame.eof:
                        frame = zstandard.ZstdDecompressor().decompressobj()
                    out += frame.decompress(part)
                    part = frame.unused_data if frame.eof else b""
            except zstandard.ZstdError as error:
                if out:
                    yield bytes(out)
                raise DamagedError(f"the zstd data is damaged ({error}); what came before it is used") from error
            if len(out) >= CHUNK_BYTES:
                yield bytes(out)
                out.clear()
        data = source.read(CHUNK_BYTES)
    if out:
        yield bytes(out)
    if not frame.eof:
        raise DamagedError("the zstd data ends too early; what came before is used")
