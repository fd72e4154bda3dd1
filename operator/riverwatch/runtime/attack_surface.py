"""Objects of a cluster -> who holds dangerous rights, from where they can be reached, what everyone may do.

Pure: roles, bindings, service accounts and pods in, `Surface` out, most dangerous first. RBAC only: what other
authorizers allow is not seen. Called by ``riverwatch surface``.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from riverwatch import vocabulary
from riverwatch.activity import identities
from riverwatch.runtime import dangerous_rights

EVERYONE = frozenset(
    {
        identities.ANONYMOUS,
        "system:unauthenticated",
        "system:authenticated",
        "system:serviceaccounts",
    }
)
"""Subjects that stand for anybody, or for every workload."""

DEFAULTS_LABEL = "kubernetes.io/bootstrapping"
"""Label of the roles and bindings that kube-apiserver itself creates."""

KINDS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ServiceAccount", "Pod", "Namespace")
"""Kinds that are read; others are passed over."""


class Grant(msgspec.Struct, frozen=True):
    """One dangerous right of one identity."""

    right: str
    """Id of the right, as `dangerous_rights.RIGHTS` names it."""
    meaning: str
    namespaces: tuple[str, ...]
    """Where it holds; empty for the whole cluster."""
    bindings: tuple[str, ...]
    """Which bindings give it."""


class Identity(msgspec.Struct, frozen=True):
    """One subject of bindings that holds a dangerous right."""

    kind: str
    namespace: str
    name: str
    severity: str
    danger: float
    """0..100; the worst right counts, its scope and who can reach it."""
    grants: tuple[Grant, ...]
    pods: int
    """Running pods that hold its token."""
    reached_by: tuple[str, ...]
    """Other identities that can become it: by pods they may start or enter there, minted tokens, impersonation."""

    @property
    def label(self) -> str:
        """``Kind namespace/name``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class OpenBinding(msgspec.Struct, frozen=True):
    """A binding to somebody who stands for everybody."""

    binding: str
    subject: str
    role: str
    namespace: str
    """Empty for the whole cluster."""
    rights: tuple[str, ...]
    """Dangerous rights among those it gives."""
    default: bool
    """Whether kube-apiserver made it."""


class Surface(msgspec.Struct, frozen=True):
    """The attack surface that RBAC and pods make."""

    identities: tuple[Identity, ...]
    open_bindings: tuple[OpenBinding, ...]
    accounts: int
    """Service accounts."""
    mounted: int
    """Service accounts whose token lies in at least one running pod."""
    pods: int


Subject = tuple[str, str, str]
"""Kind, namespace, name."""


class _Held(msgspec.Struct):
    """What one subject holds: right -> namespaces ('' for the cluster) -> bindings."""

    rights: dict[str, dict[str, list[str]]]


def survey(objects: Iterable[Mapping[str, Any]], *, defaults: bool = False) -> Surface:
    """Work out the surface.

    Parameters
    ----------
    objects
        Bodies with ``kind`` and ``metadata``, in any order.
    defaults
        Whether what kube-apiserver's own bindings give is shown, too.
    """
    by_kind: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in KINDS}
    for body in objects:
        by_kind.get(str(body.get("kind")), []).append(body)
    roles = {_key(one): one for kind in ("Role", "ClusterRole") for one in by_kind[kind]}
    held: dict[Subject, _Held] = {}
    opened: list[OpenBinding] = []
    for binding in (*by_kind["ClusterRoleBinding"], *by_kind["RoleBinding"]):
        _bind(binding, roles, held, opened, defaults=defaults)
    tokens = _tokens(by_kind["Pod"], by_kind["ServiceAccount"])
    found = [_identity(subject, one, held, tokens) for subject, one in held.items() if one.rights]
    found.sort(key=lambda one: (-one.danger, one.kind, one.namespace, one.name))
    opened.sort(key=lambda one: (one.default, -len(one.rights), one.binding, one.subject))
    return Surface(
        identities=tuple(found),
        open_bindings=tuple(opened),
        accounts=len(by_kind["ServiceAccount"]),
        mounted=len(tokens),
        pods=len(by_kind["Pod"]),
    )


def _key(body: Mapping[str, Any]) -> Subject:
    metadata = body.get("metadata") or {}
    return str(body.get("kind")), str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def _bind(
    binding: Mapping[str, Any],
    roles: Mapping[Subject, Mapping[str, Any]],
    held: dict[Subject, _Held],
    opened: list[OpenBinding],
    *,
    defaults: bool,
) -> None:
    kind, namespace, name = _key(binding)
    reference = binding.get("roleRef") or {}
    role_kind, role_name = str(reference.get("kind")), str(reference.get("name"))
    role = roles.get((role_kind, namespace if role_kind == "Role" else "", role_name)) or {}
    rules = role.get("rules")
    rights = dangerous_rights.of_rules(rules if isinstance(rules, list) else (), namespaced=bool(namespace))
    if role_kind == "ClusterRole" and role_name == "cluster-admin" and not role:
        rights = ("everything",)
    own = DEFAULTS_LABEL in ((binding.get("metadata") or {}).get("labels") or {})
    shown = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
    for entry in binding.get("subjects") or ():
        subject = _subject(entry, namespace)
        if subject[2] in EVERYONE or subject[2].startswith("system:serviceaccounts:"):
            opened.append(OpenBinding(shown, subject[2], f"{role_kind} {role_name}", namespace, rights, own))
        if own and not defaults:
            continue
        mine = held.setdefault(subject, _Held({}))
        for right in rights:
            mine.rights.setdefault(right, {}).setdefault(namespace, []).append(shown)


def _subject(entry: Mapping[str, Any], binding_namespace: str) -> Subject:
    kind, name = str(entry.get("kind")), str(entry.get("name"))
    if kind == "ServiceAccount":
        return kind, str(entry.get("namespace") or binding_namespace), name
    account = identities.classify(name)
    if kind == "User" and account.kind is identities.PrincipalKind.SERVICE_ACCOUNT:
        return "ServiceAccount", account.namespace, account.name
    return kind, "", name


def _tokens(pods: Sequence[Mapping[str, Any]], accounts: Sequence[Mapping[str, Any]]) -> collections.Counter[Subject]:
    """Count the running pods that hold the token of each account."""
    refusing = {_key(one)[1:] for one in accounts if one.get("automountServiceAccountToken") is False}
    found: collections.Counter[Subject] = collections.Counter()
    for pod in pods:
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        namespace = str((pod.get("metadata") or {}).get("namespace") or "")
        account = str(spec.get("serviceAccountName") or "default")
        wanted = spec.get("automountServiceAccountToken")
        mounts = wanted if isinstance(wanted, bool) else (namespace, account) not in refusing
        if mounts and status.get("phase") not in ("Succeeded", "Failed"):
            found["ServiceAccount", namespace, account] += 1
    return found


def _identity(subject: Subject, own: _Held, held: Mapping[Subject, _Held], tokens: Mapping[Subject, int]) -> Identity:
    kind, namespace, name = subject
    grants = []
    danger = 0.0
    for right, places in own.rights.items():
        known = dangerous_rights.RIGHTS[right]
        wide = "" in places
        danger = max(danger, known.weight * (1.0 if wide else _scope_factor(places)))
        bindings = tuple(dict.fromkeys(one for listed in places.values() for one in listed))
        grants.append(Grant(right, known.meaning, () if wide else tuple(sorted(places)), bindings))
    grants.sort(key=lambda one: (-dangerous_rights.RIGHTS[one.right].weight, bool(one.namespaces), one.right))
    reached = _reached_by(subject, held) if kind == "ServiceAccount" else ()
    everyone = name in EVERYONE or name.startswith("system:serviceaccounts:")
    pods = tokens.get(subject, 0)
    # A right that lies in running pods, or that anybody has, is nearer to an attacker than one on paper.
    danger = min(100.0, danger + (10.0 if everyone else 0.0) + (3.0 if pods else 0.0) + (2.0 if reached else 0.0))
    return Identity(
        kind=kind,
        namespace=namespace,
        name=name,
        severity=_severity(danger).value,
        danger=round(danger, 1),
        grants=tuple(grants),
        pods=pods,
        reached_by=reached,
    )


def _scope_factor(namespaces: Iterable[str]) -> float:
    """Weigh a right that holds in some namespaces only; kube-system is nearly the cluster."""
    return 0.9 if "kube-system" in namespaces else 0.6


def _reached_by(account: Subject, held: Mapping[Subject, _Held]) -> tuple[str, ...]:
    """Name the other identities that can become this account."""
    found = []
    for other, rights in held.items():
        if other == account or "everything" in rights.rights:
            continue
        ways = [
            right
            for right, places in rights.rights.items()
            if dangerous_rights.RIGHTS[right].takes_over and ("" in places or account[1] in places)
        ]
        if ways:
            label = f"{other[0]} {other[1]}/{other[2]}" if other[1] else f"{other[0]} {other[2]}"
            found.append(f"{label} ({', '.join(sorted(ways))})")
    return tuple(sorted(found))


def _severity(danger: float) -> vocabulary.Severity:
    for border, severity in dangerous_rights.SEVERITIES:
        if danger >= border:
            return severity
    return vocabulary.Severity.INFO
