"""Cases add up what is new once: repeated novelties, several views of one amount, many records."""

from __future__ import annotations

import pytest

from riverwatch.models import base
from riverwatch.scoring import cases, circumstances

NATS = 4.0


def part(feature: str, observed: str, *usual: tuple[str, int]) -> base.Surprise:
    return base.Surprise(
        model="novelty",
        feature=feature,
        observed=observed,
        nats=NATS,
        bursts=10,
        age_s=1e5,
        usual=usual,
        unseen_in=(),
        siblings=0,
    )


def add(case: cases.Case, one: base.Surprise, *, time_s: float = 0.0) -> float:
    return case.count(case.fresh([one], time_s=time_s), 1.0, circumstances.NONE)


def strengths(*steps: tuple[str, str]) -> list[float]:
    case = cases.Case("web", 0.0, 0.0)
    return [add(case, part(*step), time_s=float(place)) for place, step in enumerate(steps)]


def test_a_novelty_counts_once():
    assert strengths(("action", "list secrets"), ("action", "list secrets")) == [NATS, 0.0]


@pytest.mark.parametrize(
    ("second", "share"),
    [
        pytest.param("8 or more namespaces touched in 1 day", cases.SAME_AMOUNT, id="as many, seen from another side"),
        pytest.param("8 or more namespaces whose logs were read in 1 hour", 1.0, id="logs of as many namespaces"),
        pytest.param("16 or more writes in 1 day", 1.0, id="twice as many"),
    ],
)
def test_only_a_larger_amount_is_full_news(second, share):
    assert strengths(("volume", "8 or more writes in 1 day"), ("volume", second)) == [NATS, NATS * share]


def test_view_of_a_counted_amount_says_why_it_counts_less():
    case = cases.Case("web", 0.0, 0.0)
    for observed in ("8 or more writes in 1 day", "8 or more deletes in 1 day"):
        add(case, part("volume", observed))
    assert "another view" in case.parts[-1].damped


def test_a_case_is_the_same_after_a_checkpoint():
    book = cases.CaseBook()
    add(book.touch("web", 0.0), part("volume", "8 or more writes in 1 day"))
    other = cases.CaseBook()
    other.load(book.dump())
    assert other.open == book.open


@pytest.mark.parametrize("feature", sorted(cases.HABITUAL))
def test_who_is_nowhere_usually_is_in_no_strange_place(feature):
    """A new colleague's first network is news, but says nothing about what he does from there."""
    colleague, known = cases.Case("new", 0.0, 0.0), cases.Case("old", 0.0, 0.0)
    for case, usual in ((colleague, ()), (known, (("10.4.7.0/24", 9),))):
        assert add(case, part(feature, "here", *usual)) == NATS
    assert (colleague.strange, known.strange) == ({}, {feature: NATS})
