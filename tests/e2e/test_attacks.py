"""Every attack simulation on a real control plane: what it sends, with which rights, and what it leaves behind."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator

import pytest

from riverwatch.activity import normalise
from riverwatch.lab import controlplane
from riverwatch.lab.attacks import base, catalog, context, review, run, session, stage
from riverwatch.rules import engine as rule_engine
from riverwatch.rules import loading
from riverwatch.sources import audit_file
from riverwatch.sources import base as sources

ATTACKS = catalog.load()

CLIENT_KINDS = (
    "/api/v1/configmaps",
    "/api/v1/secrets",
    "/api/v1/serviceaccounts",
    "/api/v1/services",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/daemonsets",
    "/apis/batch/v1/cronjobs",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/roles",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
)
"""What attacks create or delete by name; pods are left out because controllers replace them at any time."""


def director_of(plane: controlplane.ControlPlane) -> stage.Director:
    pair = plane.client_certificate("kubernetes-admin", ("system:masters",))
    chief = base.Identity(
        username="kubernetes-admin",
        part=base.Part.ADMIN,
        namespace="",
        credential=stage.certificate(pair.certificate, pair.key),
        source_ip="",
        user_agent=context.KUBECTL,
    )
    return stage.Director(server=plane.url, authority_file=str(plane.authority), identity=chief)


@pytest.fixture(scope="module")
def scene(control_plane: controlplane.ControlPlane) -> Iterator[stage.Stage]:
    def issue(user: str, groups: tuple[str, ...]) -> base.Credential:
        pair = control_plane.client_certificate(user, groups)
        return stage.certificate(pair.certificate, pair.key)

    built = stage.Stage(director_of(control_plane), namespace="shop", wide=True)
    try:
        built.build(issue)
        yield built
    finally:
        left = built.strike()
    assert left == []


@pytest.fixture(scope="module")
def chief(control_plane: controlplane.ControlPlane, scene: stage.Stage) -> session.Session:
    """The director, asking on its own account."""
    del control_plane
    wire = session.Wire(scene=scene, rng=random.Random(0), clock=lambda: 0.0, observer=lambda _sent: None)
    return session.Session(wire, scene.director, manner=session.Manner(source_ip="", user_agent=context.KUBECTL))


RUNS = itertools.count()


def prepared(scene: stage.Stage, attack: base.Attack) -> context.AttackContext:
    # Audit ids come from the seed, so two runs on one control plane need two seeds.
    rng = random.Random(f"7/{attack.card.id}/{next(RUNS)}")
    return context.AttackContext(scene=scene, rng=rng, home=scene.namespace)


def inventory(chief: session.Session) -> set[tuple[str, str, str]]:
    """Everything that attacks could leave behind."""
    found = set()
    for path in CLIENT_KINDS:
        answer = chief.get(path).action()
        assert answer.ok, f"{path}: {answer.status}"
        found |= {(path, namespace, name) for namespace, name in answer.items()}
    return found


def allowed(chief: session.Session, step: base.Step) -> bool:
    """Ask the real authorizer whether an identity holds the right that a step uses."""
    body = review.question(step.username, step.method, step.target)
    answer = chief.create(review.PATH, body).action()
    assert isinstance(answer.body, dict)
    return bool(answer.body["status"]["allowed"])


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_plays_its_story_and_leaves_nothing_behind(scene, chief, attack):
    before = inventory(chief)
    given = prepared(scene, attack)
    under_way = run.Run(attack, given)
    now_s = 0.0
    try:
        while not under_way.done:
            step = under_way.pending
            if attack.card.subtlety is base.Subtlety.SUBTLE:
                assert allowed(chief, step), f"{step.username} may not {step.method} {step.target}"
            now_s += under_way.delay_s
            answer = under_way.advance(now_s=now_s)
            if attack.card.subtlety is base.Subtlety.SUBTLE:
                assert answer.ok, f"{step.method} {step.target}: {answer.status}"
    finally:
        left = under_way.clean_up(now_s=now_s)
    assert left == []
    assert inventory(chief) == before
    label = under_way.label()
    assert label.audit_ids
    assert label.end_s - label.start_s <= attack.card.lasts_s
    own = [sent for sent in given.sent if sent.purpose is base.Purpose.ATTACK]
    assert all(sent.username != scene.director.username for sent in own)


def test_labels_name_the_records_of_the_audit_log(control_plane, scene):
    """Each labelled id stands in the audit log, with the actor, the address and the agent that the attack showed."""
    sent = []
    for name in ("stolen-token-new-address", "impersonation", "secret-trickle"):
        given = prepared(scene, ATTACKS[name])
        under_way = run.Run(ATTACKS[name], given)
        while not under_way.done:
            under_way.advance(now_s=1.0)
        under_way.clean_up(now_s=1.0)
        sent += [one for one in given.sent if one.purpose is base.Purpose.ATTACK]
    records = {}
    for line in control_plane.audit_log.read_text().splitlines():
        record = json.loads(line)
        records[record["auditID"]] = record
    for one in sent:
        record = records[one.audit_id]
        assert record["user"]["username"] == one.username
        assert record.get("impersonatedUser", {}).get("username", "") == one.impersonated
        assert record["sourceIPs"][0] == one.source_ip
        assert record["userAgent"] == one.user_agent
        assert record["responseStatus"]["code"] == one.status


def test_subtle_ones_are_seen_by_no_single_record_rule(control_plane, scene):
    """What a written rule raises on one record is obvious, and its card has to say so."""
    engine = rule_engine.RuleEngine(loading.load_catalog())
    owner = {}
    for attack in ATTACKS.values():
        if attack.card.subtlety is not base.Subtlety.SUBTLE:
            continue
        given = prepared(scene, attack)
        under_way = run.Run(attack, given)
        while not under_way.done:
            under_way.advance(now_s=1.0)
        under_way.clean_up(now_s=1.0)
        owner |= dict.fromkeys(under_way.label().audit_ids, attack.card.id)
    raised = set()
    judged = set()
    for batch in audit_file.read_paths([control_plane.audit_log], tally=sources.Tally()):
        for record in batch.records:
            if record.audit_id in owner:
                judged.add(owner[record.audit_id])
                hits = engine.match(normalise.from_audit(record))
                # Counting rules are left out: nothing paces the requests here, so their windows hold days in a second.
                raised |= {(owner[record.audit_id], h.card.id) for h in hits if h.card.raises and not h.card.sequence}
    assert judged == set(owner.values())
    assert raised == set()


def test_steals_tokens_that_name_their_pod(control_plane, scene):
    """A stolen workload token carries pod and credential id, as in life, or credential binding could not be judged."""
    given = prepared(scene, ATTACKS["stolen-token-new-address"])
    thief = given.act_as(given.victim(base.Part.APP))
    thief.get("/version").action()
    wanted = given.sent[-1].audit_id
    given.close()
    line = next(line for line in control_plane.audit_log.read_text().splitlines() if wanted in line)
    extra = json.loads(line)["user"]["extra"]
    assert extra["authentication.kubernetes.io/pod-name"] in (["cart-0"], ["checkout-0"])
    assert extra["authentication.kubernetes.io/credential-id"]
