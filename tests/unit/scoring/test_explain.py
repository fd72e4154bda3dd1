"""What people read: every sentence is true to the numbers and says against what."""

from __future__ import annotations

import pytest

from riverwatch import vocabulary
from riverwatch.features import catalog
from riverwatch.models import base
from riverwatch.rules import base as rules_base
from riverwatch.scoring import explain, wording

HOME = "in its namespace"


def part(feature: str = "action", observed: str = "list secrets", **changes) -> base.Surprise:
    fields = {
        "model": "novelty",
        "nats": 6.0,
        "bursts": 200,
        "age_s": 4 * 86_400.0,
        "usual": (("get secrets", 150), ("list pods", 1)),
        "unseen_in": ("siblings", "namespace", "cluster"),
        "siblings": 12,
    }
    return base.Surprise(feature=feature, observed=observed, **{**fields, **changes})


def hit(
    severity: vocabulary.Severity = vocabulary.Severity.MEDIUM, *, rule: str = "r", title: str = "Odd"
) -> rules_base.RuleHit:
    card = rules_base.RuleCard(
        id=rule,
        title=title,
        description="",
        severity=severity,
        use_case=vocabulary.UseCase.SECRET_ACCESS,
        techniques=(),
        maturity=rules_base.Maturity.STABLE,
        audit_level=rules_base.AuditLevel.METADATA,
        covers=(),
        false_positives=(),
        blind_spots=(),
        recommendations=(),
    )
    return rules_base.RuleHit(card, "somebody did it")


SENTENCES = {
    "what, against what, how often, who else": (
        part(),
        (
            "It did 'list secrets' for the first time: in 4 days (200 samples) it did 'get secrets' (75%), 'list pods' "
            "(under 1%). None of its 11 siblings and nobody else in the cluster ever showed this."
        ),
    ),
    "known in the cluster": (
        part(unseen_in=("namespace",)),
        (
            "It did 'list secrets' for the first time: in 4 days (200 samples) it did 'get secrets' (75%), 'list pods' "
            "(under 1%). Nobody else in its namespace ever showed this, though others in the cluster did."
        ),
    ),
    "known in the namespace": (
        part(unseen_in=(), usual=(), bursts=0, nats=0.5),
        "It did 'list secrets' for the first time. Others in its namespace did so before.",
    ),
    "an only child has no siblings to compare with": (
        part(unseen_in=("siblings",), siblings=1, usual=(), bursts=0, nats=0.5),
        "It did 'list secrets' for the first time. Others in its namespace did so before.",
    ),
    "never refused": (
        part("outcome", "403 on list secrets", usual=(), bursts=0, unseen_in=("cluster",)),
        (
            "It was refused ('403 on list secrets') for the first time: in 4 days it had never been refused. Nobody "
            "else in the cluster ever showed this."
        ),
    ),
    "a place": (
        part("network", "198.51.100.0/24", usual=(("its own pods", 200),), unseen_in=("cluster",)),
        (
            "It was used from '198.51.100.0/24' for the first time: in 4 days (200 samples) it was used from its own "
            "pods (100%). Nobody else in the cluster ever showed this."
        ),
    ),
    "an hour says nothing about others": (
        part("hour", "weekend 03h", usual=(("weekday 09h", 50),), bursts=100),
        (
            "It was active in the hour weekend 03h (UTC) for the first time: in 4 days (100 samples) it was active in "
            "weekday 09h (50%)."
        ),
    ),
    "outside all namespaces": (
        part("namespace", "cluster-wide", usual=(("web", 200),), unseen_in=("cluster",)),
        (
            "It acted cluster-wide for the first time: in 4 days (200 samples) it touched 'web' (100%). Nobody else "
            "in the cluster ever showed this."
        ),
    ),
    "under another name": (
        part(observed="as system:admin: list secrets", usual=(), bursts=0, unseen_in=("cluster",), age_s=0.0),
        (
            "It did 'list secrets' as system:admin for the first time: nothing was known about it before. Nobody else "
            "in the cluster ever showed this."
        ),
    ),
    "a credential in two places": (
        part("credential", "198.51.100.7 with the token of pod web/a", usual=(("10.4.7.19", 1),), unseen_in=()),
        (
            "198.51.100.7 used the token of pod web/a; its own place is 10.4.7.19. Such a credential belongs in one "
            "place; a second one means that it was copied."
        ),
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_sentence(case):
    surprise, expected = SENTENCES[case]
    assert wording.sentence(surprise, home=HOME) == expected


@pytest.mark.parametrize("feature", catalog.NAMES)
def test_every_attribute_has_words(feature):
    assert feature in wording.WORDINGS
    text = wording.sentence(part(feature, "x"), home=HOME) + wording.swap(part(feature, "x"))
    assert "{" not in text


def test_nothing_is_claimed_that_nobody_asked():
    """Weak surprises come without what was usual; that must not read as if nothing was."""
    weak = part("outcome", "403 on get pods", usual=(), bursts=0, nats=0.4, unseen_in=())
    assert "never" not in wording.sentence(weak, home=HOME)


def reasons(parts, hits=(), share=0.0):
    return explain.reasons(list(parts), list(hits), share_of_rules=share, home=HOME)


def test_damped_reason_stays_visible():
    (reason,) = reasons([part(damped="the target is new")])
    assert reason.text.endswith(" This counts less, because the target is new.")


def test_same_fact_is_told_once():
    told = reasons([part(nats=6.0), part("scope", "list secrets in web", nats=5.0), part("agent", "curl", nats=9.0)])
    assert [(reason.feature, reason.contribution) for reason in told] == [("action", 0.55), ("agent", 0.45)]


def test_known_action_in_a_new_namespace_is_told():
    told = reasons([part("scope", "list secrets in pay")])
    assert [reason.feature for reason in told] == ["scope"]


def test_further_values_are_counted_once_each():
    (reason,) = reasons([part(observed=name) for name in ("a", "b", "c")])
    assert reason.text.endswith(" 2 more actions were new.")
    (reason,) = reasons([part(observed=name) for name in ("a", "b")])
    assert reason.text.endswith(" 1 more action was new.")


def test_contributions_add_up_to_the_whole():
    told = reasons([part(), part("agent", "curl"), part("network", "x")], [hit(), hit(rule="s")], share=0.4)
    assert sum(reason.contribution for reason in told) == pytest.approx(1.0, abs=0.01)


def counterfactual(parts, hits=(), *, habits: float, rules: float = 0.0) -> str:
    weights = explain.Weights(habits=habits, rules=rules, threshold=10.0)
    return explain.counterfactual(list(parts), list(hits), weights=weights)


def test_counterfactual_takes_away_no_more_than_is_needed():
    parts = [
        part("network", "198.51.100.0/24", nats=8.0, usual=(("its own pods", 9),)),
        part("agent", "curl", nats=4.0, usual=(("front", 9),)),
    ]
    assert counterfactual(parts, habits=12.0) == (
        "It would probably have stayed quiet from its own pods, not '198.51.100.0/24'."
    )
    assert counterfactual(parts, habits=60.0) == (
        "It would probably have stayed quiet from its own pods, not '198.51.100.0/24' and with 'front', not 'curl'."
    )


def test_counterfactual_says_when_a_rule_is_always_raised():
    text = counterfactual([part()], [hit(vocabulary.Severity.HIGH, title="Secrets dumped")], habits=12.0, rules=10.0)
    assert text.startswith('The rule "Secrets dumped" (High) is raised whatever the habits are.')
    assert "riverwatch triage" in text


def test_counterfactual_says_when_a_weaker_rule_is_enough():
    assert "is enough" in counterfactual([part("rule", "r", nats=1.0)], [hit()], habits=1.0, rules=20.0)


@pytest.mark.parametrize(
    ("unseen", "siblings", "expected"),
    [
        (("siblings", "namespace", "cluster"), 3, vocabulary.Frequency.UNSEEN),
        (("siblings", "namespace"), 3, vocabulary.Frequency.RARE),
        (("siblings",), 3, vocabulary.Frequency.RARE),
        (("siblings",), 1, vocabulary.Frequency.INFREQUENT),
        ((), 3, vocabulary.Frequency.INFREQUENT),
    ],
    ids=["nobody", "nobody near", "no sibling", "no siblings at all", "others do"],
)
def test_frequency_is_how_far_around_nobody_showed_it(unseen, siblings, expected):
    assert explain.frequency(part(unseen_in=unseen, siblings=siblings)) is expected


@pytest.mark.parametrize(
    ("features", "said"),
    [
        (("agent", "action"), "Credential of web/front used with other software for something new"),
        (("network", "agent"), "Credential of web/front used from elsewhere"),
        (("zone",), "Credential of web/front used from elsewhere"),
    ],
)
def test_title_tells_another_place_from_other_software(features, said):
    assert explain.title("web/front", [part(name) for name in features], []) == said
