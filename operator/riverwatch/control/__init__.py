"""kopf and what surrounds it: policies, rules, inventory, triage, model states, probes.

kopf imports the kubernetes client and pykube when they are installed, only to know their types; together they cost 20
MB that the operator never uses. They are hidden while kopf is imported here, before any module of this package can.
"""

from __future__ import annotations

import importlib
import sys

_OPTIONAL = ("kubernetes.client", "kubernetes_asyncio.client", "pykube.objects")
"""What kopf tries to import for type checks."""


def _import_kopf_alone() -> None:
    """Import kopf with its optional client libraries hidden; one that is imported already stays as it is."""
    hidden = [name for name in _OPTIONAL if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to make an import fail
    try:
        importlib.import_module("kopf")
    finally:
        for name in hidden:
            del sys.modules[name]


if "kopf" not in sys.modules:
    _import_kopf_alone()
