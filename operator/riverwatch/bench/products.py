"""Pipelines to measure: the whole product, and rules alone; the same objects that `replay` and `run` use."""

from __future__ import annotations

import enum

from riverwatch.api.v1alpha1 import words
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.scoring import policy, policy_compile


class Product(enum.StrEnum):
    """What judges."""

    RULES = "rules only"
    FULL = "rules and models"


def build(product: Product, *, learn_until_s: float | None) -> pipeline.Pipeline:
    """Return a fresh pipeline.

    Parameters
    ----------
    product
        What judges.
    learn_until_s
        Record time, epoch seconds, until which everything is learned; None leaves it to the default policy.
    """
    policies = _rules_only() if product is Product.RULES else policy.DEFAULT
    return pipeline.Pipeline(
        rules=engine.RuleEngine(engine.load_catalog()), policies=policies, learn_until_s=learn_until_s
    )


def _rules_only() -> policy.PolicySet:
    body = {
        "apiVersion": words.API_VERSION,
        "kind": "ClusterDetectionPolicy",
        "metadata": {"name": "rules-only"},
        "spec": {"mode": words.PolicyMode.RULES_ONLY.value, "namespaceSelector": {"matchNames": ["*"]}},
    }
    return policy.PolicySet([policy_compile.compile_body(body)])
