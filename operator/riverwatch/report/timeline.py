"""Stage 7: detections over time as a picture, one lane for each severity, for the HTML report.

Pure: detections and the time that was read in, SVG out. Each mark is a link to its detection and says what it is
when pointed at; a table below the picture holds the same facts, so nothing depends on seeing it. Called by `report.html`.
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

ROW = 9
"""Height of one row inside a lane."""

ROWS = 5
"""Rows inside a lane: marks that would lie on each other are moved down, as far as there is room."""

LANE = ROW * ROWS + 12
"""Height of a lane."""

BOTTOM = 26
"""Room for the times."""

TICKS = 5
"""Times written below."""

MARK = 4
"""Half the height of a mark; its least width is twice that."""


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
    high = TOP + LANE * len(lanes) + BOTTOM
    parts = [_axis(scale, high)]
    for number, severity in enumerate(lanes):
        top = TOP + number * LANE
        parts.append(_lane(severity, top, [item for item in detections if item.severity is severity], scale))
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
) -> markup.Markup:
    parts = [markup.tag("text", severity.value, x="0", y=str(top + LANE // 2 + 4))]
    free = [float("-inf")] * ROWS
    for item in sorted(detections, key=lambda item: (item.first_seen_s, item.uid)):
        left, right = scale.x(item.first_seen_s) - MARK, scale.x(item.last_seen_s) + MARK
        row = next((n for n in range(ROWS) if free[n] < left), min(range(ROWS), key=free.__getitem__))
        free[row] = max(free[row], right)
        parts.append(_mark(item, left=left, right=right, top=top + 6 + row * ROW))
    return markup.tag("g", *parts, class_=severity.value.lower())


def _mark(item: finding.Detection, *, left: float, right: float, top: int) -> markup.Markup:
    told = f"{item.severity.value} {item.score:.0f}: {item.title} ({words.moment(item.first_seen_s)})"
    shape = markup.tag(
        "rect",
        markup.tag("title", words.plain(told, 256)),
        class_="mark",
        x=f"{left:.1f}",
        y=str(top),
        width=f"{right - left:.1f}",
        height=str(2 * MARK - 1),
        rx=str(MARK - 1),
    )
    return markup.tag("a", shape, href=f"#d-{item.uid}")
