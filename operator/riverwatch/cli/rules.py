"""``riverwatch rules``: list the rules, run their cases, explain one, write the reference pages.

Works on the built-in catalogue and on files or folders of one's own; needs no cluster.
"""

from __future__ import annotations

import enum
import importlib
import pathlib
import re
from typing import Annotated

import msgspec
import typer

from riverwatch import errors, generated
from riverwatch.activity import derived
from riverwatch.api import yaml_text
from riverwatch.rules import base, bounds, cases, loading, pages, rule, sigma

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List, test and explain rules.")
"""The ``riverwatch rules`` group."""

RULES_PAGE = "rules.md"
"""Name of the page of rules in the folder of the reference."""

FIELDS_PAGE = "derived-fields.md"
"""Name of the page of derived fields."""


_OBJECT = re.compile(r"(?m)^kind: *DetectionRule\b")


_CONDITION = re.compile(r"(?m)^(?:detection|correlation):\n(?:[ \t].*\n|\n)+")


class Output(enum.StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"


@app.command("list")
def list_rules(
    output: Annotated[Output, typer.Option("-o", "--output", help="table or json")] = Output.TABLE,
) -> None:
    """Print every built-in rule with severity, audit level and technique."""
    cards = _cards(loading.load_catalog())
    if output is Output.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode(cards)).decode())
        return
    rows = [("RULE", "SEVERITY", "NEEDS", "ATT&CK", "TITLE")]
    rows += [
        (
            card.id,
            card.severity.value if card.raises else "context",
            card.audit_level.value,
            " ".join(technique.id for technique in card.techniques),
            card.title,
        )
        for card in cards
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        typer.echo("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[4]]))


@app.command("test")
def run_cases(
    paths: Annotated[
        list[pathlib.Path] | None, typer.Argument(help="Rule files or folders; the built-in rules when none is given.")
    ] = None,
) -> None:
    """Compile rules and run the cases beside them."""
    texts = [text for path in paths for text in _texts_in(path)] if paths else _built_in_texts()
    if not texts:
        raise errors.BadInputError("no rule files found", where=", ".join(map(str, paths or ())))
    failed = ran = 0
    for origin, text, case_text in texts:
        try:
            count, failures = _run(origin, text, case_text)
        except errors.BadRuleError as error:
            typer.echo(str(error), err=True)
            failed += 1
            continue
        ran += count
        failed += len(failures)
        for failure in failures:
            typer.echo(f"{origin}: case {failure.case!r}: {failure.reason}", err=True)
    typer.echo(f"{len(texts)} rules, {ran} cases, {failed} failed")
    if failed:
        raise typer.Exit(1)


@app.command()
def explain(rule_id: Annotated[str, typer.Argument(help="Id of a built-in rule.")]) -> None:
    """Print everything about one rule: what it looks for, its condition, what it cannot see, what to do."""
    for path, file in loading.rule_files():
        if path.rpartition("/")[2] == rule_id:
            text = file.read_text(encoding="utf-8")
            compiled = sigma.compile_text(text, origin=f"{path}{loading.RULE_ENDING}", default_id=rule_id)
            beside = loading.catalog_folder().joinpath(path + loading.CASES_ENDING)
            found = cases.parse(beside.read_text(encoding="utf-8"), origin=path)
            typer.echo(_explanation(compiled, text, found))
            return
    raise errors.BadInputError(f"no built-in rule {rule_id!r}; see riverwatch rules list")


@app.command()
def docs(
    folder: Annotated[pathlib.Path, typer.Argument(help="Folder of the reference pages.")] = pathlib.Path(
        "docs/reference"
    ),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a page would change.")] = False,
) -> None:
    """Write the reference pages of rules and of derived fields."""
    files = {pathlib.Path(name): text for name, text in reference_pages().items()}
    if not check:
        generated.write(files, root=folder)
    elif stale := generated.stale(files, root=folder):
        raise errors.BadInputError("the page is out of date; run: riverwatch rules docs", where=str(stale[0]))


def reference_pages() -> dict[str, str]:
    """Return the generated reference pages by file name."""
    return {RULES_PAGE: pages.markdown(_cards(loading.load_catalog())), FIELDS_PAGE: derived.markdown()}


def _cards(rules: tuple[rule.Rule, ...]) -> list[base.RuleCard]:
    return [one.card for one in rules if one.output]


def _built_in_texts() -> list[tuple[str, str, str | None]]:
    found = []
    for path, file in loading.rule_files():
        beside = loading.catalog_folder().joinpath(path + loading.CASES_ENDING)
        case_text = beside.read_text(encoding="utf-8") if beside.is_file() else None
        found.append((f"{path}{loading.RULE_ENDING}", file.read_text(encoding="utf-8"), case_text))
    return found


def _texts_in(path: pathlib.Path) -> list[tuple[str, str, str | None]]:
    if not path.exists():
        raise errors.BadInputError("no such file or folder", where=str(path))
    files = sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
    found = []
    for file in files:
        if file.name.endswith((loading.CASES_ENDING, ".cases.yaml")):
            continue
        beside = file.with_name(file.stem + loading.CASES_ENDING)
        case_text = beside.read_text(encoding="utf-8") if beside.exists() else None
        found.append((str(file), file.read_text(encoding="utf-8"), case_text))
    return found


def _run(origin: str, text: str, case_text: str | None) -> tuple[int, list[cases.Failure]]:
    if _OBJECT.search(text):
        return _run_objects(origin, text)
    compiled = sigma.compile_text(text, origin=origin, default_id=pathlib.PurePath(origin).stem)
    if case_text is None:
        return 0, []
    found = cases.parse(case_text, origin=origin.removesuffix(loading.RULE_ENDING) + loading.CASES_ENDING)
    return len(found), cases.run(compiled, found, rule_id=compiled[-1].card.id)


def _run_objects(origin: str, text: str) -> tuple[int, list[cases.Failure]]:
    """Examine DetectionRule objects by the code that does so in a cluster."""
    examine = importlib.import_module("riverwatch.control.rules").examine
    ran, failures = 0, []
    for body in yaml_text.read(text, where=origin):
        if isinstance(body, dict) and body.get("kind") == "DetectionRule":
            found = examine(body)
            ran += found.passed + found.failed
            if not found.rules:
                name = (body.get("metadata") or {}).get("name", "")
                failures.append(cases.Failure(f"{origin} {name}".strip(), found.message))
    return ran, failures


def _explanation(rules: tuple[rule.Rule, ...], text: str, found: tuple[cases.Case, ...]) -> str:
    card = rules[-1].card
    lines = [
        f"{card.id}: {card.title}",
        "",
        card.description,
        "",
        f"severity        {card.severity.value}{'' if card.raises else ' (context: raises nothing alone)'}",
        f"use case        {card.use_case.value}",
        f"needs           audit level {card.audit_level.value}",
        f"maturity        {card.maturity.value}",
        f"covers          {', '.join(card.covers)}",
        *(f"technique       {t.id} {t.name} ({t.tactic}, ATT&CK {t.attack_version})" for t in card.techniques),
        *(f"asked about     {line}" for one in rules if one.condition for line in bounds.lines(one.condition.boxes)),
        *(f"false positive  {line}" for line in card.false_positives),
        *(f"blind spot      {line}" for line in card.blind_spots),
        *(f"do              {line}" for line in card.recommendations),
        *(f"{'fires on' if case.fires else 'quiet on':<16}{case.name}" for case in found),
        "",
        *(block[0].rstrip() for block in _CONDITION.finditer(text)),
    ]
    return "\n".join(lines)
