"""Makes the live sources that the settings ask for; the part of the wiring that knows receivers."""

from __future__ import annotations

from riverwatch import clock, metrics, settings
from riverwatch.kube import client as kube_client
from riverwatch.sources import (
    admission_webhook,
    audit_tail,
    audit_webhook,
    base,
    token_review,
    webhook_access,
)


def build(  # noqa: PLR0913 - what it joins
    chosen: settings.Settings,
    sink: base.Sink,
    *,
    client: kube_client.Client,
    tail_position: base.Position | None,
    counters: metrics.Metrics,
    time: clock.Clock,
) -> tuple[base.Source, ...]:
    """Return the sources, not started.

    Parameters
    ----------
    chosen
        Settings.
    sink
        Takes deliveries.
    client
        API server, for tokens that it vouches for.
    tail_position
        Where the followed log goes on.
    counters
        Metrics.
    time
        Clock.
    """
    found: list[base.Source] = []
    if chosen.audit_webhook:
        receiver = admission_webhook.AdmissionWebhook if chosen.admission_webhook else audit_webhook.AuditWebhook
        users = frozenset(name.strip() for name in chosen.audit_review_users.split(",") if name.strip())
        found.append(
            receiver(
                sink,
                host=chosen.audit_host,
                port=chosen.audit_port,
                access=webhook_access.Access(
                    cert=chosen.audit_cert,
                    key=chosen.audit_key,
                    token_file=chosen.audit_token_file,
                    client_ca=chosen.audit_client_ca,
                    admission_token_file=chosen.admission_token_file,
                ),
                insecure=chosen.audit_insecure,
                limits=audit_webhook.Limits(
                    body_bytes=chosen.audit_max_body_bytes, source_bytes_per_s=chosen.audit_source_bytes_per_s
                ),
                reviewer=token_review.TokenReviewer(client.whose, users, time=time) if users else None,
                counters=counters,
                time=time,
            )
        )
    if chosen.audit_log is not None:
        found.append(audit_tail.AuditTail(sink, chosen.audit_log, position=tail_position, counters=counters, time=time))
    return tuple(found)
