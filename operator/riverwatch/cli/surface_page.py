"""How ``riverwatch surface`` reads on a terminal: short blocks, the worst first, nothing taken for markup."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

import rich.console
import rich.text

from riverwatch.report import words
from riverwatch.runtime import attack_surface, coverage

MAX_RULES = 12
"""Rules named in one block; JSON holds all."""

MAX_IDENTITIES = 30
"""Identities shown; JSON holds all."""

MAX_NAMES = 4
"""Names in one enumeration."""

STYLES = {"Critical": "bold white on red", "High": "bold red", "Medium": "bold yellow", "Low": "bold cyan"}
"""Colour of a severity; the word is printed, too."""


def coverage_part(report: coverage.Report, console: rich.console.Console) -> None:
    """Print the blind spots."""
    _title(console, "What the audit stream shows")
    _line(console, f"{report.looked_at:,} records of {len(report.policy)} kinds of requests were looked at.")
    if not report.enough:
        _line(console, f"That is little: at least {coverage.ENOUGH} are needed before absence means anything.")
    _sights(
        console,
        report.of(coverage.Sight.NOT_RECORDED),
        "cannot fire, because such requests are not recorded",
        "bold red",
    )
    _sights(console, report.of(coverage.Sight.TOO_LOW), "cannot fire, because the audit level is too low", "bold red")
    _sights(console, report.of(coverage.Sight.PARTLY), "see only a part", "bold yellow")
    unseen = report.of(coverage.Sight.NOT_SEEN)
    if unseen:
        _line(
            console, f"{words.counted(len(unseen), 'rule')} had nothing to look at yet: nothing of the kind happened."
        )
    for model in report.models:
        _line(console, f"The model {model.model} misses {', '.join(model.missing)}.", style="bold yellow")
    for note in report.notes:
        _line(console, note, style="yellow")
    if report.enough and not report.blind and not report.models:
        _line(console, "No rule and no model is blind.", style="bold green")
    console.print()
    _title(console, "Audit policy as it was seen")
    for level, kinds in _policy(report):
        _line(console, f"{level}: {kinds}", indent=2)


def surface_part(surface: attack_surface.Surface, console: rich.console.Console) -> None:
    """Print the attack-surface map."""
    _title(console, "Attack surface")
    _line(
        console,
        f"{words.counted(surface.accounts, 'service account')}, {surface.mounted} of them with a token in "
        f"{words.counted(surface.pods, 'pod')}; "
        f"{words.counted(len(surface.identities), 'holder')} of dangerous rights.",
    )
    for opened in surface.open_bindings:
        if opened.rights or not opened.default:
            _open(console, opened)
    for identity in surface.identities[:MAX_IDENTITIES]:
        console.print()
        _identity(console, identity)
    left = len(surface.identities) - MAX_IDENTITIES
    if left > 0:
        console.print()
        _line(console, f"and {words.counted(left, 'less dangerous holder')}; -o json shows all.")


def _sights(console: rich.console.Console, found: Sequence[coverage.RuleSight], text: str, style: str) -> None:
    if not found:
        return
    _line(console, f"{words.counted(len(found), 'rule')} {text}:", style=style)
    for one in found[:MAX_RULES]:
        where = f"; {_some(one.where)}" if one.where else ""
        _line(console, f"{one.severity:<8}  {one.rule}: needs {one.needs}{where}", indent=2)
    if len(found) > MAX_RULES:
        _line(console, f"and {len(found) - MAX_RULES} more; -o json shows all.", indent=2)


def _policy(report: coverage.Report) -> Iterable[tuple[str, str]]:
    """Group the inferred policy by level, kinds with the most records first."""
    by_level: dict[str, collections.Counter[str]] = {}
    for name, access, level, records in report.policy:
        by_level.setdefault(level, collections.Counter())[f"{access} {name}"] += records
    for level in reversed(coverage.LEVELS):
        if level in by_level:
            names = [name for name, _ in by_level[level].most_common()]
            yield level, _some(names, limit=10)


def _open(console: rich.console.Console, opened: attack_surface.OpenBinding) -> None:
    rights = f", among it {', '.join(opened.rights)}" if opened.rights else ""
    where = f"in {opened.namespace}" if opened.namespace else "in the whole cluster"
    text = f"Open: {opened.subject} has {opened.role} {where}{rights} ({opened.binding})"
    _line(console, text, style="bold red" if opened.rights else "yellow")


def _identity(console: rich.console.Console, one: attack_surface.Identity) -> None:
    head = rich.text.Text()
    head.append(f"{one.severity.upper()} {one.danger:g}", style=STYLES.get(one.severity, "bold"))
    head.append(f"  {words.plain(one.label)}")
    _wrapped(console, head, 0)
    together: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for grant in one.grants:
        together.setdefault((grant.namespaces, grant.bindings), []).append(grant.meaning)
    for (namespaces, bindings), meanings in together.items():
        where = f"in {_some(namespaces)}" if namespaces else "in the whole cluster"
        _line(console, f"{where} ({_some(bindings)}): {'; '.join(meanings)}", indent=4)
    if one.pods:
        _line(console, f"its token lies in {words.counted(one.pods, 'running pod')} of {one.namespace}", indent=4)
    if one.reached_by:
        _line(console, f"reached by {_some(one.reached_by)}", indent=4)


def _some(names: Sequence[str], *, limit: int = MAX_NAMES) -> str:
    shown = ", ".join(words.plain(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def _title(console: rich.console.Console, text: str) -> None:
    _line(console, text, style="bold")


def _line(console: rich.console.Console, text: str, *, indent: int = 0, style: str = "") -> None:
    _wrapped(console, rich.text.Text(words.plain(text, 2_000), style=style), indent)


def _wrapped(console: rich.console.Console, text: rich.text.Text, indent: int) -> None:
    """Print a text, later lines moved in a little more than the first."""
    for number, line in enumerate(text.wrap(console, max(20, console.width - indent - 2))):
        line.rstrip()
        before = " " * (indent + (2 if number else 0))
        console.print(rich.text.Text(before).append_text(line), soft_wrap=True, highlight=False)
