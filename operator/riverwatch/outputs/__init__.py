"""Stage 7: detections become custom resources, Kubernetes Events, lines.

`CARDS` is the explicit list of outputs, in order of importance; RBAC, settings and the contract suite are made from it.
"""

from __future__ import annotations

from riverwatch.outputs import base, json_lines, k8s_event, threat_detection

CARDS: tuple[base.OutputCard, ...] = (threat_detection.CARD, k8s_event.CARD, json_lines.CARD)
"""Cards of all outputs."""
