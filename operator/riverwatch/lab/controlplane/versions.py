"""The versions of the control plane's programs, in one place.

Read by `binaries` (cache folder), `builder` (Go build) and `arguments`. The module files in `gomod/` pin the
same versions; a unit test holds the two together.
"""

from __future__ import annotations

import enum
import hashlib
import importlib.resources
import pathlib

KUBERNETES = "v1.36.3"
"""Version of kube-apiserver, kube-controller-manager and kube-scheduler; its staging modules are v0.36.3."""

KWOK = "v0.7.0"
"""Version of kwok, which plays the nodes and their pods; its own Go module, as its dependencies clash."""


class Component(enum.StrEnum):
    """The programs a control plane is made of, in starting order."""

    ETCD = "etcd"
    API_SERVER = "kube-apiserver"
    CONTROLLER_MANAGER = "kube-controller-manager"
    SCHEDULER = "kube-scheduler"
    KWOK = "kwok"


class GoModule(enum.Enum):
    """The Go modules that are built when no program is found; the value is the folder under `gomod/`."""

    KUBERNETES = "kubernetes"
    KWOK = "kwok"

    @property
    def version(self) -> str:
        """The version that the module file pins."""
        return KUBERNETES if self is GoModule.KUBERNETES else KWOK

    @property
    def folder(self) -> pathlib.Path:
        """Where `go.mod` and `go.sum` lie."""
        return (
            pathlib.Path(str(importlib.resources.files(__package__ or "riverwatch.lab.controlplane")))
            / "gomod"
            / self.value
        )

    @property
    def cache_key(self) -> str:
        """The cache folder of a build: the version, and what exactly was built.

        Examples
        --------
        >>> GoModule.KWOK.cache_key.startswith("kwok-v0.7.0-")
        True
        """
        digest = hashlib.sha256((self.folder / "go.sum").read_bytes() + (self.folder / "go.mod").read_bytes())
        return f"{self.value}-{self.version}-{digest.hexdigest()[:8]}"


GO_PACKAGES = {
    Component.API_SERVER: (GoModule.KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver"),
    Component.CONTROLLER_MANAGER: (GoModule.KUBERNETES, "k8s.io/kubernetes/cmd/kube-controller-manager"),
    Component.SCHEDULER: (GoModule.KUBERNETES, "k8s.io/kubernetes/cmd/kube-scheduler"),
    Component.KWOK: (GoModule.KWOK, "sigs.k8s.io/kwok/cmd/kwok"),
}
"""Module and import path of every program that Go can build; etcd comes from the system's packages."""

LINKER_FLAGS = {
    GoModule.KUBERNETES: f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES}",
    GoModule.KWOK: f"-s -w -X sigs.k8s.io/kwok/pkg/consts.Version={KWOK[1:]}",
}
"""No symbol tables, and the version that `/version` reports."""
