"""Everything that the parts of the running operator share: built once by `cli.run`, passed down, never global.

Holds objects only, no logic. `Pipeline` says what control may ask of the pipeline; it does so on the worker's thread
alone, through `Worker.change`.
"""

from __future__ import annotations

import dataclasses
import threading

from riverwatch import clock, settings
from riverwatch.kube import client as kube_client
from riverwatch.kube import connection as connections
from riverwatch.outputs import dispatch, housekeeping, k8s_event
from riverwatch.runtime import pipeline, worker


@dataclasses.dataclass
class Readiness:
    """What /readyz looks at; set by whoever finishes a part, read by the probe."""

    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    """Part -> why it is not there yet."""
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def wait_for(self, part: str, why: str) -> None:
        """Say that a part is not there yet."""
        with self.lock:
            self.missing[part] = why

    def done(self, part: str) -> None:
        """Say that a part is there."""
        with self.lock:
            self.missing[part] = ""

    def checks(self) -> dict[str, str]:
        """Return part -> what is wrong; empty when it is there."""
        with self.lock:
            return dict(self.missing)


@dataclasses.dataclass(frozen=True)
class Context:
    """The shared objects of one running operator."""

    settings: settings.Settings
    time: clock.Clock
    connection: connections.Connection
    client: kube_client.Client
    worker: worker.Worker[pipeline.Pipeline]
    dispatcher: dispatch.Dispatcher
    housekeeper: housekeeping.Housekeeper
    announcer: k8s_event.K8sEventOutput
    readiness: Readiness
