"""Stage 7: detections -> blocks of text on a terminal, strongest first.

Reads as well at 80 columns, without colour, and in a file as on a wide terminal. Nothing in a detection is taken for
markup or for control characters. Sentences wrap with a hanging indent; commands never wrap, so that they can be copied.
Called by ``replay -o table``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import rich.console
import rich.padding
import rich.text

from riverwatch import vocabulary
from riverwatch.detections import finding
from riverwatch.report import context as report_context
from riverwatch.report import words

MAX_REASONS = 4
"""Reasons shown in one block; the page and the JSON hold all of them."""

MAX_CHAIN = 10
"""Steps of an incident of several identities shown in one block."""

MAX_STEPS = 2
"""Recommendations shown in one block."""

INDENT = 4
"""Columns by which what explains a detection is moved in."""

STYLES: Mapping[vocabulary.Severity, str] = {
    vocabulary.Severity.CRITICAL: "bold white on red",
    vocabulary.Severity.HIGH: "bold red",
    vocabulary.Severity.MEDIUM: "bold yellow",
    vocabulary.Severity.LOW: "bold cyan",
    vocabulary.Severity.INFO: "bold",
}
"""Colour of a severity; the word is printed, too."""


def render(
    detections: Sequence[finding.Detection], console: rich.console.Console, *, context: report_context.Context
) -> None:
    """Print one block per detection, strongest first, and one line about what was read.

    Parameters
    ----------
    detections
        In any order; when empty, one sentence says what was read and how warm the models were.
    console
        Where to print; its width and colours are used.
    context
        What was read.
    """
    if not detections:
        _sentence(console, words.nothing_found(context))
        _blind_spots(console, context)
        return
    for detection in words.strongest_first(detections):
        _block(console, detection)
        console.print()
    count = words.counted(len(detections), "detection")
    _sentence(console, f"{count}: {words.severities(detections)}. {words.read(context)}", style="bold")
    _sentence(console, words.warmth(context))
    _sentence(console, words.budget(context))
    _blind_spots(console, context)


def _block(console: rich.console.Console, detection: finding.Detection) -> None:
    head = rich.text.Text()
    head.append(f"{detection.severity.value.upper()} {detection.score:.1f}", style=STYLES[detection.severity])
    head.append(f"  {words.stretch(detection.first_seen_s, detection.last_seen_s)}")
    head.append(f"  {words.counted(detection.evidence_count, 'record')}", style="dim")
    _line(console, head, indent=0)
    _line(console, rich.text.Text(words.plain(detection.title, 512), style="bold"), indent=2)
    _line(console, rich.text.Text(f"{words.plain(detection.actor.kind, 64)} {words.actor(detection)}"), indent=2)
    if len(detection.parties) > 1:
        for told in words.chain(detection)[:MAX_CHAIN]:
            _hanging(console, "", rich.text.Text(told))
    shown = detection.explanation[:MAX_REASONS]
    for reason in shown:
        share = f"{max(0.0, reason.contribution):4.0%}  "
        _hanging(console, share, rich.text.Text(words.plain(reason.text)))
    left = len(detection.explanation) - len(shown)
    if left:
        _line(console, rich.text.Text(f"and {words.counted(left, 'more reason')}", style="dim"), indent=INDENT + 6)
    if detection.counterfactual:
        _line(console, rich.text.Text(words.plain(detection.counterfactual), style="italic"), indent=INDENT)
    for step in words.steps(detection)[:MAX_STEPS]:
        _step(console, step)


def _step(console: rich.console.Console, step: words.Step) -> None:
    if step.words:
        end = ":" if step.command else ""
        _hanging(console, "> ", rich.text.Text(f"{step.words}{end}"))
    if step.command:
        mark = "  " if step.words else "> "
        command = rich.text.Text(f"{' ' * INDENT}{mark}{step.command}", style="green")
        console.print(command, soft_wrap=True, highlight=False)


def _hanging(console: rich.console.Console, mark: str, text: rich.text.Text) -> None:
    """Print a text behind a mark, later lines aligned with the first."""
    width = max(20, console.width - INDENT - len(mark))
    for number, line in enumerate(text.wrap(console, width)):
        before = mark if number == 0 else " " * len(mark)
        line.rstrip()
        console.print(rich.text.Text(" " * INDENT + before).append_text(line), soft_wrap=True, highlight=False)


def _line(console: rich.console.Console, text: rich.text.Text, *, indent: int) -> None:
    for line in text.wrap(console, max(20, console.width - indent)):
        line.rstrip()
        console.print(rich.text.Text(" " * indent).append_text(line), soft_wrap=True, highlight=False)


def _sentence(console: rich.console.Console, text: str, *, style: str = "") -> None:
    if text:
        _line(console, rich.text.Text(text, style=style), indent=0)


def _blind_spots(console: rich.console.Console, context: report_context.Context) -> None:
    for spot in context.blind_spots:
        _sentence(console, f"Not seen: {words.plain(spot)}", style="yellow")
