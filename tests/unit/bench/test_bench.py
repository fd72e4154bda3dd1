"""The benchmark works: every plan runs, small, and its figures make sense; how fast it is, is no test."""

from __future__ import annotations

import csv
import json
import pathlib
import subprocess
import sys

import pytest
import typer.testing

from riverwatch import errors
from riverwatch.bench import figures, load, page, peers, plans, sampling, task_client, task_files, workload
from riverwatch.cli import bench
from riverwatch.sources import base, decode

SIZE = load.Size(records=2_000)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> workload.Workload:
    return workload.made_as(tmp_path_factory.mktemp("load"), SIZE, seed=3)


@pytest.fixture(scope="module")
def report(work: workload.Workload) -> dict:
    made = plans.run(plans.wanted(""), work, seed=3, rounds=1, small=True)
    return page.plain(made)


def rows_of(report: dict, name: str) -> list[dict]:
    return next(result for result in report["results"] if result["id"] == name)["rows"]


def test_every_benchmark_is_in_the_report(report: dict) -> None:
    assert [result["id"] for result in report["results"]] == list(plans.PLANS)
    assert report["records"] == SIZE.records
    for result in report["results"]:
        assert result["rows"], result["id"]
        assert result["ratios"], result["id"]


@pytest.mark.parametrize("name", ["B1", "B2", "B3"])
def test_every_contender_sees_every_record(report: dict, name: str) -> None:
    for row in rows_of(report, name):
        assert [run["records"] for run in row["runs"]] == [SIZE.records], row["name"]
        assert row["recordsPerCpuSecond"]["median"] > 0
        assert row["coreMsPer1000"] > 0


def test_nothing_is_refused_or_lost_over_the_webhook(report: dict) -> None:
    for name in ("B2", "B3", "B6"):
        for row in rows_of(report, name):
            for run in row["runs"]:
                assert run.get("answers other", 0) == 0
                assert run.get("faults", 0) == 0
    burst = next(result for result in report["results"] if result["id"] == "B6")
    assert {one["name"]: one["value"] for one in burst["ratios"]}["batches lost"] == 0


def test_every_probe_beside_the_noise_is_seen(report: dict) -> None:
    fairness = next(result for result in report["results"] if result["id"] == "B10")
    missing = [one["value"] for one in fairness["ratios"] if one["name"].startswith("probes not seen")]
    assert missing == [0, 0]
    for row in fairness["rows"]:
        assert row["runs"][0]["slowest ms"] > 0


def test_the_breakdown_covers_the_whole_cost(report: dict) -> None:
    files = next(result for result in report["results"] if result["id"] == "B1")
    for row in files["rows"]:
        stages = files["coreMsPer1000ByStage"].get(row["name"])
        if stages:
            assert sum(stages.values()) == pytest.approx(row["coreMsPer1000"])


def test_an_absent_peer_costs_one_line(work: workload.Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = figures.Result(id="B1", title="")
    ours = figures.Row(name="ours", samples=[])
    chosen = plans.setting.Setting(work=work, folder=work.folder, rounds=1, small=True, core=0, client_core=0)
    peers.add_file_peers(chosen, result, ours=ours)
    assert result.rows == []
    assert len(result.notes) == 2
    assert all("not installed" in note for note in result.notes)


def test_the_same_seed_makes_the_same_bytes(work: workload.Workload, tmp_path: pathlib.Path) -> None:
    load.write(tmp_path / "same", SIZE, seed=3)
    load.write(tmp_path / "other", SIZE, seed=4)
    names = ("audit.jsonl", "batches.jsonl", "labels.csv")
    assert [(tmp_path / "same" / name).read_bytes() for name in names] == [
        (work.folder / name).read_bytes() for name in names
    ]
    assert (tmp_path / "other" / names[0]).read_bytes() != (work.folder / names[0]).read_bytes()


def test_the_load_is_what_it_says(work: workload.Workload) -> None:
    tally = base.Tally()
    records = decode.RecordDecoder(tally=tally).body(work.audit.read_bytes(), where="load")
    assert (len(records), tally.skipped) == (SIZE.records, {})
    assert len({one.audit_id for one in records}) == SIZE.records
    times = [one.request_received_timestamp for one in records]
    assert times == sorted(times)
    with work.labels.open(encoding="utf-8") as file:
        labelled = {row["auditID"]: row["scenario"] for row in csv.DictReader(file)}
    places = [place for place, one in enumerate(records) if one.audit_id in labelled]
    assert places
    assert min(places) > SIZE.records * 0.2, "the first fifth is quiet"
    assert len(places) < SIZE.records * 0.05
    share = sum(1 for one in records if one.level == "Metadata") / SIZE.records
    assert 0.65 < share < 0.95


def test_every_kind_of_episode_comes_before_one_comes_twice() -> None:
    made = [one.episode for one in load.records(load.Size(records=24_000), seed=5)]
    assert set(made) - {""} == set(load.load_episodes.EPISODES)


def test_bodies_sent_again_are_other_records(work: workload.Workload) -> None:
    bodies = task_client.bodies(work.batch_file)
    seen = [next(bodies) for _ in range(work.batches * 2)]
    tally = base.Tally()
    decoder = decode.RecordDecoder(tally=tally)
    found = [one for body in seen for one in decoder.body(body, where="load")]
    assert len({one.audit_id for one in found}) == SIZE.records * 2
    assert found[SIZE.records].request_received_timestamp[:10] == "2026-01-16"


def test_bodies_sent_again_on_the_same_day_have_other_ids_only(work: workload.Workload) -> None:
    bodies = task_client.bodies(work.batch_file, same_day=True)
    seen = [next(bodies) for _ in range(work.batches * 2)]
    first, again = (
        decode.RecordDecoder(tally=base.Tally()).body(seen[place], where="load") for place in (0, work.batches)
    )
    assert [one.request_received_timestamp for one in first] == [one.request_received_timestamp for one in again]
    assert not {one.audit_id for one in first} & {one.audit_id for one in again}


def test_time_is_told_by_stage_when_the_pipeline_runs(work: workload.Workload) -> None:
    with sampling.Sampler() as looking:
        while looking.looks < 3:
            sum(len(task_files.plain.RECORD.decode_lines(chunk)) for chunk in task_files.chunks(work.audit))
            decode.RecordDecoder(tally=base.Tally()).body(work.audit.read_bytes(), where="load")
    assert sum(looking.shares().values()) == pytest.approx(1.0)
    assert set(looking.shares()) <= {"decode", sampling.OTHER}


@pytest.mark.parametrize(
    ("value", "target", "at_most", "met"),
    [
        pytest.param(2.0, 1.0, False, True, id="above a lower bound"),
        pytest.param(2.0, 1.0, True, False, id="above an upper bound"),
        pytest.param(1.0, 1.0, True, True, id="on the bound"),
        pytest.param(1.0, None, False, None, id="no bound"),
    ],
)
def test_a_ratio_knows_whether_it_is_met(value, target, at_most, met) -> None:
    assert figures.Ratio(name="r", value=value, target=target, at_most=at_most).met is met


def test_an_unknown_benchmark_is_refused() -> None:
    with pytest.raises(errors.BadInputError, match="no benchmark B99"):
        plans.wanted("B1,B99")


def test_a_folder_without_records_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.BadInputError, match=r"audit\.jsonl"):
        workload.opened(tmp_path)


@pytest.mark.slow
def test_the_command_prints_json(work: workload.Workload) -> None:
    arguments = ["--only", "b1", "--small", "-o", "json", "--load", str(work.folder)]
    found = subprocess.run(
        [sys.executable, "-m", "riverwatch", "bench", *arguments], check=True, capture_output=True, text=True
    )
    assert [result["id"] for result in json.loads(found.stdout)["results"]] == ["B1"]


def test_run_may_be_left_out() -> None:
    asked = typer.testing.CliRunner().invoke(bench.app, ["--only", "B99"])
    same = typer.testing.CliRunner().invoke(bench.app, ["run", "--only", "B99"])
    assert isinstance(asked.exception, errors.BadInputError)
    assert str(asked.exception) == str(same.exception)
