"""Tells the operator's own requests in the audit stream: by identity, and only for what the operator is known to do.

The identity comes from the API server (a SelfSubjectReview), never from a name. Its requests are left out only when
verb and resource are among those that our cards declare: whoever steals the operator's token and does something else
with it is judged like everyone. A token bound to a pod counts only with that pod.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from riverwatch.activity import record

POD_UID = "authentication.kubernetes.io/pod-uid"
"""Extra field of a token that is bound to a pod."""

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
"""Extra field that names token or certificate; only a certificate's stays the same for long."""

DISCOVERY_PATHS = ("/api", "/apis", "/version", "/openapi")
"""Non-resource paths that kopf and the client read."""

Operation = tuple[str, str, str]
"""API group, resource or resource/subresource, verb."""


@dataclasses.dataclass(frozen=True)
class OwnIdentity:
    """Who the operator is to the API server, and what it does there."""

    username: str
    uid: str
    pod_uid: str
    certificate: str
    """Credential id of a client certificate; empty for tokens."""
    operations: frozenset[Operation]

    def named(self, source: record.AuditRecord) -> bool:
        """Whether a request bears the operator's name: its own, another replica's, or somebody's with its token."""
        user = source.user
        return user is not None and user.username == self.username and source.impersonated_user is None

    def made(self, source: record.AuditRecord) -> bool:
        """Whether the operator made this request as part of its work."""
        user = source.user
        if user is None or not self.named(source):
            return False
        if self.uid and user.uid and user.uid != self.uid:
            return False
        extra = user.extra
        if self.pod_uid and (extra is None or extra.pod_uid != [self.pod_uid]):
            return False
        if self.certificate and (extra is None or extra.credential_id != [self.certificate]):
            return False
        return self._usual(source)

    def _usual(self, source: record.AuditRecord) -> bool:
        target = source.object_ref
        verb = source.verb or ""
        if target is None or not target.resource:
            path = (source.request_uri or "").partition("?")[0]
            return verb == "get" and path.startswith(DISCOVERY_PATHS)
        resource = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
        return (target.api_group or "", resource, verb) in self.operations


def from_review(user: Mapping[str, Any], operations: frozenset[Operation]) -> OwnIdentity | None:
    """Read the answer of a SelfSubjectReview.

    Parameters
    ----------
    user
        ``status.userInfo``.
    operations
        What our cards declare.

    Returns
    -------
    None when the answer names nobody.
    """
    username = str(user.get("username") or "")
    if not username:
        return None
    extra = user.get("extra") or {}

    def first(key: str) -> str:
        values = extra.get(key) or [""]
        return str(values[0])

    credential = first(CREDENTIAL_ID)
    return OwnIdentity(
        username=username,
        uid=str(user.get("uid") or ""),
        pod_uid=first(POD_UID),
        certificate=credential if credential.startswith("X509") else "",
        operations=operations,
    )
