"""From recordings and alerts to a report, a page and tables; splits and pooling."""

import json
import re
import xml.etree.ElementTree as ET

import material as m
import msgspec
import pytest

from riverwatch import errors
from riverwatch.lab.evaluation import assemble, page, pooling, report, splits, table

HOSTILE = '<script>alert("x")</script>'


def recording(seed: int = 4001) -> report.Recording:
    return report.Recording(folder="fortnight", seed=seed, records=1000)


def judged(seed: int = 4001) -> pooling.Judged:
    truth = m.labels(
        m.attack("dump", 30, 31),
        m.attack("early", 2, 3),
        m.attack("unseen", 44, 45),
        m.happening(HOSTILE, 40, 41),
        seed=seed,
    )
    found = (
        m.alert("t", 30.5, score=80),
        msgspec.structs.replace(m.alert("f", 40.5, who=m.APP), title=HOSTILE),
        m.alert("learning", 2.5),
    )
    return pooling.Judged(labels=truth, found=found)


def material(**more) -> report.Material:
    runs = {report.Mode.RULES: [judged()], report.Mode.BOTH: [judged()]}
    return assemble.assemble([recording()], runs, **more)


def test_leaves_the_learning_period_out():
    told = material(learning_s=86_400.0).report
    assert told.left_out == 1
    assert told.modes["both"].attacks == 2
    assert told.modes["both"].alerts == 2
    assert told.modes["both"].days == pytest.approx(1.0)


def test_refuses_a_learning_period_as_long_as_the_recording():
    with pytest.raises(errors.BadInputError, match="learning period"):
        material(learning_s=2 * 86_400.0)


def test_refuses_tuning_and_evaluation_seeds_in_one_figure():
    tuned = min(splits.TUNING_SEEDS)
    runs = {report.Mode.BOTH: [judged(), judged(tuned)]}
    with pytest.raises(errors.BadInputError, match="evaluate them apart"):
        assemble.assemble([recording(), recording(tuned)], runs)


def test_keeps_the_two_splits_disjoint():
    assert not splits.TUNING_SEEDS & splits.EVALUATION_SEEDS


def test_pools_two_recordings_as_two_lengths_of_days():
    runs = {report.Mode.BOTH: [judged(), judged(5003)]}
    figures = assemble.assemble([recording(), recording(5003)], runs).report.modes["both"]
    one = assemble.assemble([recording()], {report.Mode.BOTH: [judged()]}).report.modes["both"]
    assert (figures.attacks, figures.alerts, figures.days) == (2 * one.attacks, 2 * one.alerts, 2 * one.days)
    assert (figures.recall, figures.precision, figures.recall_at) == (one.recall, one.precision, one.recall_at)


def test_writes_a_report_that_reads_back():
    told = material().report
    assert msgspec.json.decode(report.encode(told), type=report.Report) == told
    assert json.loads(report.encode(told))["modes"]["rules"]["false_by_happening"][HOSTILE] == 1


def test_draws_a_page_that_loads_nothing_and_escapes_everything():
    text = page.render(material())
    assert "<script" not in text
    assert not re.search(r"(src|href)\s*=|url\(|@import", text)
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        ET.fromstring(svg)
    assert text.count("<svg") == 2 + 3
    assert text.count("not seen") == 1


def test_shows_each_mode_beside_the_others():
    shown = table.side_by_side(material().report)
    assert shown.head == ("figure", "rules", "both")
    rows = {row[0]: row[1:] for row in shown.rows}
    assert rows["recall"] == ("66.7%", "66.7%")
    assert all(len(row) == 3 for row in shown.rows)


def test_shows_live_latency_when_it_was_measured():
    live = report.Latency(attacks=3, seen=2, median_s=0.8, p95_s=2.1, missed=["walk"])
    rows = {row[0]: row[1] for row in table.side_by_side(material(latency=live).report).rows}
    assert rows["live, request to visible, median"] == "0.8 s"
    assert rows["live, attacks seen"] == "2 of 3"
