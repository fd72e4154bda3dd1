"""`riverwatch lab evaluate`: precision, recall, alert volume and time to detect on recordings.

Thin: options in, `lab.evaluation` asked, a table on standard output, JSON and a page into files. Exit status: 0 done,
1 bad input, 2 wrong usage.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Annotated

import rich.console
import rich.progress
import rich.table
import typer

from riverwatch import errors
from riverwatch.cli import lab
from riverwatch.lab import world
from riverwatch.lab.evaluation import alerts, assemble, page, pooling, replaying, report, table
from riverwatch.scoring import policy, policy_files

LEARNING_DAYS = policy.DEFAULT_LEARNING_S / world.DAY_S
"""Days at the start of a recording that are only learned from: what the built-in policy asks for."""

PLAIN_WIDTH = 140
"""Columns of a table that is not shown on a terminal: wide enough for every cell."""

Files = Annotated[
    list[str] | None,
    typer.Option(
        "--detections",
        metavar="[MODE=]FILE",
        help="Judge what `replay -o jsonl` printed instead of replaying; MODE is rules, models or both.",
    ),
]


@lab.app.command()
def evaluate(
    recordings: Annotated[list[pathlib.Path], typer.Argument(help="Folders that `lab record` wrote.")],
    *,
    policies: Annotated[list[pathlib.Path] | None, typer.Option("--policy", help="Policies in force.")] = None,
    detections: Files = None,
    modes: Annotated[
        list[report.Mode] | None, typer.Option("--mode", help="Only this mode; all three by default.")
    ] = None,
    learning_days: Annotated[
        float, typer.Option(min=0, help="Days at the start in which nothing is raised or counted.")
    ] = LEARNING_DAYS,
    latency: Annotated[
        pathlib.Path | None, typer.Option(help="Live latency that `lab latency` wrote, to show beside the rest.")
    ] = None,
    json_file: Annotated[pathlib.Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    html_file: Annotated[pathlib.Path | None, typer.Option("--html", help="Write the page with plots here.")] = None,
) -> None:
    """Say how good the detections are on recordings whose truth is known."""
    with lab.reported():
        loaded = [replaying.load(folder) for folder in recordings]
        learning_s = learning_days * world.DAY_S
        assemble.check([one.about for one in loaded], [one.labels for one in loaded], learning_s=learning_s)
        if detections:
            judged = _given(loaded, detections)
        else:
            judged = _replayed(loaded, modes or list(report.Mode), learning_s=learning_s, policies=policies or [])
        material = assemble.assemble(
            [one.about for one in loaded],
            judged,
            learning_s=learning_s,
            latency=report.read_latency(latency) if latency else None,
        )
        _write(json_file, report.encode(material.report))
        _write(html_file, page.render(material).encode())
        _show(material.report)


def _given(loaded: Sequence[replaying.Loaded], files: Sequence[str]) -> dict[report.Mode, list[pooling.Judged]]:
    """Read detections from files."""
    if len(loaded) > 1:
        raise errors.BadInputError("--detections belongs to one recording; give one folder")
    judged = {}
    for entry in files:
        word, equals, rest = entry.partition("=")
        if equals and word in {mode.value for mode in report.Mode}:
            mode, path = report.Mode(word), pathlib.Path(rest)
        else:
            mode, path = report.Mode.BOTH, pathlib.Path(entry)
        judged[mode] = [pooling.Judged(labels=loaded[0].labels, found=tuple(alerts.read(path)))]
    return judged


def _replayed(
    loaded: Sequence[replaying.Loaded],
    modes: Sequence[report.Mode],
    *,
    learning_s: float,
    policies: Sequence[pathlib.Path],
) -> dict[report.Mode, list[pooling.Judged]]:
    """Replay every recording in every mode, with a progress bar on standard error."""
    in_force = policy_files.load_policy_files(policies) if policies else policy.DEFAULT
    judged: dict[report.Mode, list[pooling.Judged]] = {}
    with rich.progress.Progress(console=rich.console.Console(stderr=True), transient=True) as bar:
        for mode in modes:
            judged[mode] = []
            for one in loaded:
                task = bar.add_task(f"{one.about.folder}: {mode.value}", total=None)

                def moved(done: int, whole: int, task: rich.progress.TaskID = task) -> None:
                    bar.update(task, completed=done, total=whole or None)

                judged[mode].append(
                    replaying.judge(one, mode, learning_s=learning_s, policies=in_force, progress=moved)
                )
    return judged


def _write(path: pathlib.Path | None, content: bytes) -> None:
    """Write a file if one was asked for."""
    if path is None:
        return
    try:
        path.write_bytes(content)
    except OSError as problem:
        raise errors.BadInputError(f"cannot be written: {problem.strerror}", where=str(path)) from problem


def _show(told: report.Report) -> None:
    """Print the tables."""
    console = rich.console.Console()
    if not console.is_terminal:
        console = rich.console.Console(width=PLAIN_WIDTH)
    main = told.modes.get(report.Mode.BOTH) or next(iter(told.modes.values()))
    for content in (
        table.side_by_side(told),
        table.groups(main.visibilities),
        table.groups(main.use_cases),
        table.happenings(main),
        table.attacks(main),
    ):
        grid = rich.table.Table(box=None, title=content.title, title_justify="left", title_style="bold")
        for index, name in enumerate(content.head):
            grid.add_column(name, justify="right" if index in content.numbers else "left")
        for row in content.rows:
            grid.add_row(*row)
        console.print(grid, "")
    if told.left_out:
        console.print(f"{told.left_out} attacks began in the learning period and are left out", highlight=False)
