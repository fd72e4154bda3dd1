"""A small made-up cluster for the checkpoint tests: five days of life with a few odd ones in it, always the same bytes.

Run as a program it judges the stream and prints a digest of everything that was raised and of all state at the end, so
that runs under different seeds of hashing can be compared.
"""

from __future__ import annotations

import functools
import hashlib
import random
import sys
from collections.abc import Sequence

import acts

from riverwatch import testing
from riverwatch.activity import record
from riverwatch.detections import finding, render
from riverwatch.rules import engine
from riverwatch.runtime import pipeline
from riverwatch.scoring import policy, policy_compile
from riverwatch.sources import base
from riverwatch.state import snapshot

DAY_S = 86_400.0
DAYS = 5.0
LEARN_S = testing.START_S + 2 * DAY_S
NAMESPACES = ("web", "shop", "pay", "search", "mail", "kube-system")
FRUGAL = policy.PolicySet(
    [
        policy_compile.compile_body(
            {
                "apiVersion": "riverwatch.dev/v1alpha1",
                "kind": "ClusterDetectionPolicy",
                "metadata": {"name": "frugal"},
                "spec": {"alertBudget": {"perDay": 1}, "namespaceSelector": {"matchNames": ["*"]}},
            }
        )
    ]
)
TEMPLATE_STEP, POD_STEP = 1_950, 2_075
"""A template is written before half of the stream and has its effect after it."""

KUBELET_STEP = 900
"""A kubelet calls from the internet once, in the first half."""

KINDS = (
    ("get", "configmaps", "settings"),
    ("list", "pods", ""),
    ("watch", "services", ""),
    ("get", "secrets", "tls"),
    ("patch", "deployments", "front-6c5d8f7b9d-x2k4p"),
    ("update", "leases", "leader"),
)


@functools.cache
def records(*, size: int = 4_000, seed: int = 7) -> tuple[record.AuditRecord, ...]:
    """Return the stream: routine, odd ones, copies of deliveries, and a few records out of order."""
    rng = random.Random(seed)
    made: list[record.AuditRecord] = []
    step_s = DAYS * DAY_S / size
    for step in range(size):
        time_s = testing.START_S + step * step_s
        if step % 1_500 == 1_499:
            made.append(acts.cluster_admin(time_s=time_s))
        if step > 1_500 and step % 1_500 == 30:
            # The account that was given everything an hour ago makes use of it.
            made.append(acts.cluster_admin(time_s=time_s, user="system:serviceaccount:web:default"))
        if step in (TEMPLATE_STEP, POD_STEP):
            made.append(_template(time_s) if step == TEMPLATE_STEP else _pod_of_template(time_s))
        if step == KUBELET_STEP:
            made.append(_kubelet(time_s))
        if step in (400, size - 200):
            made.append(_by_hand(time_s, "web" if step == 400 else "kube-system"))
        made.append(_odd(rng, time_s) if rng.random() < (0.01 if time_s > LEARN_S else 0.001) else _usual(rng, time_s))
        if time_s > LEARN_S and rng.random() < 0.005:
            made.append(_new_here(rng, time_s))
        if rng.random() < 0.01:
            made.append(made[rng.randrange(max(0, len(made) - 200), len(made))])
    return tuple(made)


def _kubelet(time_s: float) -> record.AuditRecord:
    return testing.audit_record(
        time_s=time_s,
        user="system:node:worker-1",
        verb="update",
        resource="leases",
        source_ip="203.0.113.7",
        user_agent="kubelet/v1.34",
        audit_id="kubelet",
    )


def _by_hand(time_s: float, namespace: str) -> record.AuditRecord:
    """A weak finding, which takes from the budget: a rule of severity Medium, and hardly anything new."""
    return testing.audit_record(
        time_s=time_s,
        user="person-2@example.com",
        verb="create",
        resource="pods",
        subresource="exec",
        namespace=namespace,
        name="front-1",
        source_ip="10.4.0.12",
        user_agent="app-2/1.0",
        code=101,
        audit_id=f"by-hand-{namespace}",
    )


def _usual(rng: random.Random, time_s: float) -> record.AuditRecord:
    namespace, app = rng.choice(NAMESPACES), rng.randrange(8)
    user = f"system:serviceaccount:{namespace}:app-{app}" if rng.random() < 0.95 else f"person-{app}@example.com"
    verb, resource, name = KINDS[(app + rng.randrange(3)) % len(KINDS)]
    token = int(time_s // 7_200)
    return testing.audit_record(
        time_s=time_s - (5.0 if rng.random() < 0.02 else 0.0),
        user=user,
        verb=verb,
        resource=resource,
        namespace=namespace,
        name=name and f"{name}-{app}",
        source_ip=f"10.4.{NAMESPACES.index(namespace)}.{10 + app}",
        user_agent=f"app-{app}/1.{token % 3}",
        code=403 if rng.random() < 0.005 else 200,
        audit_id=f"{rng.getrandbits(64):016x}",
        extra={
            "authentication.kubernetes.io/credential-id": [f"JTI={namespace}-{app}-{token}"],
            "authentication.kubernetes.io/pod-name": [f"app-{app}-{token}"],
        },
    )


def _odd(rng: random.Random, time_s: float) -> record.AuditRecord:
    namespace, app = rng.choice(NAMESPACES), rng.randrange(8)
    verb, resource, name = rng.choice(
        (
            ("list", "secrets", ""),
            ("get", "secrets", f"other-{rng.randrange(40)}"),
            ("create", "clusterrolebindings", "ops"),
            ("delete", "deployments", f"front-{rng.randrange(40)}"),
            ("create", "serviceaccounts", "helper"),
        )
    )
    return testing.audit_record(
        time_s=time_s,
        user=f"system:serviceaccount:{rng.choice(NAMESPACES)}:app-{app}",
        verb=verb,
        resource=resource,
        namespace=namespace,
        name=name,
        source_ip=f"198.51.100.{rng.randrange(4)}",
        user_agent=rng.choice(("curl/8.5.0", "kubectl/v1.36.3")),
        code=rng.choice((200, 200, 403)),
        audit_id=f"{rng.getrandbits(64):016x}",
        extra={
            "authentication.kubernetes.io/credential-id": [f"JTI={namespace}-{app}-{int(time_s // 7_200)}"],
            "authentication.kubernetes.io/pod-name": [f"app-{app}-{int(time_s // 7_200)}"],
        },
    )


def _new_here(rng: random.Random, time_s: float) -> record.AuditRecord:
    """Something new from the usual address, too little to be raised at once in a life as odd as this one."""
    app = rng.randrange(8)
    verb, resource, name = rng.choice(
        (("delete", "secrets", f"fresh-{rng.randrange(1000)}"), ("deletecollection", "events", ""))
    )
    return testing.audit_record(
        time_s=time_s,
        user=f"system:serviceaccount:web:app-{app}",
        verb=verb,
        resource=resource,
        namespace="elsewhere",
        name=name,
        source_ip=f"10.4.0.{10 + app}",
        user_agent="trial/1.0",
        audit_id=f"{rng.getrandbits(64):016x}",
    )


def _template(time_s: float) -> record.AuditRecord:
    """Somebody writes a DaemonSet, of which only metadata is recorded."""
    return testing.audit_record(
        time_s=time_s,
        user="carol@example.com",
        verb="create",
        resource="daemonsets",
        api_group="apps",
        namespace="kube-system",
        name="agent",
        code=201,
    )


def _pod_of_template(time_s: float) -> record.AuditRecord:
    """A controller makes a pod of it, whose content is recorded."""
    owner = {"kind": "DaemonSet", "name": "agent", "controller": True}
    return testing.audit_record(
        time_s=time_s,
        user="system:serviceaccount:kube-system:daemon-set-controller",
        verb="create",
        resource="pods",
        namespace="kube-system",
        name="",
        code=201,
        request_object={
            "metadata": {"generateName": "agent-", "ownerReferences": [owner]},
            "spec": {
                "hostPID": True,
                "serviceAccountName": "clusterrole-aggregation-controller",
                "containers": [{"name": "c", "image": "x", "securityContext": {"privileged": True}}],
                "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
            },
        },
    )


class Run:
    """A pipeline, and everything that came out of it so far, as bytes."""

    def __init__(self, rules: tuple) -> None:
        self._rules = rules
        self.raised: list[bytes] = []
        self.last: dict[str, bytes] = {}
        self.pipeline = self._fresh()

    def _fresh(self) -> pipeline.Pipeline:
        return pipeline.Pipeline(rules=engine.RuleEngine(self._rules), policies=FRUGAL, learn_until_s=LEARN_S)

    def feed(self, part: Sequence[record.AuditRecord]) -> None:
        """Judge records one by one and keep every revision."""
        tally = base.Tally()
        for one in part:
            for detection in self.pipeline.process([one], tally=tally):
                self._keep(detection)

    def _keep(self, detection: finding.Detection) -> None:
        body = snapshot.pack([detection.revision, render.to_threat_detection(detection)])
        self.raised.append(body)
        self.last[detection.uid] = body

    def state(self) -> bytes:
        """Return all state as a checkpoint holds it."""
        return snapshot.pack(self.pipeline.snapshot())

    def restart(self) -> None:
        """Write a checkpoint, forget everything, and go on from the checkpoint."""
        data = snapshot.encode(snapshot.Snapshot(self.state(), "any"))
        self.pipeline = self._fresh()
        self.pipeline.restore(snapshot.unpack(snapshot.decode(data).content))

    def digest(self) -> str:
        """Return one line that stands for everything that was raised and all state."""
        told = hashlib.sha256(b"".join(self.raised) + self.state())
        return f"{len(self.last)} {len(self.raised)} {told.hexdigest()}\n"


if __name__ == "__main__":
    run = Run(engine.load_catalog())
    run.feed(records())
    sys.stdout.write(run.digest())
