"""Puts together what watches the stream: the heartbeat, its judge, and what replicas tell each other.

The shared objects in, connected parts out; starts nothing. Called by `assembly`.
"""

from __future__ import annotations

from riverwatch.control import heartbeat, models, stream_health, stream_peers
from riverwatch.runtime import context as contexts
from riverwatch.runtime import leader


def build(
    context: contexts.Context, elected: leader.Leader | None
) -> tuple[heartbeat.Heartbeat, stream_health.StreamHealth]:
    """Build the parts and connect them to the worker.

    Parameters
    ----------
    context
        Shared objects; the worker has not started yet.
    elected
        Takes part in the election; None when this replica is the only one.
    """
    chosen = context.settings
    beat = heartbeat.Heartbeat(context.client, time=context.time, patience_s=chosen.heartbeat_patience_s)
    context.worker.watch.on_own(beat.hear)
    health = stream_health.StreamHealth(
        context.client,
        context.worker.watch,
        context.worker.change,
        beat,
        namespace=chosen.namespace,
        object_name=models.OBJECT_NAME,
        every_s=chosen.heartbeat_s,
        time=context.time,
    )
    if elected is not None:
        health.leads = lambda: elected.leads
        me = leader.instance()
        health.share(stream_peers.Peers(context.client, namespace=chosen.namespace, me=me, time=context.time))
    return beat, health
