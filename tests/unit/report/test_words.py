"""Sentences, order and times."""

from __future__ import annotations

import msgspec
import pytest

from riverwatch import vocabulary
from riverwatch.report import words
from riverwatch.sources import base


def test_has_words_for_every_skip_reason():
    assert set(words.SKIP_WORDS) == {reason.value for reason in base.SkipReason}
    assert words.ORDINARY_SKIPS.issubset(words.SKIP_WORDS)


def test_has_words_for_every_frequency():
    assert set(words.FREQUENCY_WORDS) == set(vocabulary.Frequency)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("kubectl get pods   # why", ("", "kubectl get pods   # why"), id="a command alone"),
        pytest.param("See it: kubectl get pods", ("See it", "kubectl get pods"), id="words before a command"),
        pytest.param(
            "kubectl -n a delete pod b once its logs are kept",
            ("Once its logs are kept", "kubectl -n a delete pod b"),
            id="a condition after a command",
        ),
        pytest.param("Rotate the secret", ("Rotate the secret", ""), id="words alone"),
        pytest.param("Ask bob: kubectl delete ns a", ("Ask bob: kubectl delete ns a", ""), id="a command in a name"),
        pytest.param("Ask 'b: kubectl x' now", ("Ask 'b: kubectl x' now", ""), id="a command in a quoted name"),
        pytest.param("Tell 'b: kubectl x", ("Tell 'b: kubectl x", ""), id="a quote before a command"),
        pytest.param("kubectl get \x1b[31m", ("kubectl get ?[31m", ""), id="control characters are never run"),
    ],
)
def test_tells_words_from_commands(text, expected):
    assert words.step(text) == words.Step(*expected)


def test_never_shortens_a_command():
    assert words.step("kubectl " + "x" * words.MAX_CHARS).command == ""


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "expected"),
    [
        ("ServiceAccount", "web", "front", "system:serviceaccount:web:front"),
        ("Node", "", "worker-1", "system:node:worker-1"),
        ("Node", "", "system:node:worker-1", "system:node:worker-1"),
        ("User", "", "ana@example.com", "ana@example.com"),
        ("Anonymous", "", "system:anonymous", "system:anonymous"),
    ],
)
def test_writes_user_names_as_the_api_server_does(plain, kind, namespace, name, expected):
    actor = msgspec.structs.replace(plain.actor, kind=kind, namespace=namespace, name=name)
    assert words.username(actor) == expected


def test_sorts_equal_ones_by_uid(plain):
    twins = [msgspec.structs.replace(plain, uid=uid) for uid in ("b", "a")]
    assert [item.uid for item in words.strongest_first(twins)] == ["a", "b"]


def test_names_the_rule_of_the_title_first(plain):
    other = msgspec.structs.replace(plain.explanation[0], feature="rule:other", text="Other thing: web/front did it")
    told = msgspec.structs.replace(plain, explanation=[other, *plain.explanation])
    assert words.rule_ids(told) == ["secret-by-script", "other"]


def test_names_both_identities_under_impersonation(plain):
    assert words.actor(msgspec.structs.replace(plain, impersonated_by="ana")) == "ana as web/front"


def test_writes_both_days_when_a_stretch_has_two():
    assert words.stretch(1_768_464_000.0, 1_768_564_000.0) == "2026-01-15 08:00:00 to 2026-01-16 11:46:40 UTC"


def test_says_nothing_about_a_budget_that_is_not_known(shown):
    assert words.budget(msgspec.structs.replace(shown, threshold=0.0, budget_per_day=0.0)) == ""
