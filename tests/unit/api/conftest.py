from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def policy_body() -> Callable[..., dict[str, Any]]:
    def build(kind: str = "DetectionPolicy", **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "riverwatch.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": "p", "namespace": "web"},
            "spec": spec,
        }

    return build
