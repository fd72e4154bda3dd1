"""Stage 5, policy: a `DetectionPolicy` or `ClusterDetectionPolicy` -> `CompiledPolicy`.

Pure. The schema in `api` has checked every value, so compiling cannot fail; `compile_body` checks and compiles in one
step and raises `BadPolicyError` with every field path. Called by `control.policies` and `scoring.policy_files`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from riverwatch import errors
from riverwatch.api import parse
from riverwatch.api.v1alpha1 import base, words
from riverwatch.api.v1alpha1 import policy as types
from riverwatch.scoring import policy, policy_match

POLICY_KINDS = ("DetectionPolicy", "ClusterDetectionPolicy")
"""The kinds that this module compiles."""


def compile_body(body: Mapping[str, Any], *, where: str = "") -> policy.CompiledPolicy:
    """Check and compile a policy as it stands in Kubernetes or in a file.

    Parameters
    ----------
    body
        The whole object: apiVersion, kind, metadata, spec.
    where
        What the error should name; by default the object's own reference.

    Raises
    ------
    BadPolicyError
        When it is no policy or a field is wrong; the message holds the field paths.
    """
    kind = body.get("kind")
    if body.get("apiVersion") != words.API_VERSION or kind not in POLICY_KINDS:
        raise errors.BadPolicyError(
            f"apiVersion {body.get('apiVersion')!r} and kind {kind!r} are no policy; write {words.API_VERSION} and "
            + " or ".join(POLICY_KINDS),
            where=where,
        )
    model: type[types.DetectionPolicy | types.ClusterDetectionPolicy] = (
        types.DetectionPolicy if kind == "DetectionPolicy" else types.ClusterDetectionPolicy
    )
    try:
        return compile_policy(parse.parse(model, body))
    except parse.InvalidResourceError as failure:
        raise errors.BadPolicyError(failure.detail, where=where or reference(body)) from failure


def reference(body: Mapping[str, Any]) -> str:
    """Return ``DetectionPolicy/NAMESPACE/NAME`` or ``ClusterDetectionPolicy/NAME`` of a body, however broken."""
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    parts = [body.get("kind"), metadata.get("namespace"), metadata.get("name")]
    if body.get("kind") == "DetectionPolicy" and not parts[1]:
        parts[1] = "default"
    return "/".join(str(part) for part in parts if part)


def compile_policy(source: types.DetectionPolicy | types.ClusterDetectionPolicy) -> policy.CompiledPolicy:
    """Compile a policy that its schema has accepted; a namespaced one without a namespace is in ``default``."""
    spec = source.spec
    name = source.metadata.name
    cluster = isinstance(spec, types.ClusterDetectionPolicySpec)
    namespace = None if cluster else source.metadata.namespace or "default"
    return policy.CompiledPolicy(
        ref=f"{source.kind}/{name}" if namespace is None else f"{source.kind}/{namespace}/{name}",
        name=name,
        namespace=namespace,
        priority=spec.priority if isinstance(spec, types.ClusterDetectionPolicySpec) else 0,
        selector=(
            _selector(spec.namespace_selector)
            if isinstance(spec, types.ClusterDetectionPolicySpec)
            else policy_match.Selector()
        ),
        mode=spec.mode,
        overrides=tuple(sorted((_override(item) for item in spec.detections), key=lambda item: item.precision)),
        min_severity=spec.min_severity,
        alert_budget_per_day=spec.alert_budget.per_day if spec.alert_budget else None,
        learning_s=float(base.duration_s(spec.learning.period)) if spec.learning and spec.learning.period else None,
        learning_min_records=spec.learning.min_records if spec.learning else None,
        exceptions=tuple(_exception(item) for item in spec.exceptions),
        hash_identities=spec.privacy.hash_identities if spec.privacy else None,
        hash_addresses=spec.privacy.hash_addresses if spec.privacy else None,
    )


def _override(source: types.DetectionOverride) -> policy.Override:
    return policy.Override(source.id, policy_match.globs([source.id]), source.enabled, source.severity)


def _exception(source: types.PolicyException) -> policy.PolicyException:
    return policy.PolicyException(
        name=source.name,
        reason=source.reason,
        expires_s=source.expires_at.timestamp() if source.expires_at else None,
        detectors=_globs(source.detections),
        match=policy_match.ActivityMatch(
            actors=policy_match.actors(source.match.actors) if source.match.actors else None,
            namespaces=_globs(source.match.namespaces),
            resources=_globs(source.match.resources),
            verbs=_globs(source.match.verbs),
            names=_globs(source.match.names),
            networks=tuple(ipaddress.ip_network(item) for item in source.match.source_cidrs) or None,
            user_agents=_globs(source.match.user_agents),
        ),
    )


def _globs(patterns: tuple[str, ...]) -> policy_match.Globs | None:
    return policy_match.globs(patterns) if patterns else None


def _selector(source: types.NamespaceSelector | None) -> policy_match.Selector:
    if source is None:
        return policy_match.Selector()
    labels = (
        policy_match.Requirement(key, wanted=True, values=frozenset({value}))
        for key, value in sorted(source.match_labels.items())
    )
    expressions = (
        policy_match.Requirement(
            item.key,
            wanted=item.operator in (words.SelectorOperator.IN, words.SelectorOperator.EXISTS),
            values=frozenset(item.values) if item.values else None,
        )
        for item in source.match_expressions
    )
    return policy_match.Selector((*labels, *expressions), _globs(source.match_names))
