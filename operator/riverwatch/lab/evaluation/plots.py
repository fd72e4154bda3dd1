"""Plots as inline SVG: lines, stacked bars, a timeline. No library, no script, no file from elsewhere.

Plain numbers in, SVG text out; every text is escaped. Colours are CSS classes that `page` defines for light and dark.
Called by `page`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import msgspec

WIDTH, HEIGHT = 520, 260
"""Size of a large plot, in CSS pixels."""

LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 34
"""Margins for axes, in CSS pixels."""


class Mark(msgspec.Struct, frozen=True):
    """One point of a timeline."""

    at: float
    """0..1 across."""
    score: float
    """0..100."""
    style: str
    """CSS class."""
    label: str
    """Shown when pointed at."""


class Bar(msgspec.Struct, frozen=True):
    """One stacked bar."""

    label: str
    parts: tuple[tuple[str, float], ...]
    """CSS class and height of each part, from below."""


def lines(series: Mapping[str, Sequence[tuple[float, float]]], *, across: str, up: str) -> str:
    """Draw lines over 0..1 by 0..1.

    Parameters
    ----------
    series
        Points by CSS class.
    across
        Name of the horizontal axis.
    up
        Name of the vertical axis.
    """
    body = [_axes(across, up, [(share, f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)])]
    for index, (style, points) in enumerate(series.items()):
        placed = [(_x(min(1.0, x)), _y(min(1.0, y))) for x, y in points]
        if placed:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
            body.append(f'<polyline class="line {_safe(style)}" points="{path}"/>')
            for (x, y), (right, top) in zip(placed, points, strict=True):
                tip = _safe(f"{style}: {across.lower()} {right:.0%}, {up.lower()} {top:.0%}")
                place = f'cx="{x:.1f}" cy="{y:.1f}" r="2.5"'
                body.append(f'<circle class="dot {_safe(style)}" {place}><title>{tip}</title></circle>')
        row = TOP + 12 + 16 * index
        body.append(f'<rect class="key {_safe(style)}" x="{WIDTH - RIGHT - 92}" y="{row - 8}" width="10" height="10"/>')
        body.append(f'<text x="{WIDTH - RIGHT - 76}" y="{row + 1}">{_safe(style)}</text>')
    return _svg(WIDTH, HEIGHT, body, f"{up} against {across.lower()}")


def bars(columns: Sequence[Bar], *, across: str, up: str) -> str:
    """Draw stacked bars.

    Parameters
    ----------
    columns
        From left to right.
    across
        Name of the horizontal axis.
    up
        Name of the vertical axis.
    """
    highest = max((sum(height for _, height in bar.parts) for bar in columns), default=0.0) or 1.0
    body = [_axes(across, up, [(share, f"{share * highest:.0f}") for share in (0.0, 0.5, 1.0)], across_ticks=False)]
    wide = (WIDTH - LEFT - RIGHT) / max(1, len(columns))
    every = max(1, len(columns) // 14)
    for index, bar in enumerate(columns):
        x = LEFT + index * wide
        below = 0.0
        for style, height in bar.parts:
            top = _y((below + height) / highest)
            size = _y(below / highest) - top
            tip = _safe(f"{bar.label}: {height:g} {style}")
            body.append(
                f'<rect class="bar {_safe(style)}" x="{x + 1:.1f}" y="{top:.1f}" width="{max(1.0, wide - 2):.1f}" '
                f'height="{size:.1f}"><title>{tip}</title></rect>'
            )
            below += height
        if index % every == 0:
            body.append(
                f'<text class="tick middle" x="{x + wide / 2:.1f}" y="{HEIGHT - BOTTOM + 14}">{_safe(bar.label)}</text>'
            )
    return _svg(WIDTH, HEIGHT, body, f"{up} by {across.lower()}")


def timeline(marks: Sequence[Mark], *, span: tuple[float, float], title: str, ends: tuple[str, str]) -> str:
    """Draw scores over time around one interval.

    Parameters
    ----------
    marks
        What was raised.
    span
        Start and end of the shaded interval, 0..1 across.
    title
        Read aloud instead of the picture.
    ends
        Text below the left and the right end.
    """
    wide, high = 250, 84
    shade_x = 4 + span[0] * (wide - 8)
    shade_wide = max(1.5, (span[1] - span[0]) * (wide - 8))
    body = [
        f'<rect class="shade" x="{shade_x:.1f}" y="4" width="{shade_wide:.1f}" height="{high - 22}"/>',
        f'<line class="axis" x1="4" x2="{wide - 4}" y1="{high - 18}" y2="{high - 18}"/>',
        f'<text class="tick" x="4" y="{high - 5}">{_safe(ends[0])}</text>',
        f'<text class="tick end" x="{wide - 4}" y="{high - 5}">{_safe(ends[1])}</text>',
    ]
    for mark in marks:
        x = 4 + min(1.0, max(0.0, mark.at)) * (wide - 8)
        y = 6 + (1 - min(100.0, max(0.0, mark.score)) / 100) * (high - 26)
        body.append(
            f'<circle class="dot {_safe(mark.style)}" cx="{x:.1f}" cy="{y:.1f}" r="3.5">'
            f"<title>{_safe(mark.label)}</title></circle>"
        )
    return _svg(wide, high, body, title)


def _axes(across: str, up: str, ticks: Sequence[tuple[float, str]], *, across_ticks: bool = True) -> str:
    """Draw both axes with their names and grid lines."""
    parts = []
    for share, label in ticks:
        y = _y(share)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 5}" y="{y + 3:.1f}">{_safe(label)}</text>')
        if across_ticks:
            parts.append(
                f'<text class="tick middle" x="{_x(share):.1f}" y="{HEIGHT - BOTTOM + 14}">{_safe(label)}</text>'
            )
    parts.append(
        f'<text class="name middle" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 4}">{_safe(across)}</text>'
    )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text class="name middle" transform="translate(10 {middle:.0f}) rotate(-90)">{_safe(up)}</text>')
    return "".join(parts)


def _svg(wide: int, high: int, body: Sequence[str], title: str) -> str:
    """Close the picture."""
    return (
        f'<svg role="img" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}">'
        f"<title>{_safe(title)}</title>{''.join(body)}</svg>"
    )


def _x(share: float) -> float:
    """Place a share across."""
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    """Place a share up."""
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _safe(text: str) -> str:
    """Escape text for use in markup and in attributes."""
    return html.escape(text, quote=True)
