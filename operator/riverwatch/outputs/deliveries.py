"""What became of each detection at each output, for ``status.outputs`` of its object; bounded, newest kept.

Written by the lanes' threads through `dispatch`, read by `threat_detection` when it writes a status.
"""

from __future__ import annotations

import collections
import threading
from typing import Any

from riverwatch import clock

REMEMBERED = 4_096
"""Detections of which it is remembered; of older ones the object says what it said last."""

MESSAGE_CHARS = 256
"""Longest reason told."""


class Deliveries:
    """Remembers the last outcome by detection and output."""

    def __init__(self) -> None:
        self._rows: collections.OrderedDict[str, dict[str, dict[str, Any]]] = collections.OrderedDict()
        self._lock = threading.Lock()

    def note(self, uid: str, output: str, *, now_s: float, trouble: str = "") -> bool:
        """Remember an outcome; tell whether it differs from the one before in more than its time.

        Parameters
        ----------
        uid
            Of the detection.
        output
            Id of the output.
        now_s
            Wall time of the attempt.
        trouble
            Why it was given up; empty when it got through.
        """
        row: dict[str, Any] = {"name": output, "delivered": not trouble, "time": clock.rfc3339(now_s)}
        if trouble:
            row["message"] = trouble[:MESSAGE_CHARS]
        with self._lock:
            mine = self._rows.setdefault(uid, {})
            self._rows.move_to_end(uid)
            if len(self._rows) > REMEMBERED:
                self._rows.popitem(last=False)
            before = mine.get(output)
            mine[output] = row
        return before is None or (before["delivered"], before.get("message")) != (row["delivered"], row.get("message"))

    def rows(self, uid: str) -> list[dict[str, Any]]:
        """Return ``status.outputs`` of a detection, in the order of the names."""
        with self._lock:
            return [row for _, row in sorted(self._rows.get(uid, {}).items())]
