"""The figures, against numbers worked out by hand."""

import material as m
import pytest

from riverwatch.lab.evaluation import curves, matching, measures

ATTACKS = (
    m.attack("dump", 10, 11, ids=("a1",)),
    m.attack("walk", 14, 15, visibility="subtle", use_case="Discovery"),
    m.attack("mine", 30, 31, use_case="Impact"),
)
TRUTH = m.labels(*ATTACKS, m.happening("upgrade", 20, 21), days=2.0)
FOUND = (
    m.alert("t1", 10.5, score=90, ids=(("a1", 10.0),)),
    m.alert("t2", 14.5, score=40, use_case="Discovery"),
    m.alert("f1", 1.0, who=m.APP, score=70),
    m.alert("f2", 20.5, who=m.APP, score=60, use_case="Discovery"),
)


def test_counts_whole_figures():
    figures = measures.measure(TRUTH, FOUND)
    assert (figures.attacks, figures.detected, figures.alerts) == (3, 2, 4)
    assert figures.recall == pytest.approx(2 / 3)
    assert figures.precision == pytest.approx(0.5)
    assert figures.detected_by_evidence == 1
    assert figures.false_alerts_per_day == pytest.approx(1.0)
    assert figures.false_by_happening == {"everyday life": 1, "upgrade": 1}
    assert figures.delay.median_s == pytest.approx(0.5 * m.HOUR)


def test_keeps_obvious_and_subtle_apart():
    found = {group.name: (group.attacks, group.detected) for group in measures.measure(TRUTH, FOUND).visibilities}
    assert found == {"obvious": (2, 1), "subtle": (1, 1)}


def test_gives_recall_of_attacks_and_precision_of_alerts_by_use_case():
    found = {group.name: (group.recall, group.precision) for group in measures.measure(TRUTH, FOUND).use_cases}
    assert found == {"Discovery": (1.0, 0.5), "Impact": (0.0, None), "SecretAccess": (1.0, 0.5)}


@pytest.mark.parametrize(
    ("budget", "recall"),
    [
        pytest.param(1, 1 / 3, id="one a day: only the strongest of the first day"),
        pytest.param(3, 1 / 3, id="three a day: the weak one is still fourth"),
        pytest.param(4, 2 / 3, id="four a day: all"),
    ],
)
def test_limits_recall_to_a_daily_budget(budget, recall):
    matched = matching.match(TRUTH, FOUND)
    start_s = m.world.START_S
    assert curves.recall_at(matched, budget, start_s=start_s) == pytest.approx(recall)


def test_gives_a_budget_to_each_day_anew():
    truth = m.labels(m.attack("a", 1, 2), m.attack("b", 25, 26), days=2.0)
    found = [m.alert("x", 1.5, score=10), m.alert("y", 25.5, score=20)]
    assert curves.recall_at(matching.match(truth, found), 1, start_s=m.world.START_S) == 1.0


def test_draws_precision_and_recall_down_the_scores():
    points = curves.precision_recall(matching.match(TRUTH, FOUND))
    assert [(point.score, round(point.precision, 3), round(point.recall, 3)) for point in points] == [
        (90, 1.0, 0.333),
        (70, 0.5, 0.333),
        (60, 0.333, 0.333),
        (40, 0.5, 0.667),
    ]
    assert curves.average_precision(points) == pytest.approx(1 / 3 * 1.0 + 1 / 3 * 0.5)


def test_takes_equal_scores_together():
    found = [m.alert("t", 10.5, score=50), m.alert("f", 3.0, who=m.APP, score=50)]
    points = curves.precision_recall(matching.match(TRUTH, found))
    assert [(point.alerts, point.precision) for point in points] == [(2, 0.5)]


def test_counts_days_without_alerts_too():
    days = curves.per_day(matching.match(TRUTH, FOUND), start_s=m.world.START_S, end_s=m.world.START_S + 3 * 86_400)
    assert [(day.true_alerts, day.false_alerts) for day in days] == [(2, 2), (0, 0), (0, 0)]


def test_says_nothing_where_there_is_nothing():
    figures = measures.measure(m.labels(), [])
    assert (figures.recall, figures.precision, figures.delay.median_s, figures.rows) == (None, None, None, [])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([5.0], 5.0, id="one value"),
        pytest.param([float(n) for n in range(1, 21)], 19.0, id="nineteenth of twenty"),
        pytest.param([3.0, 1.0], 3.0, id="two values"),
    ],
)
def test_takes_the_nearest_rank_for_the_95th_percentile(values, expected):
    assert measures.percentile(values, 0.95) == expected


def test_says_what_a_budget_can_reach_at_most():
    crowd = [m.attack(f"a{hour}", hour, hour + 0.5) for hour in range(20)]
    figures = measures.measure(m.labels(*crowd, days=2.0), [])
    assert figures.ceiling_at == {"5": 0.5, "20": 1.0}
