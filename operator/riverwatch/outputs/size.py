"""Cut a ThreatDetection body to a number of bytes, the least telling parts first.

Pure: body in, body out. Invariant: what is cut was counted before (`evidenceCount`), and the shortest form still says
who did what. Called by `outputs.threat_detection` before each write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

Body = dict[str, Any]


def fit(body: Body, *, max_bytes: int) -> Body:
    """Return the body, with lists shortened until its JSON fits.

    Parameters
    ----------
    body
        ThreatDetection; not changed.
    max_bytes
        Bytes of JSON allowed.

    Examples
    --------
    >>> big = {"spec": {"evidence": [{"summary": "x" * 100}] * 40}}
    >>> len(fit(big, max_bytes=3000)["spec"]["evidence"])
    20
    """
    for cut in _CUTS:
        if len(msgspec.json.encode(body)) <= max_bytes:
            return body
        body = {**body, "spec": cut(body.get("spec") or {})}
    return body


def _shorter(field: str, keep: int) -> Callable[[Body], Body]:
    """Keep the first and the last halves of a list, because first and last evidence matter most."""

    def cut(spec: Body) -> Body:
        values = spec.get(field)
        if not isinstance(values, list) or len(values) <= keep:
            return spec
        head = keep - keep // 2
        return {**spec, field: values[:head] + values[len(values) - keep // 2 :]}

    return cut


def _short_texts(limit: int) -> Callable[[Body], Body]:
    """Cut every text in the spec."""

    def shorten(value: Any) -> Any:
        if isinstance(value, str):
            return value if len(value) <= limit else value[: limit - 1] + "…"
        if isinstance(value, list):
            return [shorten(item) for item in value]
        if isinstance(value, dict):
            return {key: shorten(item) for key, item in value.items()}
        return value

    return lambda spec: {key: shorten(value) for key, value in spec.items()}


_CUTS: tuple[Callable[[Body], Body], ...] = (
    _shorter("evidence", 20),
    _shorter("targets", 20),
    _short_texts(500),
    _shorter("evidence", 6),
    _shorter("targets", 6),
    _shorter("explanation", 6),
    _shorter("chain", 6),
    _shorter("userAgents", 3),
    _shorter("recommendations", 3),
    _short_texts(120),
    _shorter("evidence", 2),
    _shorter("targets", 2),
)
"""In this order; repeated evidence says least."""
