"""Stage 2 words: the parts of OpenShift, by exact name.

Red Hat OpenShift runs its own operators and controllers as service accounts. Their names are listed one by one: a
prefix such as ``openshift-`` is a name that an administrator, or an attacker, may choose. A part that a newer release
adds is judged like anybody else until it stands here. Used by `identities` and by derived fields; rules excuse a part
only where it acts on its own kind of object.
"""

from __future__ import annotations

INFRA_NAMESPACE = "openshift-infra"
"""Namespace of the accounts of the controllers inside openshift-controller-manager and cluster-policy-controller."""

CONTROLLERS = (
    "build-config-change-controller",
    "build-controller",
    "cluster-csr-approver-controller",
    "cluster-quota-reconciliation-controller",
    "default-rolebindings-controller",
    "deployer-controller",
    "deploymentconfig-controller",
    "image-import-controller",
    "image-trigger-controller",
    "ingress-to-route-controller",
    "namespace-security-allocation-controller",
    "origin-namespace-controller",
    "podsecurity-admission-label-syncer-controller",
    "privileged-namespaces-psa-label-syncer",
    "pv-recycler-controller",
    "resourcequota-controller",
    "sdn-controller",
    "service-ingress-ip-controller",
    "serviceaccount-controller",
    "serviceaccount-pull-secrets-controller",
    "template-instance-controller",
    "template-instance-finalizer-controller",
    "unidling-controller",
)
"""Accounts in `INFRA_NAMESPACE`: the counterpart of kube-controller-manager's (OpenShift's bootstrap policy)."""

_ACCOUNTS: dict[str, tuple[str, ...]] = {
    "openshift-apiserver": ("openshift-apiserver-sa",),
    "openshift-apiserver-operator": ("openshift-apiserver-operator",),
    "openshift-authentication": ("oauth-openshift",),
    "openshift-authentication-operator": ("authentication-operator",),
    "openshift-catalogd": ("catalogd-controller-manager",),
    "openshift-cloud-controller-manager": ("cloud-controller-manager", "cloud-node-manager"),
    "openshift-cloud-controller-manager-operator": ("cluster-cloud-controller-manager",),
    "openshift-cloud-credential-operator": ("cloud-credential-operator", "default", "pod-identity-webhook"),
    "openshift-cloud-network-config-controller": ("cloud-network-config-controller",),
    "openshift-cluster-csi-drivers": (
        "aws-ebs-csi-driver-controller-sa",
        "aws-ebs-csi-driver-node-sa",
        "aws-ebs-csi-driver-operator",
        "azure-disk-csi-driver-controller-sa",
        "azure-disk-csi-driver-node-sa",
        "azure-disk-csi-driver-operator",
        "azure-file-csi-driver-controller-sa",
        "azure-file-csi-driver-node-sa",
        "azure-file-csi-driver-operator",
        "gcp-pd-csi-driver-controller-sa",
        "gcp-pd-csi-driver-node-sa",
        "gcp-pd-csi-driver-operator",
        "openstack-cinder-csi-driver-operator",
        "vmware-vsphere-csi-driver-controller-sa",
        "vmware-vsphere-csi-driver-node-sa",
        "vmware-vsphere-csi-driver-operator",
    ),
    "openshift-cluster-machine-approver": ("machine-approver-sa",),
    "openshift-cluster-node-tuning-operator": ("cluster-node-tuning-operator", "tuned"),
    "openshift-cluster-olm-operator": ("cluster-olm-operator",),
    "openshift-cluster-samples-operator": ("cluster-samples-operator",),
    "openshift-cluster-storage-operator": (
        "cluster-storage-operator",
        "csi-snapshot-controller",
        "csi-snapshot-controller-operator",
        "vsphere-problem-detector-operator",
    ),
    "openshift-cluster-version": ("default",),
    "openshift-config-operator": ("openshift-config-operator",),
    "openshift-console": ("console",),
    "openshift-console-operator": ("console-operator",),
    "openshift-controller-manager": ("openshift-controller-manager-sa",),
    "openshift-controller-manager-operator": ("openshift-controller-manager-operator",),
    "openshift-dns": ("dns", "node-resolver"),
    "openshift-dns-operator": ("dns-operator",),
    "openshift-etcd": ("etcd-backup-sa", "etcd-sa", "installer-sa"),
    "openshift-etcd-operator": ("etcd-operator",),
    "openshift-image-registry": ("cluster-image-registry-operator", "node-ca", "pruner", "registry"),
    "openshift-ingress": ("router",),
    "openshift-ingress-operator": ("ingress-operator",),
    "openshift-insights": ("gather", "operator"),
    "openshift-kube-apiserver": ("check-endpoints", "installer-sa", "localhost-recovery-client"),
    "openshift-kube-apiserver-operator": ("kube-apiserver-operator",),
    "openshift-kube-controller-manager": (
        "installer-sa",
        "kube-controller-manager-sa",
        "localhost-recovery-client",
    ),
    "openshift-kube-controller-manager-operator": ("kube-controller-manager-operator",),
    "openshift-kube-scheduler": ("installer-sa", "localhost-recovery-client", "openshift-kube-scheduler-sa"),
    "openshift-kube-scheduler-operator": ("openshift-kube-scheduler-operator",),
    "openshift-kube-storage-version-migrator": ("kube-storage-version-migrator-sa",),
    "openshift-kube-storage-version-migrator-operator": ("kube-storage-version-migrator-operator",),
    "openshift-machine-api": (
        "cluster-autoscaler",
        "cluster-autoscaler-operator",
        "cluster-baremetal-operator",
        "control-plane-machine-set-operator",
        "machine-api-controllers",
        "machine-api-operator",
        "machine-api-termination-handler",
    ),
    "openshift-machine-config-operator": (
        "default",
        "machine-config-controller",
        "machine-config-daemon",
        "machine-config-operator",
        "machine-config-server",
        "machine-os-builder",
        "node-bootstrapper",
    ),
    "openshift-marketplace": (
        "certified-operators",
        "community-operators",
        "marketplace-operator",
        "redhat-marketplace",
        "redhat-operators",
    ),
    "openshift-monitoring": (
        "alertmanager-main",
        "cluster-monitoring-operator",
        "kube-state-metrics",
        "metrics-server",
        "monitoring-plugin",
        "node-exporter",
        "openshift-state-metrics",
        "prometheus-adapter",
        "prometheus-k8s",
        "prometheus-operator",
        "telemeter-client",
        "thanos-querier",
    ),
    "openshift-multus": ("metrics-daemon-sa", "multus", "multus-ac", "multus-ancillary-tools"),
    "openshift-network-diagnostics": ("network-diagnostics",),
    "openshift-network-node-identity": ("network-node-identity",),
    "openshift-network-operator": ("cluster-network-operator", "default", "iptables-alerter"),
    "openshift-oauth-apiserver": ("oauth-apiserver-sa", "openshift-authenticator"),
    "openshift-operator-controller": ("operator-controller-controller-manager",),
    "openshift-operator-lifecycle-manager": ("collect-profiles", "olm-operator-serviceaccount"),
    "openshift-ovn-kubernetes": (
        "ovn-kubernetes-control-plane",
        "ovn-kubernetes-controller",
        "ovn-kubernetes-node",
    ),
    "openshift-route-controller-manager": ("route-controller-manager-sa",),
    "openshift-sdn": ("sdn", "sdn-controller"),
    "openshift-service-ca": ("service-ca",),
    "openshift-service-ca-operator": ("service-ca-operator",),
    "openshift-user-workload-monitoring": (
        "alertmanager-user-workload",
        "prometheus-operator",
        "prometheus-user-workload",
        "thanos-ruler",
    ),
}
"""Namespace -> accounts of the parts that the cluster-version operator installs (OpenShift 4)."""

ACCOUNTS = frozenset((namespace, name) for namespace, names in _ACCOUNTS.items() for name in names) | frozenset(
    (INFRA_NAMESPACE, name) for name in CONTROLLERS
)
"""Namespace and name of every account that is a part of OpenShift."""

NAMESPACES = frozenset(_ACCOUNTS) | {
    INFRA_NAMESPACE,
    "openshift-config",
    "openshift-config-managed",
    "openshift-host-network",
    "openshift-ingress-canary",
    "openshift-kni-infra",
    "openshift-node",
    "openshift-nutanix-infra",
    "openshift-openstack-infra",
    "openshift-ovirt-infra",
    "openshift-vsphere-infra",
}
"""Namespaces that hold nothing but parts of OpenShift; `openshift-operators`, `openshift-logging` and the like hold
what people chose to install."""
