"""Stage 1: the cards of the live sources; documents and manifests are printed from them. Data only, cheap to import."""

from __future__ import annotations

from riverwatch.rules import base as rules_base
from riverwatch.sources import base

AUDIT_WEBHOOK = base.SourceCard(
    id="audit-webhook",
    summary="Receives audit batches of kube-apiserver, and pushes of clouds and log shippers, over HTTPS.",
    maturity=rules_base.Maturity.INCUBATING,
    needs=(
        "kube-apiserver --audit-webhook-config-file pointing here, with the CA and a token or client certificate",
        "kube-apiserver --audit-policy-file with at least level Metadata",
    ),
    settings=(
        "audit_webhook",
        "audit_host",
        "audit_port",
        "audit_cert",
        "audit_key",
        "audit_token_file",
        "audit_client_ca",
        "audit_insecure",
        "audit_max_body_bytes",
        "audit_source_bytes_per_s",
        "audit_review_users",
    ),
    rbac=("create authentication.k8s.io/tokenreviews",),
    blind_spots=(
        "What the audit policy leaves out, and what the API server drops when its own buffer is full.",
        "Records wait in the API server up to --audit-webhook-batch-max-wait (30 s by default) before they are sent.",
    ),
)

AUDIT_TAIL = base.SourceCard(
    id="audit-tail",
    summary="Follows the audit log that kube-apiserver writes on its node.",
    maturity=rules_base.Maturity.INCUBATING,
    needs=(
        "kube-apiserver --audit-log-path, format json",
        "the folder of the log mounted read-only where riverwatch runs",
    ),
    settings=("audit_log",),
    rbac=(),
    blind_spots=(
        "One API server's log only: each replica of the control plane writes its own.",
        "What was rotated away and compressed or deleted while riverwatch was down; that gap is logged.",
    ),
)

ADMISSION_WEBHOOK = base.SourceCard(
    id="admission-webhook",
    summary="Takes admission reviews as a stand-in for an audit log that a managed control plane keeps to itself.",
    maturity=rules_base.Maturity.INCUBATING,
    needs=(
        "manifests/admission-webhook.yaml applied, with the CA of the receiver's certificate and a token in its path",
        "a path from the API server to the receiver: the same Service as for audit batches",
        "no audit stream of the same cluster beside it: each request would count twice",
    ),
    settings=("admission_webhook", "admission_token_file"),
    rbac=(),
    blind_spots=(
        "Reads (get, list, watch): who reads secrets and who looks around is never told.",
        "Refused requests, by authorization or by a later admission step: every review is taken for a success.",
        "Addresses and user agents of clients, and so one credential used from two places.",
        "The person behind an impersonation: only the identity acted as is told.",
        "Changes of webhook configurations, for which API servers never ask webhooks.",
        "Patches arrive as updates with the whole object; exec by WebSocket or SPDY looks the same.",
        "Requests while riverwatch is away or slower than a second: they pass unseen (failurePolicy Ignore).",
        "Secrets and config maps are told without their content; by default secrets are not told at all.",
    ),
    repeats=False,
)
