"""Stage 2: a user name -> `Principal`, what kind of identity it is.

Names are classified by the exact prefixes that kube-apiserver's authenticators give out; nothing is trusted because
of a name that a certificate request may choose. Called by `activity.normalise`; results are shared and immutable.
"""

from __future__ import annotations

import enum
import functools

import msgspec

from riverwatch.activity import openshift

SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
"""User names of service accounts: ``system:serviceaccount:NAMESPACE:NAME`` (Kubernetes, authentication)."""

NODE_PREFIX = "system:node:"
"""User names of kubelets: ``system:node:NODE`` (Kubernetes, node authorization)."""

ANONYMOUS = "system:anonymous"
"""User name of requests that no authenticator accepted."""

CONTROL_PLANE_NAMES = frozenset(
    {"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"}
)
"""User names under which the parts of the control plane act."""

CONTROLLERS = frozenset(
    f"{SERVICE_ACCOUNT_PREFIX}kube-system:{name}"
    for name in (
        "attachdetach-controller",
        "bootstrap-signer",
        "certificate-controller",
        "clusterrole-aggregation-controller",
        "cronjob-controller",
        "daemon-set-controller",
        "deployment-controller",
        "device-taint-eviction-controller",
        "disruption-controller",
        "endpoint-controller",
        "endpointslice-controller",
        "endpointslicemirroring-controller",
        "ephemeral-volume-controller",
        "expand-controller",
        "generic-garbage-collector",
        "horizontal-pod-autoscaler",
        "job-controller",
        "legacy-service-account-token-cleaner",
        "namespace-controller",
        "node-controller",
        "persistent-volume-binder",
        "pod-garbage-collector",
        "pv-protection-controller",
        "pvc-protection-controller",
        "replicaset-controller",
        "replication-controller",
        "resource-claim-controller",
        "resourcequota-controller",
        "root-ca-cert-publisher",
        "route-controller",
        "selinux-warning-controller",
        "service-ca-cert-publisher",
        "service-account-controller",
        "service-cidrs-controller",
        "service-controller",
        "statefulset-controller",
        "storageversion-garbage-collector",
        "storageversionmigrator-controller",
        "token-cleaner",
        "ttl-after-finished-controller",
        "ttl-controller",
        "validatingadmissionpolicy-status-controller",
        "volumeattributesclass-protection-controller",
    )
) | frozenset(f"{SERVICE_ACCOUNT_PREFIX}{openshift.INFRA_NAMESPACE}:{name}" for name in openshift.CONTROLLERS)
"""Service accounts of the controllers inside kube-controller-manager, by exact name (Kubernetes' bootstrap policy), and
of those inside OpenShift's controller managers."""

CLOUD_ACCOUNTS = ".gserviceaccount.com"
"""Ending of the user names of Google Cloud's service accounts (Google Cloud, service account types)."""

MANAGED = "eks:"
"""Beginning of the user names that EKS keeps for its control plane (Amazon EKS, default roles and users)."""

AKS_PARTS = frozenset({"aksService", "aksProblemDetector"})
"""User names under which the parts of AKS act on a cluster they manage."""

SYSTEM = "system:"
"""Beginning of the user names that Kubernetes keeps for itself (Kubernetes, RBAC)."""

ADMINISTRATOR = "system:admin"
"""User name of the certificate for people with which k3s, RKE2 and OpenShift are installed."""

CACHE_SIZE = 65_536
"""Principals kept: more than the identities of the largest clusters supported (10,000), about 10 MB at worst."""


class PrincipalKind(enum.StrEnum):
    """The closed set of `spec.actor.kind`."""

    SERVICE_ACCOUNT = "ServiceAccount"
    USER = "User"
    NODE = "Node"
    ANONYMOUS = "Anonymous"


class Principal(msgspec.Struct, gc=False, frozen=True):
    """An identity that can act. `username` is unique; `name` and `namespace` are what people call it."""

    username: str
    kind: PrincipalKind
    name: str
    namespace: str
    """Namespace of a service account; empty for everyone else."""

    @property
    def label(self) -> str:
        """``namespace/name`` of a service account, else the name."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def is_software(principal: Principal) -> bool:
    """Tell whether a program acts that is no part of the control plane: a service account, the cluster's or a cloud's.

    Examples
    --------
    >>> is_software(classify("system:serviceaccount:web:front")), is_software(classify("ann@example.com"))
    (True, False)
    """
    if principal.kind is PrincipalKind.USER:
        return principal.username.endswith(CLOUD_ACCOUNTS)
    return principal.kind is PrincipalKind.SERVICE_ACCOUNT


def is_managed(principal: Principal) -> bool:
    """Tell whether a part of a cloud's control plane acts.

    Examples
    --------
    >>> is_managed(classify("eks:addon-manager")), is_managed(classify("eks-admin"))
    (True, False)
    """
    username = principal.username
    return principal.kind is PrincipalKind.USER and (username.startswith(MANAGED) or username in AKS_PARTS)


def is_person(principal: Principal) -> bool:
    """Tell whether a person acts, or an account that people share.

    Examples
    --------
    >>> [is_person(classify(name)) for name in ("ann@example.com", "system:admin", "system:kube-scheduler")]
    [True, True, False]
    """
    username = principal.username
    named = principal.kind is PrincipalKind.USER and (username == ADMINISTRATOR or not username.startswith(SYSTEM))
    return named and not is_software(principal) and not is_managed(principal)


@functools.lru_cache(maxsize=CACHE_SIZE)
def classify(username: str) -> Principal:
    """Classify a user name as the authenticators of kube-apiserver write it; an empty one counts as anonymous.

    Examples
    --------
    >>> classify("system:serviceaccount:web:front").label
    'web/front'
    >>> classify("system:serviceaccount:broken").kind.value
    'User'
    """
    if username.startswith(SERVICE_ACCOUNT_PREFIX):
        namespace, colon, name = username[len(SERVICE_ACCOUNT_PREFIX) :].partition(":")
        if colon and namespace and name:
            return Principal(username, PrincipalKind.SERVICE_ACCOUNT, name, namespace)
    if username.startswith(NODE_PREFIX) and len(username) > len(NODE_PREFIX):
        return Principal(username, PrincipalKind.NODE, username[len(NODE_PREFIX) :], "")
    if username in {"", ANONYMOUS}:
        return Principal(ANONYMOUS, PrincipalKind.ANONYMOUS, ANONYMOUS, "")
    return Principal(username, PrincipalKind.USER, username, "")
