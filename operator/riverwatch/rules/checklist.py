"""Stage 4a, documents: what detectors of audit records look for, row by row, and what riverwatch does about each.

A row is covered by the rules whose cards name it, or has a written reason why no rule does. Printed into
docs/reference/rules.md by `rules.pages`; a test keeps the two complete.
"""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One behaviour that is looked for."""

    id: str
    title: str
    needs: str
    """Metadata, body (of requests), window (counting), history (learned), outside (not in the audit log)."""
    reason: str = ""
    """Why no rule covers it; empty for rows that rules cover."""


ROWS: dict[str, Row] = {
    row.id: row
    for row in (
        Row("A1", "Anonymous request allowed", "Metadata", ""),
        Row("A2", "Anonymous create/modify", "Metadata", ""),
        Row("A3", "Anonymous enumeration", "window", ""),
        Row("A4", "Anonymous granted access", "body", ""),
        Row(
            "A5",
            "Tor/proxy caller",
            "Metadata",
            "Needs a list of anonymiser addresses that ages in days; ship yours as a DetectionRule with "
            "sourceIPs|cidr.",
        ),
        Row(
            "A6",
            "Threat-list caller",
            "Metadata",
            "Needs a threat list; ship yours as a DetectionRule with sourceIPs|cidr.",
        ),
        Row("A7", "System identity from public IP", "Metadata", ""),
        Row("A8", "Service-account credential used outside", "history, outside", ""),
        Row(
            "A9",
            "Principal off allow-list",
            "Metadata",
            "The list of expected identities is the user's; ship it as a DetectionRule. Without one the "
            "novelty model speaks.",
        ),
        Row("A10", "Named admin used", "Metadata", ""),
        Row("A11", "New user agent", "history", "Learned: novelty of the user-agent family per identity."),
        Row(
            "A12",
            "New source IP/ASN/place",
            "history",
            "Learned: novelty of the source network per identity, and the credential binding.",
        ),
        Row("A13", "Pen-test tool", "Metadata", ""),
        Row("A14", "Unknown node joins or tries to", "Metadata", ""),
        Row("A15", "Sensitive service exposed", "body", ""),
        Row("A16", "NodePort service", "body", ""),
        Row("A17", "Ingress without TLS", "body", ""),
        Row("A18", "Privileged impersonation", "Metadata", ""),
        Row("A19", "Bypass annotation", "body", ""),
        Row("B1", "Exec/attach into pod", "Metadata", ""),
        Row("B2", "Exec into system pod", "Metadata", ""),
        Row("B3", "Exec reverse shell", "Metadata", ""),
        Row("B4", "Exec downloader", "Metadata", ""),
        Row("B5", "Exec reads credentials", "Metadata", ""),
        Row("B6", "Exec to cloud metadata", "Metadata", ""),
        Row("B7", "Exec of shells/tools", "Metadata", ""),
        Row("B8", "Copy out", "Metadata", ""),
        Row("B9", "Port-forward", "Metadata", ""),
        Row("B10", "Ephemeral container", "Metadata", ""),
        Row(
            "B11",
            "Image off-list or never seen",
            "body, history",
            "The list of allowed registries is the user's; a DetectionRule on pod.registry holds it. "
            "Never-seen ones are learned.",
        ),
        Row("B12", "Miner image or name", "body", ""),
        Row("B13", "Attack-tool pod name", "body", ""),
        Row("B14", "Reverse-shell args in spec", "body", ""),
        Row("B15", "Forbidden create", "Metadata", ""),
        Row("B16", "DaemonSet deployed", "Metadata", ""),
        Row("B17", "CronJob/Job created or changed", "Metadata", ""),
        Row("B18", "Workload in system/default namespace", "Metadata", ""),
        Row("B19", "Sidecar/patch of running workload", "Metadata", ""),
        Row(
            "B20",
            "Unusual sensitive workload change",
            "history",
            "Learned: novelty of action, agent and network per identity.",
        ),
        Row("B21", "Kubelet through API server", "Metadata", ""),
        Row("B22", "Kubelet exec through proxy", "Metadata", ""),
        Row("B23", "Static pod", "body, outside", ""),
        Row("B24", "Controller Service-account on new pod", "body", ""),
        Row("C1", "cluster-admin binding", "body", ""),
        Row("C2", "Binding to other privileged role", "body", ""),
        Row("C3", "Admin to default SA", "body", ""),
        Row("C4", "Any binding change", "Metadata", ""),
        Row("C5", "Binding names a service account", "body", ""),
        Row("C6", "Service-account writes RBAC", "Metadata", ""),
        Row("C7", "Wildcard/high-privilege role", "body", ""),
        Row("C8", "Role widened to wildcard", "body", ""),
        Row("C9", "Escalation verbs", "body", ""),
        Row("C10", "Role with pod exec", "body", ""),
        Row("C11", "Role with writes", "body", ""),
        Row("C12", "Role with nodes/proxy", "body", ""),
        Row("C13", "system: role changed", "Metadata", ""),
        Row("C14", "Sensitive RBAC object changed", "Metadata", ""),
        Row("C15", "RBAC change then workload", "window", ""),
        Row("C16", "Service account created", "Metadata", ""),
        Row("C17", "Token minted", "Metadata", ""),
        Row("C18", "Long-lived token", "body", ""),
        Row("C19", "CSR created/approved", "Metadata", ""),
        Row("C20", "CSR privileged/self-approved", "body", ""),
        Row("C21", "CSR approval failed/manual/deleted", "Metadata", ""),
        Row("C22", "Cluster identity map changed", "Metadata, outside", ""),
        Row("C23", "Admission webhook changed", "Metadata", ""),
        Row("C24", "Namespace created", "Metadata", ""),
        Row("D1", "Privileged container", "body", ""),
        Row("D2", "Sensitive hostPath", "body", ""),
        Row("D3", "hostNetwork", "body", ""),
        Row("D4", "hostPID", "body", ""),
        Row("D5", "hostIPC", "body", ""),
        Row("D6", "Dangerous capabilities", "body", ""),
        Row("D7", "shareProcessNamespace", "body", ""),
        Row("D8", "allowPrivilegeEscalation", "body", ""),
        Row("D9", "Runtime socket mounted", "body", ""),
        Row(
            "D10",
            "Service-account token auto-mounted",
            "body",
            "True of nearly every pod by default: a matter for a posture scanner. "
            "pod.automountServiceAccountToken is there for own rules.",
        ),
        Row("E1", "Secret read", "Metadata", ""),
        Row("E2", "Secret read refused", "Metadata, window", ""),
        Row("E3", "Secrets listed wide", "Metadata", ""),
        Row("E4", "Secret burst", "window", ""),
        Row("E5", "Secret by node or refused SA", "Metadata", ""),
        Row(
            "E6",
            "Secret by unusual agent/place/user/group",
            "history",
            "Learned: novelty of secret names, agents and networks per identity.",
        ),
        Row("E7", "Secret by scripted client", "Metadata", ""),
        Row("E8", "Secret through Arc proxy", "Metadata", ""),
        Row("E9", "Crown-jewel secret", "Metadata", ""),
        Row("E10", "Secret under impersonation", "Metadata", ""),
        Row("E11", "Credentials in ConfigMap", "body", ""),
        Row("E12", "Secret changed/deleted", "Metadata", ""),
        Row("F1", "Permission self-check", "Metadata, history", ""),
        Row("F2", "Denied burst", "window", ""),
        Row("F3", "Mixed probing", "window", ""),
        Row("F4", "Multi-kind read", "window", ""),
        Row("F5", "Denied call by new agent", "history", "Learned: novelty of agents and of refusals per identity."),
        Row("F6", "New decision for pair", "history", "Learned: novelty of error codes per identity and action."),
        Row("G1", "Kubernetes Events deleted", "Metadata", ""),
        Row("G2", "Name masquerade", "body", ""),
        Row(
            "G3",
            "Audit logging off",
            "outside",
            "Not in the audit log of the API server: the cloud's own log has it. Silence itself is reported "
            "as a lack of records.",
        ),
        Row("G4", "NetworkPolicy changed", "Metadata", ""),
        Row("H1", "Cluster DNS changed", "Metadata", ""),
        Row("H2", "Workload/pod deleted", "Metadata", ""),
        Row("H3", "Inventory", "Metadata", ""),
        Row(
            "H4",
            "Cluster created/deleted",
            "outside",
            "Not in the audit log of the API server: the cloud's own log has it.",
        ),
        Row(
            "H5",
            "Add-on identity abnormal",
            "outside, history",
            "Learned: behaviour per identity; the managed identity's sign-ins are in the cloud's own log.",
        ),
        Row("H6", "GitOps object edited by hand", "Metadata", ""),
        Row(
            "H7",
            "Policy catch-all",
            "Metadata",
            "A rule on every record tells nothing; riverwatch replay and the audit log itself serve that purpose.",
        ),
        Row("O1", "OpenShift: security context constraints granted, changed or used", "Metadata", ""),
        Row("O2", "OpenShift: root on nodes by debug pod or machine configuration", "Metadata", ""),
        Row("O3", "Cluster administrator told without bodies", "Metadata", ""),
        Row("O4", "OpenShift: log-in, identity providers, OAuth clients and tokens", "Metadata, window", ""),
        Row("O5", "OpenShift: users and groups written", "Metadata", ""),
        Row("O6", "OpenShift: builds, shared images, catalogues and console plug-ins", "Metadata, body", ""),
        Row("O7", "OpenShift: its own parts, audit and logging tampered with", "Metadata, body", ""),
        Row("O8", "OpenShift: data gathering", "Metadata", ""),
    )
}
"""Every row by its id, in order."""
