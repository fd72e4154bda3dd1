"""Stage 1, framing: finds where JSON values begin and end in bytes, without decoding them and without trusting them.

``bytes -> offsets``. Only brackets and strings are looked at, so a value with a wrong token inside still has an
end, and one bad item of a list costs that item alone. Linear time, memory bounded by the limit of one item. Used by
`decode` when the plain paths fail and by `stream` for values larger than memory should hold; never on the hot path.
"""

from __future__ import annotations

import re

LIST_KEYS = frozenset(
    {
        b"items",
        b"events",
        b"logEvents",
        b"records",
        b"Records",
        b"entries",
        b"results",
        b"receivedMessages",
        b"hits",
    }
)
"""Keys under which known wrappers keep their list of records; `hits` may be nested once (Elasticsearch)."""

_CALM = re.compile(rb'[^"{}\[\]]*+(?:"(?:[^"\\]++|\\.)*+"[^"{}\[\]]*+)*+', re.DOTALL)
"""Everything up to the next bracket, or to a string that does not end in these bytes. Possessive: never backtracks."""

_STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
"""The rest of a string, up to its closing quote."""

_KEY_BEFORE = re.compile(rb'"([A-Za-z]{1,24})"\s*:\s*\Z')
"""The key that stands before a value."""

_KEY_WINDOW_BYTES = 96
"""How far back a key is looked for: the longest known key with generous white space."""

_INK = re.compile(rb"\S")
"""What makes a line not blank."""

_OPENER = re.compile(rb"[{\[]")

_QUOTE, _BACKSLASH = b'"\\'
_OPENERS = b"{["

MAX_OPEN = 1000
"""Open brackets beyond which an opening line is not believed; the decoder itself refuses about as many."""


MAX_DEPTH = 10_000
"""Open brackets at which a value counts as endless: Go's decoder, and so kube-apiserver, takes no deeper one."""


def value_end(data: bytes, start: int = 0) -> int:
    """Return the offset just after the bracketed value that starts at or after `start`, or -1 when it does not end.

    A value nested deeper than `MAX_DEPTH` counts as one that does not end.

    Examples
    --------
    >>> value_end(b'{"a": "}"} {"b": 1}')
    10
    >>> value_end(b'{"a": [1, 2')
    -1
    """
    depth, pos, size = 0, start, len(data)
    while True:
        match = _CALM.match(data, pos)
        pos = match.end() if match else size
        if pos >= size or data[pos] == _QUOTE:
            return -1
        if data[pos] in _OPENERS:
            depth += 1
            if depth > MAX_DEPTH:
                return -1
        else:
            depth -= 1
            if depth <= 0:
                return pos + 1
        pos += 1


def next_opener(data: bytes, start: int) -> int:
    """Return the offset of the first opening bracket at or after `start`, or -1."""
    found = _OPENER.search(data, start)
    return found.start() if found else -1


def opens_value(data: bytes, start: int, end: int, *, final: bool) -> bool | None:
    """Tell whether the line ``data[start:end]`` opens a value that goes on in the following lines.

    A line cut off in the middle of a record looks alike; the two lines after it decide, because what follows a cut is a
    new record at a place where JSON allows none.

    Parameters
    ----------
    data
        The lines known so far.
    start, end
        Offsets of the line, its newline excluded.
    final
        Whether no further line will come.

    Returns
    -------
    bool or None
        None when more lines are needed to tell.
    """
    stack: list[int] = []
    lines_seen = 0
    while True:
        if not _scan_line(data, start, end, stack) or not stack:
            return lines_seen > 0 and not stack
        lines_seen += 1
        last = data[start:end].rstrip()[-1:] or b","
        if lines_seen == 1 and last not in (b"{", b"[", b",", b":"):
            return False
        if lines_seen == 3:
            return True
        following = _next_line(data, end)
        if following is None:
            return True if final else None
        start, end = following
        if not _may_follow(stack[-1], last, data[start:end].lstrip()[:1]):
            return False


def _scan_line(data: bytes, start: int, end: int, stack: list[int]) -> bool:
    """Push and pop the brackets of one line; False when one does not close as it must, or too many are open."""
    line = data[start:end]
    pos, size = 0, end - start
    while True:
        match = _CALM.match(line, pos)
        pos = match.end() if match else size
        if pos >= size:
            return True
        char = line[pos]
        if char == _QUOTE:
            return False
        if char in _OPENERS:
            stack.append(char)
            if len(stack) > MAX_OPEN:
                return False
        elif not stack or chr(stack.pop()) + chr(char) not in ("{}", "[]"):
            return False
        elif not stack:
            return True
        pos += 1


def _next_line(data: bytes, end: int) -> tuple[int, int] | None:
    """Return the offsets of the next line that is not blank."""
    found = _INK.search(data, end + 1)
    if found is None:
        return None
    stop = data.find(b"\n", found.start())
    return data.rfind(b"\n", end, found.start()) + 1, len(data) if stop < 0 else stop


def _may_follow(innermost: int, last: bytes, first: bytes) -> bool:
    """Tell whether a line may begin with `first` where the line before ended with `last` inside bracket `innermost`."""
    if last == b":":
        return first not in b",:}]"
    if innermost == ord("["):
        return first not in b"}:" if last in b"[," else first in b",]"
    return first in b'"}' if last in b"{," else first in b",}:"


class ElementSplitter:
    """Cut the items out of one large value as its bytes come in.

    Items are the elements of a top-level array, or of a list under one of `LIST_KEYS` of a top-level object. Memory
    stays under the limit of one item plus what was fed last.

    Parameters
    ----------
    limit_bytes
        Largest item; a larger one is dropped and counted in `dropped`.
    """

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._data = b""
        self._pos = 0
        self._depth = 0
        self._container = -1
        self._start = -1
        self._dropping = False
        self._in_string = False
        self.done = False
        """Whether the value has ended, or nothing more is looked for in it."""
        self.endless = False
        """Whether it is nested so deeply that the rest of it is not looked at."""
        self.rest = b""
        """What follows the value, once it is done; when it is endless, the next lines."""
        self.found_list = False
        """Whether the value has a list of items at all."""
        self.dropped = 0
        """Items that were too large."""

    @property
    def inside_item(self) -> bool:
        """Whether the bytes so far end within an item."""
        return self._start >= 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take more bytes and return the items that are complete now."""
        items: list[bytes] = []
        self._data = self._data[self._trim() :] + data if self._data else data
        while not self.done and self._advance():
            char = self._data[self._pos]
            if char in _OPENERS:
                self._open(char)
                self._pos += 1
            else:
                self._pos += 1
                self._close(items)
        return items

    def _advance(self) -> bool:
        """Move to the next bracket; False when more bytes are needed."""
        data, size = self._data, len(self._data)
        while True:
            if self._in_string:
                match = _STRING_REST.match(data, self._pos)
                self._pos = match.end() if match else size
                if self._pos >= size or data[self._pos] == _BACKSLASH:
                    return False
                self._in_string = False
                self._pos += 1
            match = _CALM.match(data, self._pos)
            self._pos = match.end() if match else size
            if self._pos >= size:
                return False
            if data[self._pos] != _QUOTE:
                return True
            self._in_string = True
            self._pos += 1

    def _open(self, char: int) -> None:
        if self._container < 0:
            if char == ord("[") and self._is_list():
                self._container = self._depth + 1
                self.found_list = True
        elif self._start < 0 and self._depth == self._container:
            self._start = self._pos
        self._depth += 1
        if self._depth > MAX_DEPTH:
            line_end = self._data.find(b"\n", self._pos)
            self.rest = self._data[line_end:] if line_end >= 0 else b""
            self.done, self.endless, self._data = True, True, b""

    def _is_list(self) -> bool:
        if self._depth == 0:
            return True
        found = _KEY_BEFORE.search(self._data, max(0, self._pos - _KEY_WINDOW_BYTES), self._pos)
        key = found.group(1) if found else b""
        return key in LIST_KEYS and (self._depth == 1 or key == b"hits")

    def _close(self, items: list[bytes]) -> None:
        self._depth -= 1
        if self._start >= 0 and self._depth == self._container:
            if self._dropping or self._pos - self._start > self._limit:
                self.dropped += 1
            else:
                items.append(self._data[self._start : self._pos])
            self._start, self._dropping = -1, False
        elif self._depth < self._container:
            self._container = -1
        if self._depth <= 0:
            self.done = True
            self.rest = self._data[self._pos :]
            self._data = b""

    def _trim(self) -> int:
        """Forget what is no longer needed and return how many bytes that is."""
        if self._start >= 0 and not self._dropping and self._pos - self._start > self._limit:
            self._dropping = True
        keep_from = max(0, self._pos - _KEY_WINDOW_BYTES)
        if self._start >= 0 and not self._dropping:
            keep_from = min(keep_from, self._start)
            self._start -= keep_from
        elif self._start >= 0:
            self._start = 0
        self._pos -= keep_from
        return keep_from
