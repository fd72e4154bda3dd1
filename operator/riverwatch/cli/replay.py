"""``riverwatch replay``: the main job with no cluster. Reads audit logs, prints detections.

Thin: options in, `runtime.replay` in the middle, one of `report`'s formats out. Progress and the closing line (read,
used, skipped by reason) go to standard error, detections to standard output. Exit status 0 whether or not something
was found.
"""

from __future__ import annotations

import enum
import pathlib
import sys
from typing import Annotated, Self

import msgspec
import rich.console
import rich.progress
import typer
import yaml

import riverwatch
from riverwatch import clock, errors
from riverwatch.cli import objects as objects_of
from riverwatch.detections import finding, render
from riverwatch.report import context, html, ocsf, table
from riverwatch.rules import engine as rule_engine
from riverwatch.rules import sigma
from riverwatch.runtime import checkpoint, pipeline
from riverwatch.runtime import replay as running
from riverwatch.scoring import policy as policy_set
from riverwatch.scoring import policy_files
from riverwatch.sources import audit_file, base
from riverwatch.state import store

MAX_SHOWN_SKIPS = 10
"""Bad records shown with their place on standard error; the closing line counts all of them."""


SAVE_WITHIN_S = 120.0
"""Seconds that writing the checkpoint may take, over a network included."""


class Format(enum.StrEnum):
    """What is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    OCSF = "ocsf"


def replay(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Audit logs: files, folders, - for standard input.")
    ],
    *,
    policy: Annotated[
        list[pathlib.Path] | None, typer.Option("--policy", help="Policies to apply; may be given several times.")
    ] = None,
    rules: Annotated[
        list[pathlib.Path] | None, typer.Option("--rules", help="Own Sigma rules beside the built-in ones.")
    ] = None,
    objects: Annotated[
        list[pathlib.Path] | None,
        typer.Option("--objects", help="Objects of the cluster (YAML or JSON): pods, service accounts, namespaces."),
    ] = None,
    output: Annotated[Format, typer.Option("-o", "--output", help="What to print.")] = Format.TABLE,
    learn_until: Annotated[
        str, typer.Option(help="RFC 3339 time before which everything is learned and nothing is raised.")
    ] = "",
    state: Annotated[
        str,
        typer.Option(help="Folder or URL of checkpoints: learning goes on from the newest one, and one is written."),
    ] = "",
    report: Annotated[pathlib.Path | None, typer.Option(help="Also write an HTML page.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")] = False,
) -> None:
    """Read audit logs and print what stands out in them.

    Reads JSON lines, EventLists, webhook batches and the deliveries of CloudWatch, Cloud Logging and Azure, plain,
    gzip or zstd, recognised by content.
    """
    until_s = _time(learn_until)
    through = _pipeline(policy or [], rules or [], objects or [], until_s)
    kept = _recovered(state, through) if state else None
    running.calm_collector()
    tally = base.Tally()
    errors_console = rich.console.Console(stderr=True, quiet=quiet)
    with _Progress(errors_console) as shown:
        batches = audit_file.read_paths(paths, tally=tally, progress=shown.bytes_read)
        found = running.replay(batches, through, tally=tally, progress=shown.records)
    if kept is not None:
        kept.take(through)
        if not kept.finish(within_s=SAVE_WITHIN_S) or kept.counts.trouble:
            raise errors.BadInputError(f"the checkpoint was not written: {kept.counts.trouble}", where=state)
    _say_skips(tally)
    shown_context = running.context(through, tally, title=", ".join(paths), version=riverwatch.__version__)
    if report is not None:
        html.write(report, found, context=shown_context)
    _print(found, output, shown_context)
    sys.stderr.write(f"{tally.summary()}; {len(found)} detection{'' if len(found) == 1 else 's'}\n")


def _time(text: str) -> float | None:
    if not text:
        return None
    try:
        return clock.parse_rfc3339(text)
    except ValueError as error:
        raise errors.BadInputError(f"{error}", where="--learn-until") from error


def _pipeline(
    policies: list[pathlib.Path], rules: list[pathlib.Path], objects: list[pathlib.Path], until_s: float | None
) -> pipeline.Pipeline:
    engine = rule_engine.RuleEngine(rule_engine.load_catalog())
    for path in rules:
        engine.replace_user_rules(str(path), sigma.compile_text(_text(path), origin=str(path), default_id=path.stem))
    through = pipeline.Pipeline(
        rules=engine,
        policies=policy_files.load_policy_files(policies) if policies else policy_set.DEFAULT,
        learn_until_s=until_s,
    )
    for path in objects:
        for body in objects_of.read(path):
            through.inventory.upsert(str(body.get("kind", "")), body)
    if through.inventory.namespace_labels:
        through.policies = through.policies.with_namespace_labels(through.inventory.namespace_labels)
    return through


def _recovered(place: str, through: pipeline.Pipeline) -> checkpoint.Checkpointer:
    kept = checkpoint.Checkpointer(store.Store(place), every_s=float("inf"), time=clock.SystemClock())
    recovery = kept.recover(through)
    sys.stderr.write(f"state: {recovery}\n")
    return kept


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.BadInputError(f"cannot be read: {error}", where=str(path)) from error


def _say_skips(tally: base.Tally) -> None:
    for skip in tally.recent[-MAX_SHOWN_SKIPS:]:
        sys.stderr.write(f"skipped {skip}\n")


def _print(found: list[finding.Detection], output: Format, shown: context.Context) -> None:
    if output is Format.TABLE:
        table.render(found, rich.console.Console(), context=shown)
        return
    if output is Format.OCSF:
        bodies = [ocsf.to_ocsf(detection) for detection in found]
    else:
        bodies = [render.to_threat_detection(detection) for detection in found]
    if output is Format.YAML:
        yaml.safe_dump_all(bodies, sys.stdout, sort_keys=False, allow_unicode=True, explicit_start=True)
    elif output is Format.JSON:
        listed = {"apiVersion": "v1", "kind": "List", "items": bodies}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(listed), indent=2).decode() + "\n")
    else:
        sys.stdout.writelines(msgspec.json.encode(body).decode() + "\n" for body in bodies)


class _Progress:
    """A bar on standard error while bytes are read; nothing when standard error is no terminal."""

    def __init__(self, console: rich.console.Console) -> None:
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("reading"),
            rich.progress.BarColumn(),
            rich.progress.TaskProgressColumn(),
            rich.progress.TextColumn("{task.fields[records]:,} records"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("reading", total=None, records=0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def bytes_read(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total or None)

    def records(self, count: int) -> None:
        self._bar.update(self._task, records=count)
