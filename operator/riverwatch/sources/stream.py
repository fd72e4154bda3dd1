"""Stage 1, streams: chunks of plain bytes, cut anywhere -> `AuditRecord`s, in bounded memory.

Knows where lines and values end across chunks; `decode` knows what they mean. Lines go on as whole chunks. A value over
many lines is collected; one too large to collect is cut into its items as it comes (`scan.ElementSplitter`). A line
that never ends costs at most `COLLECT_MAX_BYTES`. One object per input; call `feed` for each chunk, then `finish`
once.
"""

from __future__ import annotations

import enum

from riverwatch.activity import record
from riverwatch.sources import base, decode, scan

COLLECT_MAX_BYTES = 16 * 1024 * 1024
"""Bytes of one unfinished line or value that are held; more than the largest record (10 MiB)."""

_PART_BYTES = 1024 * 1024
"""Values that were collected together are decoded in parts of about this size."""

_FAST_LINE_BYTES = 256
"""Bytes of a line from which looking for its end is faster than counting ends byte by byte (measured)."""

_BLANK = b" \t\r\n\0\xef\xbb\xbf"


class _Mode(enum.Enum):
    LINES = enum.auto()
    DOCUMENT = enum.auto()
    """Collecting a value over many lines."""
    ITEMS = enum.auto()
    """Inside a value that is too large to collect."""
    DROP = enum.auto()
    """Inside a line that is too long and no JSON."""


class StreamDecoder:
    """Decode one input whose bytes arrive in chunks.

    Parameters
    ----------
    decoder
        Decodes what this class frames; its tally counts.
    where
        Name of the input, for the place of skips.
    """

    def __init__(self, decoder: decode.RecordDecoder, *, where: str) -> None:
        self._decoder = decoder
        self._where = where
        self._line = 1
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._mode = _Mode.LINES
        self._splitter = scan.ElementSplitter(limit_bytes=decoder.record_max_bytes)
        self._item = 0

    @property
    def line(self) -> int:
        """Number of the line at which the next record may start, from 1."""
        return self._line

    def feed(self, chunk: bytes) -> list[record.AuditRecord]:
        """Take the next bytes and return the records that are complete now."""
        found: list[record.AuditRecord] = []
        rest = chunk
        while rest:
            rest = self._step(rest, found)
        return found

    def finish(self) -> list[record.AuditRecord]:
        """Take the end of the input and return the last records."""
        data = self._take()
        if self._mode is _Mode.ITEMS:
            detail = "the value does not end"
            self._decoder.broken(b"", where=self._place, reason=base.SkipReason.TRUNCATED, detail=detail)
        elif data.strip(_BLANK):
            return self._decoder.body(data, where=self._where, line=self._line)
        return []

    @property
    def _place(self) -> str:
        return f"{self._where}:{self._line}"

    def _step(self, chunk: bytes, found: list[record.AuditRecord]) -> bytes:
        if self._mode is _Mode.DROP:
            return self._drop(chunk)
        if self._mode is _Mode.ITEMS:
            return self._cut_items(chunk, found)
        if self._mode is _Mode.DOCUMENT:
            return self._hold(chunk, found)
        return self._lines(chunk, found)

    def _hold(self, chunk: bytes, found: list[record.AuditRecord]) -> bytes:
        """Keep bytes that are not complete yet; joined once, because joining each time would copy them each time."""
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        return self._collected(found) if self._held_bytes > COLLECT_MAX_BYTES else b""

    def _take(self) -> bytes:
        data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held, self._held_bytes = [], 0
        return data

    def _lines(self, chunk: bytes, found: list[record.AuditRecord]) -> bytes:
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            return self._hold(chunk, found)
        self._held.append(chunk[:cut])
        whole = self._take()
        lines = self._decoder.lines(whole, where=self._where, line=self._line, final=len(whole) > COLLECT_MAX_BYTES)
        found += lines.records
        self._line += _newlines(whole, lines.consumed)
        for rest in (whole[lines.consumed :], chunk[cut:]):
            if rest:
                self._held.append(rest)
                self._held_bytes += len(rest)
        if lines.opens:
            self._mode = _Mode.DOCUMENT
        return b""

    def _collected(self, found: list[record.AuditRecord]) -> bytes:
        """Decide about a line or value that has grown too long to hold: decode, cut into items, or drop."""
        data = self._take()
        start = len(data) - len(data.lstrip(_BLANK))
        self._line += data.count(b"\n", 0, start)
        if data[start : start + 1] not in (b"{", b"["):
            self._mode = _Mode.DROP
            self._decoder.too_large(1, where=self._place)
            return data
        opener = decoded = done = start
        while opener >= 0 and (end := scan.value_end(data, opener)) > 0:
            done = end
            if done - decoded >= _PART_BYTES:
                found += self._part(data[decoded:done])
                decoded = done
            opener = scan.next_opener(data, end)
        if done == start:
            self._mode, self._item = _Mode.ITEMS, 0
            self._splitter = scan.ElementSplitter(limit_bytes=self._decoder.record_max_bytes)
            return data[start:]
        found += self._part(data[decoded:done])
        self._mode = _Mode.LINES
        return data[done:]

    def _part(self, data: bytes) -> list[record.AuditRecord]:
        found = self._decoder.body(data, where=self._where, line=self._line)
        self._line += data.count(b"\n")
        return found

    def _cut_items(self, chunk: bytes, found: list[record.AuditRecord]) -> bytes:
        splitter, dropped = self._splitter, self._splitter.dropped
        for item in splitter.feed(chunk):
            found += self._decoder.value(item, where=f"{self._place}[{self._item}]", layer=1)
            self._item += 1
        self._decoder.too_large(splitter.dropped - dropped, where=self._place)
        if not splitter.done:
            return b""
        if splitter.endless:
            self._decoder.broken(b"", where=self._place, reason=base.SkipReason.WRONG_SHAPE, detail="nested too deep")
        elif not splitter.found_list:
            self._decoder.too_large(1, where=self._place)
        self._mode = _Mode.LINES
        return splitter.rest

    def _drop(self, chunk: bytes) -> bytes:
        end = chunk.find(b"\n")
        if end < 0:
            return b""
        self._line += 1
        self._mode = _Mode.LINES
        return chunk[end + 1 :]


def _newlines(data: bytes, end: int) -> int:
    """Count the line ends before `end`."""
    count, place = 0, data.find(b"\n", 0, end)
    while place >= 0:
        count += 1
        if place < count * _FAST_LINE_BYTES:
            return count + data.count(b"\n", place + 1, end)
        place = data.find(b"\n", place + 1, end)
    return count
