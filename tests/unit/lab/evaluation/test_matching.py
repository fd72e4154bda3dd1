"""Which alert belongs to which attack."""

import material as m
import pytest

from riverwatch.lab.evaluation import matching

ATTACK = m.attack("dump", 10, 11, ids=("a1", "a2"))


@pytest.mark.parametrize(
    ("alert", "by"),
    [
        pytest.param(m.alert("x", 10.5), matching.By.INTERVAL, id="same identity inside the interval"),
        pytest.param(m.alert("x", 9.0, 10.2, observed=10.1), matching.By.INTERVAL, id="incident that began earlier"),
        pytest.param(m.alert("x", 9.0, 10.2, observed=9.0), None, id="raised before the attack and no evidence of it"),
        pytest.param(m.alert("x", 12.0), None, id="same identity after the interval"),
        pytest.param(m.alert("x", 10.5, who=m.APP), None, id="another identity inside the interval"),
        pytest.param(m.alert("x", 10.5, who=m.APP, ids=(("a2", 10.5),)), matching.By.EVIDENCE, id="labelled record"),
        pytest.param(m.alert("x", 30.0, ids=(("a1", 10.0),)), matching.By.EVIDENCE, id="labelled record, raised late"),
        pytest.param(
            m.alert("x", 10.5, ids=(("b1", 10.5),)), matching.By.INTERVAL, id="unlabelled evidence in the interval"
        ),
    ],
)
def test_gives_an_alert_to_an_attack(alert, by):
    matched = matching.match(m.labels(ATTACK), [alert])
    assert [hit.by for hit in matched.attacks[0].hits] == ([by] if by else [])
    assert len(matched.true_alerts) == (1 if by else 0)
    assert len(matched.false_alerts) == (0 if by else 1)


def test_counts_the_impersonated_identity_as_the_attack_s():
    attack = m.attack("mask", 10, 11, who="sam")
    masked = type(attack)(
        **{field: getattr(attack, field) for field in attack.__struct_fields__} | {"impersonated": [m.APP]}
    )
    assert matching.match(m.labels(masked), [m.alert("x", 10.5, who=m.APP)]).attacks[0].detected


def test_times_the_detection_by_the_first_labelled_record_when_the_incident_was_open_before():
    alert = m.alert("x", 2.0, 11.0, observed=2.0, ids=(("other", 2.0), ("a2", 10.5)))
    assert matching.match(m.labels(ATTACK), [alert]).attacks[0].delay_s == pytest.approx(0.5 * m.HOUR)


def test_takes_the_earliest_alert_for_the_delay():
    found = [m.alert("late", 10.9), m.alert("early", 10.25)]
    assert matching.match(m.labels(ATTACK), found).attacks[0].delay_s == pytest.approx(0.25 * m.HOUR)


def test_counts_one_alert_for_both_attacks_it_shows():
    other = m.attack("walk", 10, 11, ids=("c1",))
    matched = matching.match(m.labels(ATTACK, other), [m.alert("x", 10.5, ids=(("a1", 10.0), ("c1", 10.4)))])
    assert [attack.detected for attack in matched.attacks] == [True, True]
    assert len(matched.true_alerts) == 1


@pytest.mark.parametrize(
    ("alert", "name"),
    [
        pytest.param(m.alert("x", 20.5, who=m.APP), "upgrade", id="identity and interval"),
        pytest.param(m.alert("x", 20.5, who="somebody", ids=(("h1", 20.5),)), "upgrade", id="labelled record"),
        pytest.param(m.alert("x", 30.0, who=m.APP), "", id="everyday life"),
    ],
)
def test_names_the_happening_of_a_false_alert(alert, name):
    matched = matching.match(m.labels(ATTACK, m.happening("upgrade", 20, 21, ids=("h1",))), [alert])
    assert [wrong.happening for wrong in matched.false_alerts] == [name]


def test_prefers_the_attack_when_an_alert_also_falls_into_a_happening():
    noise = m.happening("upgrade", 10, 11, who=m.BOT)
    matched = matching.match(m.labels(ATTACK, noise), [m.alert("x", 10.5)])
    assert matched.false_alerts == ()
