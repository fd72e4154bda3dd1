"""Stage 2 words: the wire record `AuditRecord`, and `Activity`, our normalised fact.

``bytes -> AuditRecord`` is decoded by `sources` with `msgspec`; ``AuditRecord -> Activity`` is `activity.normalise`.
Bodies stay raw (`msgspec.Raw`) until an indexed rule asks for them. Every field of `AuditRecord` is optional, because
wrappers and hostile senders leave fields out; `Activity` has no optional field left. Neither type does any I/O.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from riverwatch.activity import identities

ABSENT = msgspec.Raw(b"")
"""A body, or the annotations, that the record does not have."""


class UserExtra(
    msgspec.Struct,
    gc=False,
    rename={
        "pod_name": "authentication.kubernetes.io/pod-name",
        "pod_uid": "authentication.kubernetes.io/pod-uid",
        "node_name": "authentication.kubernetes.io/node-name",
        "credential_id": "authentication.kubernetes.io/credential-id",
    },
):
    """The entries of `user.extra` that bind a credential to a pod, a node or a certificate."""

    pod_name: list[str] | None = None
    pod_uid: list[str] | None = None
    node_name: list[str] | None = None
    credential_id: list[str] | None = None

    @property
    def credential(self) -> str:
        """What names the credential: its id, before Kubernetes 1.30 the uid of its pod; empty when neither is told."""
        given = self.credential_id or self.pod_uid
        return given[0] if given else ""


class UserInfo(msgspec.Struct, gc=False):
    """`user` and `impersonatedUser` of an audit record."""

    username: str | None = None
    uid: str | None = None
    groups: list[str] | None = None
    extra: UserExtra | None = None


class ObjectReference(
    msgspec.Struct,
    gc=False,
    rename={"api_group": "apiGroup", "api_version": "apiVersion", "resource_version": "resourceVersion"},
):
    """`objectRef` of an audit record."""

    resource: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    api_group: str | None = None
    api_version: str | None = None
    resource_version: str | None = None
    subresource: str | None = None


class ResponseStatus(msgspec.Struct, gc=False):
    """`responseStatus` of an audit record."""

    code: int | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None


class AuditRecord(
    msgspec.Struct,
    gc=False,
    omit_defaults=True,
    rename={
        "api_version": "apiVersion",
        "audit_id": "auditID",
        "request_uri": "requestURI",
        "impersonated_user": "impersonatedUser",
        "source_ips": "sourceIPs",
        "user_agent": "userAgent",
        "object_ref": "objectRef",
        "response_status": "responseStatus",
        "request_object": "requestObject",
        "response_object": "responseObject",
        "request_received_timestamp": "requestReceivedTimestamp",
        "stage_timestamp": "stageTimestamp",
    },
):
    """One `audit.k8s.io` Event as it stands on the wire; the field names are those of the API, in snake case.

    Written again without the fields that it does not have, of which `ABSENT` would be no JSON.
    """

    kind: str | None = None
    api_version: str | None = None
    level: str | None = None
    audit_id: str | None = None
    stage: str | None = None
    request_uri: str | None = None
    verb: str | None = None
    user: UserInfo | None = None
    impersonated_user: UserInfo | None = None
    source_ips: list[str] | None = None
    user_agent: str | None = None
    object_ref: ObjectReference | None = None
    response_status: ResponseStatus | None = None
    request_object: msgspec.Raw = ABSENT
    response_object: msgspec.Raw = ABSENT
    request_received_timestamp: str | None = None
    stage_timestamp: str | None = None
    annotations: msgspec.Raw = ABSENT


class Activity(msgspec.Struct, gc=False, frozen=True):
    """Who did what to which object, when, from where, with what result.

    Strings are empty and numbers 0 where the record says nothing. `principal` holds the credential that was used;
    `impersonated` is the identity it acted as, or None.
    """

    audit_id: str
    time_s: float
    """Seconds since the epoch at which the API server received the request."""
    stage: str
    level: str
    principal: identities.Principal
    impersonated: identities.Principal | None
    verb: str
    api_group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    """HTTP status code, 0 when unknown."""
    request_uri: str
    source_ip: str
    """Where the credential was used from: the first address reported, which a proxy or the client itself may have set;
    of a proxy that acts as others its own, the last."""
    user_agent: str
    credential_id: str
    """`authentication.kubernetes.io/credential-id`: ``JTI=...`` of a token or ``X509SHA256=...`` of a certificate."""
    token_pod: str
    """Name of the pod that the token is bound to."""
    token_node: str
    """Name of the node that the token's pod runs on."""
    record: AuditRecord
    """The record itself, for the fields that few rules ask for."""

    @property
    def refused(self) -> bool:
        """Whether authentication, authorization or admission refused the request (401 or 403)."""
        return self.code in (401, 403)

    @property
    def failed(self) -> bool:
        """Whether the request had no effect: any answer from 400 on."""
        return self.code >= 400

    @property
    def in_own_namespace(self) -> bool:
        """Whether a service account acts in its own namespace."""
        return self.namespace != "" and self.namespace == self.principal.namespace

    @property
    def addresses(self) -> Sequence[str]:
        """All source addresses, forwarded ones first; empty when it is not known where the actor called from."""
        return (self.record.source_ips or ()) if self.source_ip else ()

    @property
    def token_pod_uid(self) -> str:
        """Uid of the pod that the token is bound to; empty when it is not told."""
        extra = self._extra
        return extra.pod_uid[0] if extra and extra.pod_uid else ""

    @property
    def credential(self) -> str:
        """What names the credential (`UserExtra.credential`); empty when nothing does."""
        extra = self._extra
        return extra.credential if extra else ""

    @property
    def _extra(self) -> UserExtra | None:
        return self.record.user.extra if self.record.user else None

    @property
    def actor(self) -> identities.Principal:
        """The identity that acted in RBAC's eyes: the impersonated one where there is one."""
        return self.impersonated or self.principal

    @property
    def resource_path(self) -> str:
        """``resource`` or ``resource/subresource``, as RBAC writes it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource
