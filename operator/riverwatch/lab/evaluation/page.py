"""The HTML page of an evaluation: figures side by side, plots, every attack and every kind of false alert.

`report.Material` in, one self-contained page out: no script, nothing loaded from anywhere, everything escaped. Pure;
called by `lab evaluate`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from riverwatch.lab import world
from riverwatch.lab.evaluation import curves, matching, plots, pooling, report, table

AROUND_S = 12 * 3600.0
"""Time shown before and after an attack, seconds."""

DAY_KEY = '<span class="yes">Of an attack</span>, <span class="no">false</span>.'
"""What the colours of bars mean."""

MARK_KEY = (
    '<span class="yes">Of this attack</span>, <span class="other">of another</span>, <span class="no">false</span>.'
)
"""What the colours of marks mean."""

STYLE = """
:root{--ink:#1c2430;--soft:#5b6675;--line:#d8dee6;--paper:#fff;--good:#1d7f52;--bad:#c2410c;--rules:#7c5cbf;
--models:#b7791f;--both:#1f6feb;--shade:#1f6feb22}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b5;--line:#333d4a;--paper:#12171e;--good:#4ac08a;
--bad:#f08a5d;--rules:#b39ddb;--models:#e0b050;--both:#6ea8fe;--shade:#6ea8fe33}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1120px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}p.note{color:var(--soft)}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.25rem .8rem .25rem 0;text-align:left;
border-bottom:1px solid var(--line);vertical-align:top}td.n,th.n{text-align:right}
.yes{color:var(--good)}.no{color:var(--bad)}.other{color:var(--both)}
.row{display:flex;flex-wrap:wrap;gap:1.5rem}.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));
gap:1rem}.card{border:1px solid var(--line);border-radius:6px;padding:.5rem .7rem}.card h3{font-size:.9rem;margin:0}
.card p{margin:.1rem 0;font-size:.8rem;color:var(--soft)}.scroll{overflow-x:auto}
svg{max-width:100%;height:auto}svg text{fill:var(--ink);font-size:11px}svg .tick{fill:var(--soft);font-size:10px}
svg .end{text-anchor:end}svg .middle{text-anchor:middle}.grid{stroke:var(--line)}.axis{stroke:var(--soft)}
.line{fill:none;stroke-width:2}.shade{fill:var(--shade)}
.line.rules{stroke:var(--rules)}.line.models{stroke:var(--models)}.line.both{stroke:var(--both)}
.dot.rules,.key.rules{fill:var(--rules)}.dot.models,.key.models{fill:var(--models)}.dot.both,.key.both{fill:var(--both)}
.bar.true,.dot.true{fill:var(--good)}.bar.false,.dot.false{fill:var(--bad)}.dot.other{fill:var(--both)}
"""
"""Style of the page, light and dark."""


def render(material: report.Material) -> str:
    """Draw the whole page.

    Parameters
    ----------
    material
        The report and what it was made from.
    """
    told = material.report
    main = _main_mode(told)
    parts = [
        "<h1>How good are the detections?</h1>",
        f'<p class="note">{_safe(_origin(told))}</p>',
        "<h2>Side by side</h2>",
        _table(table.side_by_side(told)),
        '<div class="row">',
        _precision_recall(material),
        _per_day(material, main),
        "</div>",
        f'<p class="note">Alerts a day ({_safe(main)}). {DAY_KEY}</p>',
        f"<h2>Obvious and subtle ({_safe(main)})</h2>",
        _table(table.groups(told.modes[main].visibilities)),
        f"<h2>By use case ({_safe(main)})</h2>",
        _table(table.groups(told.modes[main].use_cases)),
        f"<h2>False alerts by happening ({_safe(main)})</h2>",
        _table(table.happenings(told.modes[main])),
        f"<h2>Every attack ({_safe(main)})</h2>",
        f'<p class="note">Score of alerts about its identities over time; shaded: while it lasted. {MARK_KEY}</p>',
        _attacks(material, main),
        "<h2>What the words mean</h2>",
        _table(table.definitions()),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>riverwatch evaluation</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _main_mode(told: report.Report) -> str:
    """Give the mode that details are shown of: the product when it was measured."""
    return report.Mode.BOTH if report.Mode.BOTH in told.modes else next(iter(told.modes))


def _origin(told: report.Report) -> str:
    """Say in a sentence where the figures come from."""
    seeds = ", ".join(f"{recording.folder} (seed {recording.seed})" for recording in told.recordings)
    learning = f"{told.learning_s / world.DAY_S:g} days, {told.left_out} attacks in it left out"
    return f"Recordings: {seeds}. Split: {told.split.value}. Learning period: {learning}."


def _precision_recall(material: report.Material) -> str:
    """Plot precision against recall, a line for each mode."""
    series = {}
    for mode, judged in material.judged.items():
        points = curves.precision_recall(matching.match(judged.labels, judged.found))
        series[mode] = [(point.recall, point.precision) for point in points]
    return plots.lines(series, across="Recall (attacks)", up="Precision (alerts)")


def _per_day(material: report.Material, mode: str) -> str:
    """Plot alerts a day."""
    judged = material.judged[mode]
    start_s, end_s = world.parse_rfc3339(judged.labels.start), world.parse_rfc3339(judged.labels.end)
    days = curves.per_day(matching.match(judged.labels, judged.found), start_s=start_s, end_s=end_s)
    columns = [
        plots.Bar(label=str(day.day + 1), parts=(("true", day.true_alerts), ("false", day.false_alerts)))
        for day in days
    ]
    return plots.bars(columns, across="Day", up="Alerts")


def _attacks(material: report.Material, mode: str) -> str:
    """Draw a card for each attack."""
    judged = material.judged[mode]
    cards = []
    matched = matching.match(judged.labels, judged.found)
    right = frozenset(alert.key for alert in matched.true_alerts)
    for attack in matched.attacks:
        state = '<span class="no">not seen</span>'
        if attack.detected:
            state = f'<span class="yes">seen after {table.duration(attack.delay_s)}</span>'
        episode = attack.episode
        facts = f"{_safe(episode.visibility)} · {_safe(episode.use_case)} · {state}"
        drawn = _timeline(attack, judged, right)
        cards.append(f'<div class="card"><h3>{_safe(episode.name)}</h3><p>{facts}</p>{drawn}</div>')
    return f'<div class="cards">{"".join(cards)}</div>'


def _timeline(attack: matching.MatchedAttack, judged: pooling.Judged, right: frozenset[str]) -> str:
    """Draw the scores of an attack's identities around it; `right` names the alerts of any attack."""
    begin_s, end_s = attack.start_s - AROUND_S, attack.end_s + AROUND_S
    length_s = end_s - begin_s
    names = {*attack.episode.identities, *attack.episode.impersonated}
    own = {hit.alert.key for hit in attack.hits}
    marks = [
        plots.Mark(
            at=(alert.observed_s - begin_s) / length_s,
            score=alert.score,
            style="true" if alert.key in own else "other" if alert.key in right else "false",
            label=f"{alert.title} ({alert.score:.0f}, {alert.severity})",
        )
        for alert in judged.found
        if alert.key in own or (names.intersection(alert.actors) and begin_s <= alert.observed_s <= end_s)
    ]
    span = ((attack.start_s - begin_s) / length_s, (attack.end_s - begin_s) / length_s)
    ends = (world.rfc3339(begin_s)[5:16].replace("T", " "), world.rfc3339(end_s)[5:16].replace("T", " "))
    return plots.timeline(marks, span=span, title=f"Scores around {attack.episode.name}", ends=ends)


def _table(content: table.Table) -> str:
    """Write a table."""
    head = "".join(f"<th{_class(content, index)}>{_safe(name)}</th>" for index, name in enumerate(content.head))
    body = "".join(f"<tr>{_cells(content, row)}</tr>" for row in content.rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cells(content: table.Table, row: Sequence[str]) -> str:
    """Write the cells of a row."""
    return _joined(f"<td{_class(content, index)}>{_safe(cell)}</td>" for index, cell in enumerate(row))


def _joined(parts: Iterable[str]) -> str:
    """Put markup together."""
    return "".join(parts)


def _class(content: table.Table, index: int) -> str:
    """Align a column of numbers to the right."""
    return ' class="n"' if index in content.numbers else ""


def _safe(text: str) -> str:
    """Escape text for use in markup."""
    return html.escape(text, quote=True)
