"""The kinds of objects that riverwatch reads or writes, and their paths on the API server.

Plain constants; `kube.client` turns them into requests, cards of outputs and watches into RBAC rules.
"""

from __future__ import annotations

import dataclasses
import urllib.parse

GROUP = "riverwatch.dev"
"""API group of the custom resources."""

VERSION = "v1alpha1"
"""Their version."""


@dataclasses.dataclass(frozen=True)
class Resource:
    """One kind of object on the API server."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``group/version``, or ``version`` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, *, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Build the path of one object, or of a collection when there is no name.

        Examples
        --------
        >>> POLICIES.path(namespace="web", name="quiet", subresource="status")
        '/apis/riverwatch.dev/v1alpha1/namespaces/web/detectionpolicies/quiet/status'
        >>> NAMESPACES.path()
        '/api/v1/namespaces'
        """
        parts = ["", "apis", self.group, self.version] if self.group else ["", "api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(urllib.parse.quote(part, safe=":") for part in parts)


THREAT_DETECTIONS = Resource(GROUP, VERSION, "threatdetections", "ThreatDetection")
POLICIES = Resource(GROUP, VERSION, "detectionpolicies", "DetectionPolicy")
CLUSTER_POLICIES = Resource(GROUP, VERSION, "clusterdetectionpolicies", "ClusterDetectionPolicy", namespaced=False)
RULES = Resource(GROUP, VERSION, "detectionrules", "DetectionRule", namespaced=False)
MODELS = Resource(GROUP, VERSION, "detectionmodels", "DetectionModel")

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
K8S_EVENTS = Resource("", "v1", "events", "Event")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLE_BINDINGS = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
SELF_SUBJECT_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False
)
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
