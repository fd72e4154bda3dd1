"""Stage 7: detections over time as a picture, one lane for each severity, for the HTML report.

Pure: detections and the time that was read in, SVG out. Each mark is a link to its detection and says what it is
when pointed at; the table below the picture holds the same facts, so nothing depends on seeing it. Called by
`report.html`.
"""

from __future__ import annotations

from collections.abc import Sequence

from riverwatch import vocabulary
from riverwatch.detections import finding
from riverwatch.report import context as report_context
from riverwatch.report import markup, words

WIDTH = 1_080
"""Width of the drawing, in its own units."""

LEFT = 74
"""Room for the names of the lanes."""

RIGHT = 16
"""Room right of the last mark."""

TOP = 8
"""Room above the first lane."""

ROW = 10
"""Height of one row inside a lane."""

MAX_ROWS = 12
"""Rows inside a lane: marks that would lie on each other are moved down, as far as there is room."""

GAP = 14
"""Room between two lanes."""

BOTTOM = 26
"""Room for the times."""

TICKS = 5
"""Times written below."""

MARK = 4
"""Half the width and height of a mark."""


def draw(detections: Sequence[finding.Detection], context: report_context.Context) -> markup.Markup:
    """Draw the timeline.

    Parameters
    ----------
    detections
        At least one.
    context
        Tells the time that was read.
    """
    lanes = sorted({item.severity for item in detections}, key=lambda severity: -severity.rank)
    begin_s = min([item.first_seen_s for item in detections] + _known(context.first_s))
    end_s = max([item.last_seen_s for item in detections] + _known(context.last_s))
    scale = _Scale(begin_s, max(end_s, begin_s + 1.0))
    parts: list[markup.Markup] = []
    top = TOP
    for severity in lanes:
        lane, rows = _lane(severity, top, [item for item in detections if item.severity is severity], scale)
        parts.append(lane)
        top += rows * ROW + GAP
    high = top + BOTTOM
    parts.insert(0, _axis(scale, high))
    label = (
        f"{words.counted(len(detections), 'detection')} between {words.moment(begin_s)} and {words.moment(end_s)} UTC"
    )
    return markup.tag(
        "svg",
        *parts,
        class_="timeline",
        viewBox=f"0 0 {WIDTH} {high}",
        role="group",
        aria_label=label,
    )


def _known(time_s: float | None) -> list[float]:
    return [] if time_s is None else [time_s]


class _Scale:
    """Time -> place across."""

    def __init__(self, begin_s: float, end_s: float) -> None:
        self.begin_s = begin_s
        self.end_s = end_s

    def x(self, time_s: float) -> float:
        """Return the place of a time."""
        share = (time_s - self.begin_s) / (self.end_s - self.begin_s)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    def ticks(self) -> list[tuple[float, str, str]]:
        """Return place, text and alignment of the times below."""
        texts = [words.moment(self.begin_s + (self.end_s - self.begin_s) * n / (TICKS - 1)) for n in range(TICKS)]
        if texts[0][:10] == texts[-1][:10]:
            texts = [texts[0], *[text[11:] for text in texts[1:]]]
        elif self.end_s - self.begin_s > 2 * 86_400.0:
            texts = [text[:10] for text in texts]
        else:
            texts = [text[:16] for text in texts]
        places = [LEFT + (WIDTH - LEFT - RIGHT) * n / (TICKS - 1) for n in range(TICKS)]
        styles = ["", *["middle"] * (TICKS - 2), "end"]
        return list(zip(places, texts, styles, strict=True))


def _axis(scale: _Scale, high: int) -> markup.Markup:
    parts = []
    for x, text, style in scale.ticks():
        parts.append(
            markup.void("line", class_="grid", x1=f"{x:.0f}", x2=f"{x:.0f}", y1=str(TOP), y2=str(high - BOTTOM))
        )
        parts.append(markup.tag("text", text, class_=style, x=f"{x:.0f}", y=str(high - 8)))
    return markup.joined(*parts)


def _lane(
    severity: vocabulary.Severity, top: int, detections: Sequence[finding.Detection], scale: _Scale
) -> tuple[markup.Markup, int]:
    """Draw one lane; return it and how many rows it needed."""
    parts: list[markup.Markup] = []
    taken: list[float] = []
    for item in sorted(detections, key=lambda item: (item.first_seen_s, item.uid)):
        left = scale.x(item.first_seen_s) - MARK
        row = next((place for place, until in enumerate(taken) if until < left), len(taken))
        if row == len(taken) and row < MAX_ROWS:
            taken.append(left)
        row = min(row, len(taken) - 1)
        taken[row] = max(taken[row], left + 2 * MARK + 1)
        parts.append(_mark(item, scale, middle=top + MARK + row * ROW))
    middle = top + len(taken) * ROW // 2 + 4
    name = markup.tag("text", severity.value, x="0", y=str(middle))
    return markup.tag("g", name, *parts, class_=severity.value.lower()), len(taken)


def _mark(item: finding.Detection, scale: _Scale, *, middle: int) -> markup.Markup:
    """Draw a mark where the detection begins and a line to where it ends."""
    told = f"{item.severity.value} {item.score:.0f}: {item.title} ({words.moment(item.first_seen_s)})"
    left, right = scale.x(item.first_seen_s), scale.x(item.last_seen_s)
    dot = markup.void("circle", class_="mark", cx=f"{left:.1f}", cy=str(middle), r=str(MARK))
    line = markup.NOTHING
    if right - left > MARK:
        line = markup.void("path", class_="rest", d=f"M{left:.1f} {middle}H{right:.1f}")
    return markup.tag("a", markup.tag("title", words.plain(told, 256)), line, dot, href=f"#d-{item.uid}")
