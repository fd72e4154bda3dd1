from __future__ import annotations

import msgspec
import pytest

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.features import attributes
from riverwatch.models import base
from riverwatch.scoring import damping, releases

DAY_S = 86_400.0


def surprise(feature: str, *, usual: tuple[tuple[str, int], ...] = ()) -> base.Surprise:
    return base.Surprise(
        model="novelty",
        feature=feature,
        observed="x",
        nats=8.0,
        bursts=10,
        age_s=DAY_S,
        usual=usual,
        unseen_in=(),
        siblings=0,
    )


def damped(feature: str, young: damping.Young | None = None, *, usual=(), **record) -> float:
    activity = normalise.from_audit(testing.audit_record(**record))
    (part,) = damping.damp([surprise(feature, usual=usual)], activity, young or damping.Young())
    return part.nats


FOLLOWERS = {
    "a kubelet": "system:node:worker-1",
    "the scheduler": "system:kube-scheduler",
    "a controller": "system:serviceaccount:kube-system:replicaset-controller",
}
OTHERS = {
    "an application": "system:serviceaccount:web:front",
    "a controller's name in another namespace": "system:serviceaccount:web:replicaset-controller",
    "a person with a telling name": "replicaset-controller",
}


@pytest.mark.parametrize("user", FOLLOWERS.values(), ids=FOLLOWERS)
def test_where_to_counts_less_for_those_who_follow_others(user):
    assert damped("namespace", user=user) < 8.0


@pytest.mark.parametrize("user", FOLLOWERS.values(), ids=FOLLOWERS)
@pytest.mark.parametrize("feature", ["network", "agent", "credential", "rule"])
def test_where_from_and_rules_never_count_less(user, feature):
    assert damped(feature, user=user) >= 8.0


@pytest.mark.parametrize("user", FOLLOWERS.values(), ids=FOLLOWERS)
def test_new_work_of_those_who_follow_others_counts_less_only_from_their_own_place(user):
    def of_action(*others: str) -> float:
        activity = normalise.from_audit(testing.audit_record(user=user))
        found = damping.damp([surprise("action"), *map(surprise, others)], activity, damping.Young())
        return next(part.nats for part in found if part.feature == "action")

    assert of_action() < 8.0
    assert of_action("agent") == 8.0
    assert of_action("network") == 8.0


def test_a_refusal_of_a_kubelet_counts_half_when_it_never_met_one():
    assert damped("outcome", user="system:node:worker-1") == 4.0


def test_asking_for_what_does_not_exist_counts_less_from_where_the_identity_always_is():
    """Every apply asks for what it is about to make; a stolen credential that guesses names does so from elsewhere."""
    assert damped("object", code=404) == 8.0 * damping.EXPLAINED
    assert damped("action", code=404) == 8.0 * damping.IN_VAIN
    activity = normalise.from_audit(testing.audit_record(code=404))
    found = damping.damp([surprise("action"), surprise("network")], activity, damping.Young())
    assert {part.feature: part.nats for part in found} == {"action": 8.0, "network": 8.0}


BOUND = {
    "authentication.kubernetes.io/pod-name": ["front-1"],
    "authentication.kubernetes.io/credential-id": ["JTI=1"],
}


def test_a_pod_that_came_up_on_another_node_counts_less():
    assert damped("network", extra=BOUND) < 8.0
    assert damped("network") == 8.0


def test_a_bound_token_on_the_internet_or_in_two_places_is_not_excused():
    assert damped("network", extra=BOUND, source_ip="203.0.113.9") >= 8.0
    activity = normalise.from_audit(testing.audit_record(extra=BOUND))
    found = damping.damp([surprise("network"), surprise("credential")], activity, damping.Young())
    assert all(part.nats >= 8.0 for part in found)


@pytest.mark.parametrize("user", OTHERS.values(), ids=OTHERS)
def test_nobody_else_is_excused(user):
    person = not user.startswith("system:")
    assert damped("namespace", user=user) == 8.0 * (damping.PERSON if person else 1.0)


def namespaced(namespace: str, time_s: float = testing.START_S, **more):
    return normalise.from_audit(testing.audit_record(namespace=namespace, time_s=time_s, **more))


def test_a_namespace_that_is_made_again_is_young_again():
    young, later = damping.Young(), testing.START_S + 9 * DAY_S
    young.see(namespaced("old"))
    young.see(namespaced("preview", testing.START_S + 2 * DAY_S))
    assert not young.namespace_explains(namespaced("preview", later))
    young.see(namespaced("preview", later, verb="delete", resource="namespaces", name="preview"))
    young.see(namespaced("preview", later + 60.0))
    assert young.namespace_explains(namespaced("preview", later + 120.0))


def test_beyond_the_limit_no_namespace_becomes_young(monkeypatch):
    """If the oldest were forgotten it would come back as a new one, and explain what it must not."""
    monkeypatch.setattr(damping, "MAX_YOUNG", 3)
    young, later = damping.Young(), testing.START_S + 9 * DAY_S
    for number, namespace in enumerate(("old", "one", "two", "three", "old")):
        young.see(namespaced(namespace, testing.START_S + number * 2 * DAY_S))
    assert not young.namespace_explains(namespaced("old", later))
    assert not young.namespace_explains(namespaced("three", testing.START_S + 6 * DAY_S + 60.0))


def test_what_is_new_to_everybody_is_named():
    young, later = damping.Young(), testing.START_S + 9 * DAY_S
    young.see(namespaced("old"))
    young.see(namespaced("new", later))
    young.see(namespaced("old", later, verb="create", resource="secrets", name="made"))
    assert young.explained(namespaced("new", later + 60.0)) == ("namespace", "scope", "object")
    assert young.explained(namespaced("old", later + 60.0, resource="secrets", name="made")) == ("object",)
    assert young.explained(namespaced("old", later + 60.0, resource="secrets", name="other")) == ()


def test_a_young_namespace_explains_where_to_and_says_so():
    young = damping.Young()
    young.see(normalise.from_audit(testing.audit_record(namespace="old")))
    later = testing.START_S + 3 * DAY_S
    young.see(normalise.from_audit(testing.audit_record(namespace="new", time_s=later)))
    assert damped("scope", young, namespace="new", time_s=later + 60) == 8.0 * damping.EXPLAINED
    assert damped("scope", young, namespace="old", time_s=later + 60) == 8.0
    assert damped("scope", young, namespace="new", time_s=later + 2 * DAY_S) == 8.0


def test_a_private_habit_used_from_the_internet_weighs_more():
    home = (("10.4.7.0/24", 20),)
    assert damped("network", usual=home, source_ip="8.8.8.8") == 8.0 * damping.OUT_OF_PLACE
    assert damped("network", usual=home, source_ip="10.9.9.9") == 8.0
    assert damped("network", usual=(("9.9.9.0/24", 3),), source_ip="8.8.8.8") == 8.0


@pytest.mark.parametrize("feature", ["namespace", "scope"])
def test_namespace_of_a_refused_request_counts_less_and_says_why(feature):
    activity = normalise.from_audit(testing.audit_record(code=403))
    (part,) = damping.damp([surprise(feature)], activity, damping.Young())
    assert part.nats < 8.0
    assert "refused" in part.damped


@pytest.mark.parametrize(
    ("feature", "weight"), [("action", damping.IN_VAIN), ("outcome", damping.IN_VAIN), ("object", damping.EXPLAINED)]
)
def test_what_was_refused_counts_less_from_where_the_identity_always_is_and_says_why(feature, weight):
    activity = normalise.from_audit(testing.audit_record(code=403))
    (part,) = damping.damp([surprise(feature)], activity, damping.Young())
    assert (part.nats, part.damped) == (8.0 * weight, damping.AT_HOME)


@pytest.mark.parametrize("elsewhere", ["network", "zone", "agent", "credential"])
@pytest.mark.parametrize("feature", ["action", "outcome", "object"])
def test_what_was_refused_counts_fully_from_elsewhere(feature, elsewhere):
    activity = normalise.from_audit(testing.audit_record(code=403))
    found = damping.damp([surprise(feature), surprise(elsewhere)], activity, damping.Young())
    assert next(part.nats for part in found if part.feature == feature) == 8.0


@pytest.mark.parametrize("feature", ["volume", "network", "zone", "agent", "rule"])
def test_how_much_and_where_from_count_fully_when_refused(feature):
    assert damped(feature, code=403) == 8.0


def test_the_internet_weighs_more_for_who_never_called_from_there():
    activity = normalise.from_audit(testing.audit_record(source_ip="8.8.8.8"))
    part = msgspec.structs.replace(surprise("zone"), observed=attributes.INTERNET)
    assert damping.damp([part], activity, damping.Young())[0].nats == 8.0 * damping.OUT_OF_PLACE


def test_an_object_that_was_just_made_explains_itself_and_not_the_namespace():
    young = damping.Young()
    young.see(normalise.from_audit(testing.audit_record(namespace="old")))
    later = testing.START_S + 3 * DAY_S
    made = {"namespace": "old", "resource": "secrets", "name": "s", "time_s": later}
    young.see(normalise.from_audit(testing.audit_record(verb="create", **made)))
    assert damped("object", young, **made) == 8.0 * damping.EXPLAINED
    assert damped("scope", young, **made) == 8.0
    assert damped("namespace", young, **made) == 8.0


@pytest.mark.parametrize(
    ("unseen", "record", "weight"),
    [
        pytest.param(("cluster",), {"verb": "patch"}, damping.REPLACED, id="nobody in the cluster had it"),
        pytest.param(("namespace",), {"verb": "patch"}, 1.0, id="others in the cluster have it"),
        pytest.param(("cluster",), {"verb": "create", "code": 201}, 1.0, id="a new workload"),
        pytest.param(("cluster",), {"verb": "patch", "code": 201}, 1.0, id="a new workload that is applied"),
    ],
)
def test_an_image_of_foreign_origin_weighs_more_in_a_workload_that_was_there(unseen, record, weight):
    activity = normalise.from_audit(testing.audit_record(resource="deployments", **record))
    (part,) = damping.damp([msgspec.structs.replace(surprise("image"), unseen_in=unseen)], activity, damping.Young())
    assert part.nats == 8.0 * weight


def test_work_that_no_kubelet_ever_did_counts_half():
    activity = normalise.from_audit(testing.audit_record(user="system:node:worker-1"))
    never = msgspec.structs.replace(surprise("action"), unseen_in=("siblings", "namespace"))
    (part,) = damping.damp([never], activity, damping.Young())
    assert part.nats == 8.0 * damping.UNKNOWN_TO_KUBELETS


PART_OF_OPENSHIFT = "system:serviceaccount:openshift-etcd-operator:etcd-operator"


@pytest.mark.parametrize("feature", ["action", "scope", "volume"])
def test_new_work_of_a_part_of_openshift_counts_less_in_its_own_place_only(feature):
    activity = normalise.from_audit(testing.audit_record(user=PART_OF_OPENSHIFT))
    (part,) = damping.damp([surprise(feature)], activity, damping.Young())
    assert (part.nats, part.damped) == (8.0 * damping.EXPLAINED, damping.PLATFORM)
    elsewhere = damping.damp([surprise(feature), surprise("agent")], activity, damping.Young())
    assert all(part.nats == 8.0 for part in elsewhere)


def test_an_operator_that_people_installed_is_judged_like_anybody():
    user = "system:serviceaccount:openshift-operators:openshift-pipelines-operator"
    assert damped("action", user=user) == 8.0


@pytest.mark.parametrize("feature", ["action", "scope", "volume"])
def test_new_work_of_software_that_was_just_replaced_counts_less_in_its_own_place_only(feature):
    activity = normalise.from_audit(testing.audit_record())
    (part,) = damping.damp([surprise(feature)], activity, damping.Young(), renewed=damping.NEW_VERSION)
    assert (part.nats, part.damped) == (8.0 * damping.RENEWED, damping.NEW_VERSION)
    elsewhere = damping.damp(
        [surprise(feature), surprise("network")], activity, damping.Young(), renewed=damping.NEW_VERSION
    )
    assert all(part.nats == 8.0 for part in elsewhere)


@pytest.mark.parametrize(
    ("why", "weight"),
    [(damping.STARTED, damping.RENEWED), (damping.STARTED_ANEW, damping.EXPLAINED)],
    ids=["same version", "another version"],
)
def test_new_work_of_a_pod_that_has_just_started_counts_less(why, weight):
    activity = normalise.from_audit(testing.audit_record())
    (part,) = damping.damp([surprise("action")], activity, damping.Young(), renewed=why)
    assert (part.nats, part.damped) == (8.0 * weight, why)


def test_a_pod_of_another_revision_that_came_up_on_another_node_is_in_its_own_place():
    activity = normalise.from_audit(testing.audit_record(extra=BOUND))
    found = damping.damp(
        [surprise("action"), surprise("network")], activity, damping.Young(), renewed=damping.NEW_VERSION
    )
    assert {part.feature: part.nats for part in found} == {
        "action": 8.0 * damping.RENEWED,
        "network": 8.0 * damping.EXPLAINED,
    }
    stolen = [surprise("action"), surprise("network"), surprise("credential")]
    assert all(
        part.nats >= 8.0 for part in damping.damp(stolen, activity, damping.Young(), renewed=damping.NEW_VERSION)
    )


SOFTWARE = "system:serviceaccount:flux-system:kustomize-controller"


@pytest.mark.parametrize("feature", ["action", "namespace", "scope", "object"])
def test_a_new_kind_of_write_by_software_in_its_own_place_counts_less_and_says_why(feature):
    activity = normalise.from_audit(testing.audit_record(user=SOFTWARE, verb="patch", resource="services"))
    (part,) = damping.damp([surprise(feature)], activity, damping.Young())
    assert (part.nats, part.damped) == (8.0 * damping.UPKEEP, damping.LOOKS_AFTER)


@pytest.mark.parametrize(
    ("feature", "record"),
    [
        pytest.param("action", {"verb": "get"}, id="a read"),
        pytest.param("action", {"verb": "delete"}, id="a delete"),
        pytest.param("image", {}, id="an image"),
        pytest.param("volume", {}, id="an amount"),
        pytest.param("action", {"resource": "roles", "api_group": "rbac.authorization.k8s.io"}, id="rights"),
        pytest.param("action", {"subresource": "exec"}, id="a command"),
        pytest.param("action", {"subresource": "token"}, id="a token"),
        pytest.param("action", {"subresource": "scale"}, id="a scale"),
        pytest.param(
            "action", {"resource": "selfsubjectaccessreviews", "api_group": "authorization.k8s.io"}, id="a question"
        ),
    ],
)
def test_nothing_else_that_software_does_counts_less(feature, record):
    assert damped(feature, **{"user": SOFTWARE, "verb": "create", "resource": "pods"} | record) == 8.0


@pytest.mark.parametrize("elsewhere", ["network", "agent", "credential"])
def test_a_write_by_software_out_of_its_place_counts_fully(elsewhere):
    activity = normalise.from_audit(testing.audit_record(user=SOFTWARE, verb="patch"))
    found = damping.damp([surprise("action"), surprise(elsewhere)], activity, damping.Young())
    assert all(part.nats >= 8.0 for part in found)


@pytest.mark.parametrize("feature", ["namespace", "scope", "volume"])
def test_where_an_eviction_goes_counts_less(feature):
    assert damped(feature, user="node-manager", verb="create", subresource="eviction") == 8.0 * damping.EXPLAINED
    assert damped("action", user="node-manager", verb="create", subresource="eviction") == 8.0


RELEASE = {"user": SOFTWARE, "resource": "secrets", "name": "sh.helm.release.v1.web.v2", "verb": "create"}


def test_a_helm_release_explains_what_its_writer_writes_for_ten_minutes():
    seen = releases.Releases()
    seen.see(normalise.from_audit(testing.audit_record(**RELEASE)))

    def weight(feature: str, others: tuple[str, ...] = (), **record) -> float:
        made = {"user": SOFTWARE, "verb": "patch", "resource": "clusterroles", "time_s": testing.START_S + 60}
        activity = normalise.from_audit(testing.audit_record(**made | record))
        parts = [surprise(feature), *map(surprise, others)]
        found = damping.damp(parts, activity, damping.Young(), release=seen.explains(activity))
        return next(part.nats for part in found if part.feature == feature) / 8.0

    assert weight("action") == weight("volume") == damping.EXPLAINED
    assert weight("action", time_s=testing.START_S + releases.RELEASE_S + 1) == 1.0
    assert weight("action", verb="list") == 1.0
    assert weight("action", user="jane@example.com") == damping.PERSON
    assert weight("action", others=("network",)) == 1.0


def test_who_released_is_kept_in_bounds_and_over_a_restart(monkeypatch):
    monkeypatch.setattr(releases, "MAX_WRITERS", 2)
    seen = releases.Releases()
    for user in ("a", "b", "c"):
        seen.see(normalise.from_audit(testing.audit_record(**RELEASE | {"user": user})))
    again = releases.Releases()
    again.load(seen.dump())
    told = [bool(again.explains(normalise.from_audit(testing.audit_record(user=user)))) for user in ("a", "b", "c")]
    assert told == [False, True, True]


@pytest.mark.parametrize("record", [{"verb": "get"}, {"name": "web"}, {"code": 403}, {"resource": "configmaps"}])
def test_only_a_written_revision_is_a_release(record):
    assert not releases.is_release(normalise.from_audit(testing.audit_record(**RELEASE | record)))


@pytest.mark.parametrize("verb", ["get", "list"])
def test_a_way_of_reading_secrets_that_no_kubelet_ever_used_counts_fully(verb):
    activity = normalise.from_audit(testing.audit_record(user="system:node:worker-1", verb=verb, resource="secrets"))
    never = msgspec.structs.replace(surprise("action"), unseen_in=("siblings", "namespace"))
    assert damping.damp([never], activity, damping.Young())[0].nats == 8.0
    seen = surprise("action")
    assert damping.damp([seen], activity, damping.Young())[0].nats < 8.0


@pytest.mark.parametrize("feature", ["action", "scope", "object", "image"])
def test_what_a_person_does_from_the_usual_place_counts_a_little_less_and_says_so(feature):
    activity = normalise.from_audit(testing.audit_record(user="jane@example.com"))
    (part,) = damping.damp([surprise(feature)], activity, damping.Young())
    assert (part.nats, part.damped) == (8.0 * damping.PERSON, damping.USUAL_PLACE)
    found = damping.damp([surprise(feature), surprise("agent")], activity, damping.Young())
    assert all(part.nats == 8.0 for part in found)


@pytest.mark.parametrize("feature", ["volume", "hour"])
def test_how_much_and_when_a_person_does_it_counts_fully(feature):
    assert damped(feature, user="jane@example.com") == 8.0


def test_rights_that_software_gives_in_a_new_namespace_are_part_of_a_roll_out():
    young = damping.Young()
    young.see(normalise.from_audit(testing.audit_record(namespace="old")))
    later = testing.START_S + 3 * DAY_S
    young.see(normalise.from_audit(testing.audit_record(namespace="new", time_s=later)))
    made = {"user": SOFTWARE, "verb": "patch", "resource": "roles", "time_s": later + 60}
    assert damped("action", young, namespace="new", **made) == 8.0 * damping.UPKEEP
    assert damped("action", young, namespace="old", **made) == 8.0


def test_a_cloud_that_renews_its_own_parts_counts_less_in_its_own_place_only():
    user = "eks:addon-manager"
    assert damped("action", user=user) == 8.0 * damping.EXPLAINED
    activity = normalise.from_audit(testing.audit_record(user=user))
    found = damping.damp([surprise("action"), surprise("agent")], activity, damping.Young())
    assert all(part.nats == 8.0 for part in found)


def looked_up(**more):
    activity = normalise.from_audit(testing.audit_record(**more))
    return damping.damp([surprise("scope")], activity, damping.Young(), release="a release")[0].damped


def test_what_a_release_reads_before_it_writes_belongs_to_it_but_no_secret_and_no_list():
    assert looked_up(resource="deployments", name="web") == "a release"
    assert not looked_up(resource="secrets", name="web-tls")
    assert not looked_up(verb="list", resource="deployments", name="")


def test_the_internet_says_nothing_of_a_person_who_was_never_seen_and_much_of_an_account():
    usual = msgspec.structs.replace(surprise("network"), usual=(("10.4.7.0/24", 9),))
    for user, weights in (("mei@example.com", (1.0, damping.OUT_OF_PLACE)), (SOFTWARE, (damping.OUT_OF_PLACE,) * 2)):
        activity = normalise.from_audit(testing.audit_record(user=user, source_ip="8.8.8.8"))
        found = [damping.damp([part], activity, damping.Young())[0].nats for part in (surprise("network"), usual)]
        assert found == [8.0 * weight for weight in weights]
