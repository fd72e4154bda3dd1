"""What a DetectionModel says, when it is written, and what is done of what people ask for."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.api import parse
from riverwatch.api.v1alpha1 import model, words
from riverwatch.control import model_report, model_status, model_wishes, models, statuses
from riverwatch.kube import resources
from riverwatch.models import bank, drift
from riverwatch.rules import engine
from riverwatch.runtime import checkpoint, pipeline
from riverwatch.scoring import budget
from riverwatch.sources import base

OPERATOR = "riverwatch-system"
DAY_S = 86_400.0


class Lane:
    """Takes statuses."""

    def __init__(self) -> None:
        self.written: list[statuses.Write] = []

    def submit(self, write: statuses.Write) -> None:
        self.written.append(write)

    def last(self, namespace: str) -> dict:
        return dict(next(one.status for one in reversed(self.written) if one.namespace == namespace))


@pytest.fixture
def source():
    made = pipeline.Pipeline(rules=engine.RuleEngine(()))
    live(made, "web", 200)
    return made


def live(made: pipeline.Pipeline, home: str, count: int, *, start_s: float = testing.START_S) -> None:
    made.process(
        [
            testing.audit_record(
                time_s=start_s + 60.0 * number,
                user=f"system:serviceaccount:{home}:front",
                namespace=home,
                audit_id=f"{home}-{start_s}-{number}",
            )
            for number in range(count)
        ],
        tally=base.Tally(),
    )


def reporter(source, lane, **more) -> models.ModelReporter:
    return models.ModelReporter(
        lane, operator_namespace=OPERATOR, change=lambda run: run(source), time=testing.FakeClock(), **more
    )


def wishes(source) -> model_wishes.ModelWishes:
    return model_wishes.ModelWishes(lambda _, run: run(source), operator_namespace=OPERATOR)


def body(namespace: str, *, name: str = models.OBJECT_NAME, generation: int = 2, **spec) -> dict:
    return {"metadata": {"namespace": namespace, "name": name, "generation": generation}, "spec": spec}


def condition(status: dict, kind: str) -> tuple[str, str]:
    found = next(one for one in status["conditions"] if one["type"] == kind)
    return found["status"], found["reason"]


def whole(status: dict) -> model.DetectionModelStatus:
    """Parse a status as the API server would check it."""
    made = {
        "apiVersion": "riverwatch.dev/v1alpha1",
        "kind": "DetectionModel",
        "metadata": {"name": "models", "namespace": "web"},
        "status": status,
    }
    found = parse.parse(model.DetectionModel, made).status
    assert found is not None
    return found


def test_a_young_model_says_how_far_it_is_and_when_it_will_be_ready(source):
    lane = Lane()
    reporter(source, lane).run()
    status = lane.last("web")
    found = whole(status)
    assert found.phase is words.ModelPhase.WARMING_UP
    assert found.warm_up is not None
    assert 0 < found.warm_up.progress_percent < 100
    assert found.warm_up.ready_at is not None
    assert condition(status, "Ready") == ("False", "WarmingUp")
    assert condition(status, "Drifted") == ("False", "Steady")
    assert condition(status, "SpecInForce") == ("True", "AsAsked")


def test_ready_at_follows_the_pace_when_records_are_few(source):
    rules = source.policies.effective("web")
    late = model_report.ready_at_s(source, rules)
    assert late is not None
    source.models.records = 100_000
    assert model_report.ready_at_s(source, rules) == testing.START_S + rules.learning_s
    source.models.records = 1
    slow = model_report.ready_at_s(source, rules)
    assert slow is not None
    assert slow > testing.START_S + rules.learning_s


def test_nobody_knows_when_an_empty_model_is_ready():
    made = pipeline.Pipeline(rules=engine.RuleEngine(()))
    assert model_report.ready_at_s(made, made.policies.effective("web")) is None


def test_a_warm_model_says_what_its_threshold_means(source):
    source.learning.until_s = testing.START_S
    source.models.records = 10_000
    lane = Lane()
    reporter(source, lane).run()
    found = whole(lane.last("web"))
    assert found.phase is words.ModelPhase.LEARNING
    (threshold,) = found.thresholds
    assert (threshold.model, threshold.budget_per_day) == ("fused", 5)
    assert threshold.value == pytest.approx(source.judge.threshold(source.policies.effective("web")), abs=0.01)
    assert "nats" in threshold.meaning
    for number in range(100):
        source.judge.calibrator.add(float(number % 7), time_s=testing.START_S + number)
    reporter(source, lane).run()
    assert lane.last("web")["phase"] == "Active"


def test_shed_candidates_stand_with_their_namespace_newest_first(source):
    for number in range(14):
        source.judge.budget.drop(
            budget.Shed(
                testing.START_S + number, f"system:serviceaccount:web:app-{number}", 10.0 + number, "list secrets"
            )
        )
    source.judge.budget.drop(budget.Shed(testing.START_S - 2 * DAY_S, "system:serviceaccount:web:old", 10.0, "old"))
    source.judge.budget.drop(budget.Shed(testing.START_S, "ana as system:admin", 10.0, "get nodes"))
    lane = Lane()
    reporter(source, lane).run()
    shed = whole(lane.last("web")).shed
    assert shed is not None
    assert [one.actor.rsplit("-", 1)[1] for one in shed.newest] == [str(number) for number in range(13, 3, -1)]
    assert (shed.last_day, shed.total) == (14, 16)
    assert shed.newest[0].nats == 23.0
    assert 0 < shed.newest[0].score <= 100


def test_a_drifted_namespace_says_so(source):
    lane = Lane()
    one = model_report.collect(source)[0]
    state = drift.State(drifted=True, features=("agent",), since_s=testing.START_S, batches=40)
    changed = model_report.dataclasses.replace(one, drift=state)
    assert models.news(one, changed)
    status = model_status.status(changed, [], stored=None, generation=None)
    assert status["drift"] == {"drifted": True, "features": ["agent"], "since": "2026-01-05T08:00:00.000000Z"}
    seen = {one.type: one for one in model_status.observations(changed)}["Drifted"]
    assert (seen.status, seen.reason) == (words.ConditionStatus.TRUE, "MoreIsNew")
    assert "agent" in seen.message
    assert not lane.written


def test_the_checkpoint_is_named_by_its_digest(source):
    counts, lane = checkpoint.Counts(), Lane()
    reporter(source, lane, checkpoints=counts).run()
    assert "checkpoint" not in lane.last("web")
    counts.digest, counts.written_at_s = "sha256:" + "ab" * 32, testing.START_S
    reporter(source, lane, checkpoints=counts).run()
    stored = whole(lane.last("web")).checkpoint
    assert stored is not None
    assert stored.digest == counts.digest


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, ("True", "AsAsked"), id="nothing"),
        pytest.param({"frozen": True}, ("True", "AsAsked"), id="frozen"),
        pytest.param({"promote": "v2"}, ("False", "UnknownVersion"), id="promote"),
        pytest.param({"frozen": True, "rollbackTo": "v1"}, ("False", "UnknownVersion"), id="frozen and rollback"),
    ],
)
def test_what_is_not_kept_cannot_be_asked_for(source, spec, expected):
    asked, lane = wishes(source), Lane()
    asked.take(resources.MODELS, body("web", **spec))
    reporter(source, lane, wishes=asked).run()
    status = lane.last("web")
    assert condition(status, "SpecInForce") == expected
    assert status["observedGeneration"] == 2
    assert source.frozen == (frozenset({"web"}) if spec.get("frozen") else frozenset())
    assert (status["phase"] == "Frozen") is bool(spec.get("frozen"))


def test_a_wish_is_seen_in_the_status_at_the_next_look(source):
    asked, lane = wishes(source), Lane()
    subject = reporter(source, lane, wishes=asked)
    subject.run()
    subject.run()
    assert len(lane.written) == 1
    asked.take(resources.MODELS, body("web", frozen=True, generation=3))
    subject.run()
    assert lane.last("web")["phase"] == "Frozen"
    asked.take(resources.MODELS, body("web", generation=4))
    subject.run()
    assert lane.last("web")["phase"] == "WarmingUp"
    assert source.frozen == frozenset()


def test_an_object_that_is_gone_freezes_nothing(source):
    asked = wishes(source)
    asked.take(resources.MODELS, body("web", frozen=True))
    asked.forget(resources.MODELS, ("web", models.OBJECT_NAME))
    assert source.frozen == frozenset()
    assert list(asked.known(resources.MODELS)) == []


def test_an_object_of_another_name_asks_for_nothing(source):
    asked = wishes(source)
    asked.take(resources.MODELS, body("web", name="other", frozen=True))
    assert source.frozen == frozenset()


def test_the_operators_object_speaks_for_people_and_its_own_namespace(source):
    live(source, OPERATOR, 5)
    source.process(
        [testing.audit_record(time_s=testing.START_S + 20_000.0, user="ana@example.com")], tally=base.Tally()
    )
    asked, lane = wishes(source), Lane()
    asked.take(resources.MODELS, body(OPERATOR, frozen=True))
    assert source.frozen == frozenset({"", OPERATOR})
    reporter(source, lane, wishes=asked).run()
    assert sorted(one.namespace for one in lane.written) == [OPERATOR, "web"]
    assert lane.last(OPERATOR)["identities"] == 2
    assert lane.last(OPERATOR)["phase"] == "Frozen"


def test_models_that_rest_are_degraded(source):
    source.models_rest = True
    lane = Lane()
    reporter(source, lane).run()
    assert condition(lane.last("web"), "Ready") == ("False", "ModelsRest")


def test_a_count_that_grew_a_little_is_not_written(source):
    lane = Lane()
    subject = reporter(source, lane)
    subject.run()
    live(source, "web", 3, start_s=testing.START_S + 12_000.0)
    subject.run()
    assert len(lane.written) == 1


def test_a_shadow_is_shown_promoted_and_rolled_back_by_name(source):
    home, since_s = source.models.homes["web"], testing.START_S + DAY_S
    source.models.versions.begin("web", source.models.cluster, drift_s=since_s, now_s=since_s)
    asked, lane = wishes(source), Lane()
    report = reporter(source, lane, wishes=asked)
    report.run()
    shadow = whole(lane.last("web")).shadow
    assert shadow is not None
    asked.take(resources.MODELS, body("web", promote=shadow.version))
    report.run()
    status = whole(lane.last("web"))
    assert (status.version, status.previous_version, status.shadow) == (shadow.version, bank.MODEL_VERSION, None)
    assert condition(lane.last("web"), "SpecInForce") == ("True", "AsAsked")
    asked.take(resources.MODELS, body("web", rollbackTo=bank.MODEL_VERSION))
    report.run()
    assert whole(lane.last("web")).version == bank.MODEL_VERSION
    assert source.models.homes["web"] is home
