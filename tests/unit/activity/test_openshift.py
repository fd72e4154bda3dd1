"""OpenShift's parts are known by exact name, and nothing that merely looks like one is."""

from __future__ import annotations

import re

import pytest

from riverwatch.activity import derived, identities, openshift, sample

SA = identities.SERVICE_ACCOUNT_PREFIX
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

PARTS = {
    "version operator": (f"{SA}openshift-cluster-version:default", True),
    "controller of OpenShift": (f"{SA}openshift-infra:build-controller", True),
    "part in another namespace": (f"{SA}openshift-logging:default", False),
    "other account of a part's namespace": (f"{SA}openshift-monitoring:default", False),
    "longer than a part's name": (f"{SA}openshift-cluster-version:default-2", False),
    "person of that name": ("default", False),
    "controller of Kubernetes": (f"{SA}kube-system:job-controller", False),
}


@pytest.mark.parametrize(("username", "expected"), PARTS.values(), ids=PARTS)
def test_identity_platform(username: str, *, expected: bool) -> None:
    assert derived.value(sample.facts_of(sample.audit_record(username=username)), "identity.platform") is expected


NAMESPACES = {
    "openshift-etcd": True,
    "openshift-config": True,
    "openshift-logging": False,
    "kube-system": False,
    "": False,
}


@pytest.mark.parametrize(("namespace", "expected"), NAMESPACES.items(), ids=lambda value: str(value) or "none")
def test_target_platform(namespace: str, *, expected: bool) -> None:
    assert derived.value(sample.facts_of(sample.audit_record(namespace=namespace)), "target.platform") is expected


ETCD = {"kind": "ServiceAccount", "namespace": "openshift-etcd-operator", "name": "etcd-operator"}
FRONT = {"kind": "ServiceAccount", "namespace": "web", "name": "front"}

BINDINGS = {
    "a part": ([ETCD], True),
    "a part and a workload": ([ETCD, FRONT], False),
    "a person": ([{"kind": "User", "name": "openshift-etcd-operator"}], False),
    "nobody": ([], None),
}


@pytest.mark.parametrize(("subjects", "expected"), BINDINGS.values(), ids=BINDINGS)
def test_binding_platform(subjects: list[dict[str, str]], *, expected: bool | None) -> None:
    fields = sample.audit_record(
        verb="create", resource="clusterrolebindings", namespace="", request_object={"subjects": subjects}
    )

    assert derived.value(sample.facts_of(fields), "binding.platform") is expected


def test_controllers_of_openshift_count_as_the_control_plane() -> None:
    for name in openshift.CONTROLLERS:
        facts = sample.facts_of(sample.audit_record(username=f"{SA}{openshift.INFRA_NAMESPACE}:{name}"))
        assert derived.value(facts, "identity.controlPlane") is True


def test_every_name_could_exist_and_lives_in_a_namespace_of_openshift() -> None:
    for namespace, name in openshift.ACCOUNTS:
        assert NAME.fullmatch(namespace)
        assert NAME.fullmatch(name)
        assert namespace in openshift.NAMESPACES


def test_pods_of_a_deployment_config_are_seen() -> None:
    fields = sample.audit_record(
        verb="create",
        resource="deploymentconfigs",
        api_group="apps.openshift.io",
        request_object={
            "spec": {"template": {"spec": {"containers": [{"name": "c", "securityContext": {"privileged": True}}]}}}
        },
    )

    assert derived.value(sample.facts_of(fields), "pod.privileged") is True
