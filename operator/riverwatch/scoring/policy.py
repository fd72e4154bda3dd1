"""Stage 5, policy: all policies of the cluster, compiled into one immutable `PolicySet` that is swapped whole.

``namespace -> EffectivePolicy``: mode, detectors on or off, severities, budget, learning, exceptions. Built by
`scoring.policy_compile` and `scoring.policy_files`; asked by `runtime.pipeline` per record. Reads no clock: an
exception is over when the record's own time says so. Every answer is cached within bounds.

Precedence for one namespace: its own `DetectionPolicy` objects by name, then the `ClusterDetectionPolicy` objects that
select it by priority (highest first) and name, then the built-in defaults. The first that states a field wins;
exceptions of all of them add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from riverwatch import vocabulary
from riverwatch.activity import record
from riverwatch.api.v1alpha1 import words
from riverwatch.scoring import policy_match

DEFAULT_ALERT_BUDGET_PER_DAY = 5.0
"""Detections a day that ordinary life may raise in the whole cluster when no policy says otherwise."""

DEFAULT_LEARNING_S = 3 * 86_400.0
"""Seconds that models learn before they judge: a day each to see, compare and calibrate; the budget does the rest."""

DEFAULT_LEARNING_MIN_RECORDS = 0
"""Records that must have been learned beyond what each model asks for itself."""

BUILT_IN_BUDGET = "built-in"
"""What `EffectivePolicy.alert_budget_ref` says when no policy states a budget."""

MAX_NAMESPACES_CACHED = 10_000
"""Effective policies kept; ten times the largest load supported, about 1 KB each when policies are few."""

MAX_DETECTORS_CACHED = 4_096
"""Answers kept per effective policy; rules and models together are a few hundred."""

_NO_LABELS: Mapping[str, str] = MappingProxyType({})


class Override(msgspec.Struct, frozen=True):
    """What a policy says about the detectors that a glob names."""

    id: str
    matcher: policy_match.Globs
    enabled: bool | None
    severity: vocabulary.Severity | None

    @property
    def precision(self) -> tuple[bool, int]:
        """Sort key: exact ids first, then the globs with the most characters that are no wildcard."""
        plain = sum(character not in "*?" for character in self.id)
        return (plain != len(self.id), -plain)


class PolicyException(msgspec.Struct, frozen=True):
    """Activities that raise nothing."""

    name: str
    reason: str
    expires_s: float | None
    """Epoch seconds from which on it no longer holds; None when it holds for good."""
    detectors: policy_match.Globs | None
    """Detectors that are silenced; None for all."""
    match: policy_match.ActivityMatch


class ExceptionHit(msgspec.Struct, frozen=True):
    """Why an activity raises nothing."""

    name: str
    reason: str
    policy: str
    """The policy that holds the exception, as in `EffectivePolicy.refs`."""
    expires_s: float | None


class CompiledPolicy(msgspec.Struct, frozen=True):
    """One policy as plain data; None where it says nothing."""

    ref: str
    """``DetectionPolicy/NAMESPACE/NAME`` or ``ClusterDetectionPolicy/NAME``."""
    name: str
    namespace: str | None
    """The namespace it lives in; None for cluster policies."""
    priority: int = 0
    selector: policy_match.Selector = policy_match.Selector()
    mode: words.PolicyMode | None = None
    overrides: tuple[Override, ...] = ()
    """The most precise first."""
    min_severity: vocabulary.Severity | None = None
    alert_budget_per_day: float | None = None
    learning_s: float | None = None
    learning_min_records: int | None = None
    exceptions: tuple[PolicyException, ...] = ()
    hash_identities: bool | None = None
    hash_addresses: bool | None = None

    def applies(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether it speaks about the namespace; an empty one means cluster-wide objects."""
        if self.namespace is not None:
            return self.namespace == namespace
        return self.selector.match(namespace, labels)


_BUILT_IN = CompiledPolicy(
    ref="",
    name="",
    namespace=None,
    mode=words.PolicyMode.DETECT,
    min_severity=vocabulary.Severity.INFO,
    alert_budget_per_day=DEFAULT_ALERT_BUDGET_PER_DAY,
    learning_s=DEFAULT_LEARNING_S,
    learning_min_records=DEFAULT_LEARNING_MIN_RECORDS,
    hash_identities=False,
    hash_addresses=False,
)


class EffectivePolicy:
    """What holds in one namespace.

    Parameters
    ----------
    layers
        The policies that apply, the strongest first; the built-in defaults are added behind them.
    """

    __slots__ = (
        "_allowed",
        "_covering",
        "_last_activity",
        "_layers",
        "_severities",
        "alert_budget_per_day",
        "alert_budget_ref",
        "exceptions",
        "hash_addresses",
        "hash_identities",
        "learning_min_records",
        "learning_s",
        "min_severity",
        "mode",
        "refs",
    )

    def __init__(self, layers: tuple[CompiledPolicy, ...]) -> None:
        self._layers = layers
        self._allowed: dict[str, bool] = {}
        self._severities: dict[str, vocabulary.Severity | None] = {}
        self._last_activity: record.Activity | None = None
        self._covering: tuple[tuple[str, PolicyException], ...] = ()
        self.refs: tuple[str, ...] = tuple(layer.ref for layer in layers)
        self.mode = words.PolicyMode.DETECT
        self.min_severity = vocabulary.Severity.INFO
        self.alert_budget_per_day = DEFAULT_ALERT_BUDGET_PER_DAY
        self.alert_budget_ref = BUILT_IN_BUDGET
        """The policy whose budget it is; all namespaces with the same reference share one budget."""
        self.learning_s = DEFAULT_LEARNING_S
        self.learning_min_records = DEFAULT_LEARNING_MIN_RECORDS
        self.hash_identities = False
        self.hash_addresses = False
        # From the weakest to the strongest, each overwriting what it states.
        for layer in (_BUILT_IN, *reversed(layers)):
            self._overlay(layer)
        self.exceptions: tuple[tuple[str, PolicyException], ...] = tuple(
            (layer.ref, exception) for layer in layers for exception in layer.exceptions
        )

    def _overlay(self, layer: CompiledPolicy) -> None:
        if layer.mode is not None:
            self.mode = layer.mode
        if layer.min_severity is not None:
            self.min_severity = layer.min_severity
        if layer.alert_budget_per_day is not None:
            self.alert_budget_per_day = layer.alert_budget_per_day
            self.alert_budget_ref = layer.ref or BUILT_IN_BUDGET
        if layer.learning_s is not None:
            self.learning_s = layer.learning_s
        if layer.learning_min_records is not None:
            self.learning_min_records = layer.learning_min_records
        if layer.hash_identities is not None:
            self.hash_identities = layer.hash_identities
        if layer.hash_addresses is not None:
            self.hash_addresses = layer.hash_addresses

    def allows(self, detector_id: str) -> bool:
        """Whether the rule or model is on here; the mode is a question of its own."""
        known = self._allowed.get(detector_id)
        if known is None:
            known = next(
                (
                    override.enabled
                    for layer in self._layers
                    for override in layer.overrides
                    if override.enabled is not None and override.matcher.match(detector_id)
                ),
                True,
            )
            if len(self._allowed) >= MAX_DETECTORS_CACHED:
                self._allowed.clear()
            self._allowed[detector_id] = known
        return known

    def severity(self, detector_id: str, default: vocabulary.Severity) -> vocabulary.Severity:
        """Return the severity of the detector's detections here, `default` where no policy states one."""
        if detector_id not in self._severities:
            if len(self._severities) >= MAX_DETECTORS_CACHED:
                self._severities.clear()
            self._severities[detector_id] = next(
                (
                    override.severity
                    for layer in self._layers
                    for override in layer.overrides
                    if override.severity is not None and override.matcher.match(detector_id)
                ),
                None,
            )
        return self._severities[detector_id] or default

    def raises(self, severity: vocabulary.Severity) -> bool:
        """Whether detections of this severity are raised here."""
        return severity.rank >= self.min_severity.rank

    def exception_for(self, detector_id: str, activity: record.Activity) -> ExceptionHit | None:
        """Return the first exception that silences the detector for this activity at the activity's own time."""
        if not self.exceptions:
            return None
        if activity is not self._last_activity:
            # Asked for each detector in turn, so what covers the activity is worked out once.
            self._covering = tuple(pair for pair in self.exceptions if _covers(pair[1], activity))
            self._last_activity = activity
        for ref, exception in self._covering:
            if exception.detectors is None or exception.detectors.match(detector_id):
                return ExceptionHit(exception.name, exception.reason, ref, exception.expires_s)
        return None


def _covers(exception: PolicyException, activity: record.Activity) -> bool:
    in_force = exception.expires_s is None or activity.time_s < exception.expires_s
    return in_force and exception.match.match(activity)


class PolicySet:
    """All policies of the cluster; immutable but for its cache.

    Parameters
    ----------
    policies
        Compiled policies; of two with the same reference the later one counts.
    namespace_labels
        Labels of each namespace. A namespace that is missing has none but its name.
    """

    __slots__ = ("_cache", "_labels", "policies")

    def __init__(
        self,
        policies: Iterable[CompiledPolicy] = (),
        *,
        namespace_labels: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        distinct = {policy.ref: policy for policy in policies}
        self.policies: tuple[CompiledPolicy, ...] = tuple(
            sorted(distinct.values(), key=lambda policy: (policy.namespace is None, -policy.priority, policy.name))
        )
        self._labels = dict(namespace_labels or {})
        self._cache: dict[str, EffectivePolicy] = {}

    def with_namespace_labels(self, namespace_labels: Mapping[str, Mapping[str, str]]) -> PolicySet:
        """Return the same policies for other namespace labels."""
        return PolicySet(self.policies, namespace_labels=namespace_labels)

    def effective(self, namespace: str) -> EffectivePolicy:
        """Return what holds in a namespace; an empty name means objects outside all namespaces."""
        found = self._cache.get(namespace)
        if found is None:
            labels = self._labels.get(namespace, _NO_LABELS)
            found = EffectivePolicy(tuple(policy for policy in self.policies if policy.applies(namespace, labels)))
            if len(self._cache) >= MAX_NAMESPACES_CACHED:
                # The oldest; names of namespaces come from records, and a sender may invent them.
                del self._cache[next(iter(self._cache))]
            self._cache[namespace] = found
        return found


DEFAULT = PolicySet()
"""The built-in policy: everything on, five alerts a day, three days of learning."""
