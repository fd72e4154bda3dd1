"""Stage 1, decode: bytes of unknown wrapping -> `AuditRecord`s.

Total: never raises on input; what cannot be used is counted in the `Tally` with its place, and the rest goes on.
For every call, records returned + skips counted == candidates read. Whole chunks of plain JSON lines, and of
EventLists one a line (webhook batches), are decoded at once by reused typed decoders at nearly msgspec's own speed;
only a chunk with something else in it is taken apart line by line, and only an odd line layer by layer
(`envelopes`).

Called by `stream.StreamDecoder` for files and by the worker for deliveries of live sources. One decoder per thread.
"""

from __future__ import annotations

import enum
import math
import re
from typing import NamedTuple

import msgspec

from riverwatch.activity import record
from riverwatch.sources import base, envelopes, patience, plain, scan

RECORD_MAX_BYTES = 10 * 1024 * 1024
"""Largest record body, in bytes: a batch that kube-apiserver truncates stays below it, and etcd takes far less."""

MAX_LAYERS = 8
"""Wrappers inside wrappers; Pub/Sub around an entry around text is 4, and real chains end there."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON of the asked type."""

_JSON_START = re.compile(rb'\{\s*["}]')
"""Where an object begins within a line that has something before it."""

_BLANK = b" \t\r\n\0\xef\xbb\xbf"
"""White space, NULs that a truncating rotation leaves behind, and the byte order mark."""


_NULL = msgspec.Raw(b"null")
"""How Go writes an empty list."""


class _Shape(enum.Enum):
    """What the last line was, so that the next chunk is tried as that first."""

    RECORDS = enum.auto()
    LISTS = enum.auto()
    OTHER = enum.auto()


class Lines(NamedTuple):
    """What became of a chunk of lines."""

    records: list[record.AuditRecord]
    consumed: int
    """Bytes dealt with; less than given when `opens`, or when more lines are needed to tell."""
    opens: bool
    """Whether a value that spans several lines starts at `consumed`."""


class RecordDecoder:
    """Decode audit records out of any known wrapping.

    Parameters
    ----------
    tally
        Where reads and skips are counted.
    record_max_bytes
        Largest record, in bytes; a larger one is skipped as `too_large`.
    limited
        How much of one `body` may be useless before the rest is given up; None for all of it.
    """

    def __init__(
        self,
        *,
        tally: base.Tally,
        record_max_bytes: int = RECORD_MAX_BYTES,
        limited: patience.Patience | None = None,
    ) -> None:
        self.tally = tally
        self._patience = limited or patience.Patience(refused=math.inf)
        self.record_max_bytes = record_max_bytes
        self._shape = _Shape.RECORDS

    def body(self, data: bytes, *, where: str, line: int = 0) -> list[record.AuditRecord]:
        """Decode everything in one delivery: JSON lines, one value over many lines, or several.

        Parameters
        ----------
        data
            The whole delivery, content encoding undone.
        where
            Name for the place of skips.
        line
            Line at which `data` starts, from 1; 0 where lines mean nothing.
        """
        found = self._plain(data)
        if found is not None:
            return found
        self._patience.begin(self.tally)
        return self._text(data, where=where, line=line, layer=0)

    def lines(self, chunk: bytes, *, where: str, line: int, final: bool) -> Lines:
        """Decode complete lines.

        Parameters
        ----------
        chunk
            Lines; the last one may lack its newline.
        where, line
            Name of the input, and the number of its first line.
        final
            Whether nothing follows, so that an undecided last line must be decided.
        """
        found = self._plain(chunk)
        if found is not None:
            return Lines(found, len(chunk), opens=False)
        return self._line_by_line(chunk, start=0, where=where, line=line, final=final, layer=0)

    def value(self, data: bytes | msgspec.Raw, *, where: str, layer: int = 0) -> list[record.AuditRecord]:
        """Decode one JSON value: a record, a list or a wrapper; `layer` says how many wrappers it came out of."""
        try:
            return self._value(data, where=where, layer=layer)
        except UNREADABLE as error:
            return self._refuse(envelopes.reason_of(error), where=where, detail=envelopes.words_of(error))

    def broken(self, data: bytes, *, where: str, reason: base.SkipReason, detail: str) -> list[record.AuditRecord]:
        """Save what can be saved from a value that does not end or is no JSON, and count the damage."""
        skips_before = self.tally.skipped_total
        splitter = scan.ElementSplitter(limit_bytes=self.record_max_bytes)
        found: list[record.AuditRecord] = []
        for index, item in enumerate(splitter.feed(data)):
            found += self.value(item, where=f"{where}[{index}]", layer=1)
        self.too_large(splitter.dropped, where=where)
        if splitter.endless or not splitter.found_list:
            for text in (splitter.rest if splitter.endless else data).split(b"\n")[1:]:
                found += self._salvaged(text.strip(_BLANK + b","), where=where)
        if not splitter.done or splitter.endless or self.tally.skipped_total == skips_before:
            self._refuse(reason, where=where, detail=detail)
        return found

    def too_large(self, count: int, *, where: str) -> None:
        """Count records that were larger than the limit."""
        if count:
            self.tally.read += count
            limit = f"a record over {self.record_max_bytes} bytes"
            self.tally.skip(base.SkipReason.TOO_LARGE, where=where, detail=limit, count=count)

    def _plain(self, chunk: bytes) -> list[record.AuditRecord] | None:
        """Decode a chunk that holds nothing but usable plain records, or nothing but EventLists; else None."""
        if self._shape is _Shape.OTHER or len(chunk) > self.record_max_bytes:
            return None
        try:
            if self._shape is _Shape.LISTS:
                return self._counted(plain.from_lists(plain.LIST.decode_lines(chunk)))
            return self._counted(plain.from_lines(chunk))
        except UNREADABLE:
            return None

    def _counted(self, found: plain.Plain | None) -> list[record.AuditRecord] | None:
        if found is None:
            return None
        self.tally.read += len(found.records) + found.received
        if found.received:
            self.tally.count_only(base.SkipReason.STAGE_RECEIVED, found.received)
        return found.records

    def _text(self, data: bytes, *, where: str, line: int, layer: int) -> list[record.AuditRecord]:
        """Decode bytes that are all there, whatever they hold."""
        found: list[record.AuditRecord] = []
        pos = 0
        while True:
            lines = self._line_by_line(data, start=pos, where=where, line=line, final=True, layer=layer)
            found += lines.records
            if not lines.opens:
                return found
            line += data.count(b"\n", pos, lines.consumed) if line else 0
            place = _place(where, line)
            pos = scan.value_end(data, lines.consumed)
            if pos < 0:
                rest = data[lines.consumed :]
                reason = base.SkipReason.TRUNCATED
                return found + self.broken(rest, where=place, reason=reason, detail="the value does not end")
            found += self._document(data[lines.consumed : pos].lstrip(_BLANK), where=place, layer=layer)
            line += data.count(b"\n", lines.consumed, pos) if line else 0

    def _document(self, data: bytes, *, where: str, layer: int) -> list[record.AuditRecord]:
        try:
            return self._value(data, where=where, layer=layer)
        except UNREADABLE as error:
            return self.broken(data, where=where, reason=envelopes.reason_of(error), detail=envelopes.words_of(error))

    def _line_by_line(  # noqa: PLR0913 - the place of a line has three parts
        self, chunk: bytes, *, start: int, where: str, line: int, final: bool, layer: int
    ) -> Lines:
        found: list[record.AuditRecord] = []
        size = len(chunk)
        while start < size:
            if self._patience.ended(self.tally):
                patience.give_up(self.tally, where=_place(where, line), count=chunk.count(b"\n", start, size - 1) + 1)
                return Lines(found, size, opens=False)
            end = chunk.find(b"\n", start)
            end = size if end < 0 else end
            text = chunk[start:end].strip(_BLANK)
            if text:
                place = _place(where, line)
                try:
                    found += self._line(text, where=place, layer=layer)
                except UNREADABLE as error:
                    opens = scan.opens_value(chunk, start, end, final=final)
                    if opens is not False:
                        return Lines(found, start, opens=opens is True)
                    found += self._odd_line(text, error, where=place, layer=layer)
            start = end + 1
            line += bool(line)
        return Lines(found, size, opens=False)

    def _line(self, text: bytes, *, where: str, layer: int) -> list[record.AuditRecord]:
        """Decode one line that is JSON, or carries JSON after a time stamp or other words."""
        if text[0] in b"{[":
            return self._value(text, where=where, layer=layer)
        start = _JSON_START.search(text)
        if start is None:
            if b'{""' in text:
                return self._value(envelopes.from_csv(text), where=where, layer=layer + 1)
            reason = base.SkipReason.NOT_AUDIT if layer else base.SkipReason.MALFORMED_JSON
            return self._refuse(reason, where=where, detail="text without JSON")
        inner = text[start.start() :]
        return self._value(
            envelopes.from_csv(text) if inner.startswith(b'{""') else inner, where=where, layer=layer + 1
        )

    def _odd_line(self, text: bytes, error: Exception, *, where: str, layer: int) -> list[record.AuditRecord]:
        """Decode a line that is not one JSON value: several in a row, or words in brackets before it."""
        end = scan.value_end(text)
        if 0 < end < len(text) and _readable(text[:end]):
            return self._in_a_row(text, where=where, layer=layer)
        start = _JSON_START.search(text, 1) if text.startswith(b"[") else None
        if start and _readable(text[start.start() :]):
            return self.value(text[start.start() :], where=where, layer=layer + 1)
        return self.broken(text, where=where, reason=envelopes.reason_of(error), detail=envelopes.words_of(error))

    def _in_a_row(self, text: bytes, *, where: str, layer: int) -> list[record.AuditRecord]:
        """Decode values that follow each other without a newline, as Firehose writes them."""
        found: list[record.AuditRecord] = []
        pos = 0
        while (start := scan.next_opener(text, pos)) >= 0:
            if self._patience.ended(self.tally):
                patience.give_up(self.tally, where=where, count=1)
                return found
            end = scan.value_end(text, start)
            if end < 0:
                rest, reason = text[start:], base.SkipReason.TRUNCATED
                return found + self.broken(rest, where=where, reason=reason, detail="the value does not end")
            if text[pos:start].strip(_BLANK):
                self._refuse(base.SkipReason.MALFORMED_JSON, where=where, detail="words between values")
            found += self.value(text[start:end], where=where, layer=layer)
            pos = end
        if text[pos:].strip(_BLANK):
            self._refuse(base.SkipReason.MALFORMED_JSON, where=where, detail="words after the value")
        return found

    def _value(self, data: bytes | msgspec.Raw, *, where: str, layer: int) -> list[record.AuditRecord]:
        first = bytes(memoryview(data)[:1])
        if layer > MAX_LAYERS:
            return self._refuse(base.SkipReason.WRONG_SHAPE, where=where, detail=f"more than {MAX_LAYERS} wrappers")
        if first == b"[":
            self._note(_Shape.OTHER, layer)
            return self._items(envelopes.items_of(data), where=where, layer=layer)
        if first != b"{":
            return self._refuse(base.SkipReason.NOT_AUDIT, where=where, detail="neither object nor list")
        wrong: Exception | None = None
        if memoryview(data).nbytes <= self.record_max_bytes:
            try:
                one = plain.RECORD.decode(data)
            except msgspec.ValidationError as error:
                wrong = error
            else:
                reason = plain.reason_against(one)
                if reason is None:
                    self._note(_Shape.RECORDS, layer)
                    self.tally.read += 1
                    return [one]
                if reason is not base.SkipReason.NOT_AUDIT:
                    return self._refuse(reason, where=where, detail=one.api_version or "")
        return self._wrapper(data, wrong, where=where, layer=layer)

    def _wrapper(
        self, data: bytes | msgspec.Raw, wrong: Exception | None, *, where: str, layer: int
    ) -> list[record.AuditRecord]:
        """Decode an object that is no usable record itself; `wrong` says what keeps it from being one."""
        fields = envelopes.fields_of(data)
        version = envelopes.text_of(fields.get("apiVersion"))
        kind = envelopes.text_of(fields.get("kind"))
        if version.startswith(plain.GROUP) and kind == "EventList":
            return self._event_list(data, fields, version, where=where, layer=layer)
        if "auditID" in fields and (not version or version.startswith(plain.GROUP)):
            if wrong is None and memoryview(data).nbytes > self.record_max_bytes:
                self.too_large(1, where=where)
                return []
            return self._refuse(base.SkipReason.WRONG_SHAPE, where=where, detail=envelopes.words_of(wrong))
        self._note(_Shape.OTHER, layer)
        inner = envelopes.peel(data, fields)
        if inner is None:
            if memoryview(data).nbytes > self.record_max_bytes:
                self.too_large(1, where=where)
                return []
            return self._refuse(base.SkipReason.NOT_AUDIT, where=where, detail=envelopes.keys_of(fields))
        if inner.record is not None:
            self.tally.read += 1
            return [inner.record]
        if inner.items is not None:
            return self._items(inner.items, where=where, layer=layer + 1)
        if inner.text is not None:
            return self._text(inner.text, where=where, line=0, layer=layer + 1)
        assert inner.value is not None
        return self.value(inner.value, where=where, layer=layer + 1)

    def _event_list(
        self, data: bytes | msgspec.Raw, fields: dict[str, msgspec.Raw], version: str, *, where: str, layer: int
    ) -> list[record.AuditRecord]:
        self._note(_Shape.LISTS, layer)
        if memoryview(data).nbytes <= self.record_max_bytes:
            try:
                found = self._counted(plain.from_lists([plain.LIST.decode(data)]))
            except UNREADABLE:
                found = None
            if found is not None:
                return found
        raw = fields.get("items", _NULL)
        items = [] if raw == _NULL else envelopes.items_of(raw)
        if version in plain.API_VERSIONS:
            return self._items(items, where=where, layer=layer + 1)
        self.tally.read += len(items)
        if items:
            self.tally.skip(base.SkipReason.UNKNOWN_API_VERSION, where=where, detail=version, count=len(items))
        return []

    def _items(self, items: list[msgspec.Raw], *, where: str, layer: int) -> list[record.AuditRecord]:
        """Decode a list, each item a candidate of its own."""
        found: list[record.AuditRecord] = []
        for index, item in enumerate(items):
            place = f"{where}[{index}]"
            if self._patience.ended(self.tally):
                patience.give_up(self.tally, where=place, count=len(items) - index)
                return found
            first = envelopes.first_byte(item)
            if first == b'"':
                text = envelopes.text_candidate(envelopes.text_of(item))
                if text is None:
                    self._refuse(base.SkipReason.NOT_AUDIT, where=place, detail="text without JSON")
                else:
                    found += self._text(text, where=place, line=0, layer=layer + 1)
            elif first == b"[":
                found += self._row(item, where=place, layer=layer + 1)
            else:
                found += self.value(item, where=place, layer=layer)
        return found

    def _row(self, raw: msgspec.Raw, *, where: str, layer: int) -> list[record.AuditRecord]:
        """Decode a row of cells (a time and a line, or the columns of a table), of which some cell may be a record."""
        cells = [cell for cell in envelopes.items_of(raw) if envelopes.carries(cell)]
        if not cells or layer > MAX_LAYERS:
            return self._refuse(base.SkipReason.NOT_AUDIT, where=where, detail="a row without JSON")
        return self._items(cells, where=where, layer=layer)

    def _salvaged(self, text: bytes, *, where: str) -> list[record.AuditRecord]:
        """Decode a line out of a damaged region when it is whole by itself; else it belongs to the damage."""
        if not (text.startswith(b"{") and text.endswith(b"}")):
            return []
        try:
            return self._value(text, where=where, layer=0)
        except UNREADABLE:
            return []

    def _note(self, shape: _Shape, layer: int) -> None:
        if layer == 0:
            self._shape = shape

    def _refuse(self, reason: base.SkipReason, *, where: str, detail: str) -> list[record.AuditRecord]:
        self.tally.read += 1
        self.tally.skip(reason, where=where, detail=detail)
        return []


def _readable(data: bytes) -> bool:
    try:
        envelopes.fields_of(data) if data.startswith(b"{") else envelopes.items_of(data)
    except UNREADABLE:
        return False
    return True


def _place(where: str, line: int) -> str:
    return f"{where}:{line}" if line else where
