"""Stage 2, derived fields of roles and bindings: what a request grants, and to whom.

`rbac.can[]` reads wildcards as RBAC does, so that a rule on "may read secrets" also sees ``verbs: ["*"]``. Role
references cannot change after creation, so for a patched binding the reference is taken from the answer. Listed in
`derived`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from riverwatch.activity import derived_facts as df
from riverwatch.activity import derived_pod, identities, openshift

MAX_GRANTS = 2_000
"""Grants of one role that are written out; the largest built-in ClusterRole (admin) has about 700."""

RBAC_GROUP = "rbac.authorization.k8s.io"
"""API group of roles and bindings."""

RBAC_RESOURCES = frozenset({"roles", "clusterroles", "rolebindings", "clusterrolebindings"})
"""Everything in it."""

ABILITIES: dict[str, tuple[frozenset[str], frozenset[str], frozenset[str]]] = {
    "everything": (frozenset({"*"}), frozenset({"*"}), frozenset({"*"})),
    "escalate": (frozenset({"escalate"}), frozenset({RBAC_GROUP}), frozenset({"roles", "clusterroles"})),
    "bind": (frozenset({"bind"}), frozenset({RBAC_GROUP}), frozenset({"roles", "clusterroles"})),
    "impersonate": (
        frozenset({"impersonate"}),
        frozenset({""}),
        frozenset({"users", "groups", "serviceaccounts"}),
    ),
    "write-rbac": (
        df.WRITE_VERBS,
        frozenset({RBAC_GROUP}),
        RBAC_RESOURCES,
    ),
    "exec": (frozenset({"create", "get"}), frozenset({""}), frozenset({"pods/exec", "pods/attach"})),
    "nodes-proxy": (frozenset({"get", "create"}), frozenset({""}), frozenset({"nodes/proxy"})),
    "read-secrets": (df.READ_VERBS, frozenset({""}), frozenset({"secrets"})),
    "mint-tokens": (frozenset({"create"}), frozenset({""}), frozenset({"serviceaccounts/token"})),
    "approve-certificates": (
        frozenset({"update", "patch", "approve"}),
        frozenset({"certificates.k8s.io"}),
        frozenset({"certificatesigningrequests/approval", "signers"}),
    ),
    "write-webhooks": (
        df.WRITE_VERBS,
        frozenset({"admissionregistration.k8s.io"}),
        frozenset({"mutatingwebhookconfigurations", "validatingwebhookconfigurations"}),
    ),
    "write-workloads": (
        df.WRITE_VERBS,
        frozenset({"", "apps", "batch"}),
        derived_pod.BUILT_IN_WORKLOADS,
    ),
}
"""Ability -> verbs, groups and resources any one of which gives it; wildcards in a role count for all."""


def role_rules(facts: df.Facts) -> list[dict[str, df.Json]]:
    """Return the policy rules that the request writes into a role."""
    if facts.activity.resource not in ("roles", "clusterroles"):
        return []
    return [
        rule for document in facts.documents for rule in df.as_list(document.get("rules")) if isinstance(rule, dict)
    ]


def _grants(facts: df.Facts) -> df.Value:
    def each() -> Iterator[str]:
        for rule in role_rules(facts):
            groups = df.texts(rule.get("apiGroups")) or [""]
            resources = df.texts(rule.get("resources"))
            for verb, group, resource in itertools.product(df.texts(rule.get("verbs")), groups, resources):
                yield f"{verb} {group or 'core'}/{resource}"

    return tuple(itertools.islice(dict.fromkeys(each()), MAX_GRANTS)) or None


def _listed(facts: df.Facts, key: str) -> df.Value:
    found = dict.fromkeys(text for rule in role_rules(facts) for text in df.texts(rule.get(key)))
    return tuple(found) or None


def _verbs(facts: df.Facts) -> df.Value:
    return _listed(facts, "verbs")


def _resources(facts: df.Facts) -> df.Value:
    return _listed(facts, "resources")


def _non_resource_urls(facts: df.Facts) -> df.Value:
    return _listed(facts, "nonResourceURLs")


def _matches(resource: str, wanted: frozenset[str]) -> bool:
    if resource in wanted or resource == "*":
        return True
    # "*/exec" stands for that subresource of everything.
    return resource.startswith("*/") and any(one.endswith(resource[1:]) for one in wanted)


def _rule_gives(rule: dict[str, df.Json], ability: str) -> bool:
    verbs, groups, resources = ABILITIES[ability]
    has_verbs = df.texts(rule.get("verbs"))
    has_groups = df.texts(rule.get("apiGroups")) or [""]
    has_resources = df.texts(rule.get("resources"))
    if ability == "everything":
        return "*" in has_verbs and "*" in has_resources and "*" in has_groups
    return (
        any(verb == "*" or verb in verbs for verb in has_verbs)
        and any(group == "*" or group in groups for group in has_groups)
        and any(_matches(resource, resources) for resource in has_resources)
    )


def _can(facts: df.Facts) -> df.Value:
    rules = role_rules(facts)
    return tuple(ability for ability in ABILITIES if any(_rule_gives(rule, ability) for rule in rules)) or None


def _binding_documents(facts: df.Facts) -> tuple[dict[str, df.Json], ...]:
    if facts.activity.resource not in ("rolebindings", "clusterrolebindings"):
        return ()
    return facts.documents


def _subjects(facts: df.Facts) -> Iterator[tuple[str, str, str]]:
    for document in _binding_documents(facts):
        for subject in df.as_list(document.get("subjects")):
            if isinstance(subject, dict) and subject.get("$patch") != "delete":
                kind = df.as_text(subject.get("kind"))
                namespace = df.as_text(subject.get("namespace")) or facts.activity.namespace
                yield kind, namespace if kind == "ServiceAccount" else "", df.as_text(subject.get("name"))


def _subject_labels(facts: df.Facts) -> df.Value:
    return (
        tuple(
            f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
            for kind, namespace, name in _subjects(facts)
        )
        or None
    )


def _subject_names(facts: df.Facts) -> df.Value:
    return (
        tuple(
            f"{identities.SERVICE_ACCOUNT_PREFIX}{namespace}:{name}" if kind == "ServiceAccount" else name
            for kind, namespace, name in _subjects(facts)
        )
        or None
    )


def _binds_self(facts: df.Facts) -> df.Value:
    names = _subject_names(facts)
    return facts.activity.actor.username in names if isinstance(names, tuple) else None


def _binds_platform(facts: df.Facts) -> df.Value:
    subjects = tuple(_subjects(facts))
    return all(namespace in openshift.NAMESPACES for _, namespace, _ in subjects) if subjects else None


def _role(facts: df.Facts) -> df.Value:
    activity = facts.activity
    if activity.resource not in ("rolebindings", "clusterrolebindings") or activity.verb not in df.WRITE_VERBS:
        return None
    for document in (*facts.documents, df.as_dict(facts.response_object)):
        reference = df.as_dict(document.get("roleRef"))
        name = df.as_text(reference.get("name"))
        if name:
            return f"{df.as_text(reference.get('kind')) or 'ClusterRole'}/{name}"
    return None


_ROLE = "requestObject.rules"
_BINDING = "requestObject.subjects, roleRef"

FIELDS = (
    df.DerivedField(
        "rbac.grants",
        "str[]",
        _ROLE,
        "Request",
        'What a role grants: `verb group/resource`, group `core` for "".',
        _grants,
    ),
    df.DerivedField(
        "rbac.can",
        "str[]",
        _ROLE,
        "Request",
        "Dangerous abilities a role gives, wildcards counted: " + ", ".join(ABILITIES) + ".",
        _can,
    ),
    df.DerivedField("rbac.verbs", "str[]", _ROLE, "Request", "Verbs of all rules of a role.", _verbs),
    df.DerivedField("rbac.resources", "str[]", _ROLE, "Request", "Resources of all rules of a role.", _resources),
    df.DerivedField(
        "rbac.nonResourceURLs",
        "str[]",
        _ROLE,
        "Request",
        "Non-resource URLs of all rules.",
        _non_resource_urls,
    ),
    df.DerivedField(
        "binding.subjects",
        "str[]",
        _BINDING,
        "Request",
        "`ServiceAccount namespace/name`, `User name` or `Group name`.",
        _subject_labels,
    ),
    df.DerivedField(
        "binding.subjectNames",
        "str[]",
        _BINDING,
        "Request",
        "The same as user and group names of the audit log.",
        _subject_names,
    ),
    df.DerivedField("binding.self", "bool", _BINDING, "Request", "The actor is among the subjects.", _binds_self),
    df.DerivedField(
        "binding.platform",
        "bool",
        _BINDING,
        "Request",
        "Every subject is a service account in a namespace that holds nothing but parts of OpenShift.",
        _binds_platform,
    ),
    df.DerivedField(
        "binding.role",
        "str",
        "requestObject.roleRef, responseObject.roleRef",
        "Request",
        "`ClusterRole/name` or `Role/name`; for a patch taken from the answer.",
        _role,
    ),
)
