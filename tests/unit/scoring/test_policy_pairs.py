"""tests/control: policies as people write them, and what must hold in each namespace."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from riverwatch import vocabulary
from riverwatch.scoring import policy, policy_files

FOLDER = pathlib.Path(__file__).parents[2] / "control"

INPUTS = sorted((FOLDER / "input").glob("policy-*.yaml"))


def described(effective: policy.EffectivePolicy, wanted: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in wanted.items():
        if key == "exceptions":
            found[key] = [exception.name for _, exception in effective.exceptions]
        elif key == "allows":
            found[key] = {name: effective.allows(name) for name in value}
        elif key == "severity":
            found[key] = {name: effective.severity(name, vocabulary.Severity.LOW).value for name in value}
        elif key == "refs":
            found[key] = list(effective.refs)
        else:
            shown = getattr(effective, key)
            found[key] = shown.value if key in ("mode", "min_severity") else shown
    return found


@pytest.mark.parametrize("path", INPUTS, ids=[path.stem for path in INPUTS])
def test_namespace_gets_what_is_written(path: pathlib.Path) -> None:
    expected = yaml.safe_load((FOLDER / "output" / path.name).read_text(encoding="utf-8"))
    policies = policy_files.load_policy_files([path]).with_namespace_labels(expected.get("labels", {}))

    for namespace, wanted in expected["namespaces"].items():
        assert described(policies.effective(namespace), wanted) == wanted, namespace


def test_every_input_has_its_output() -> None:
    assert [path.name for path in INPUTS] == sorted(path.name for path in (FOLDER / "output").glob("policy-*.yaml"))
