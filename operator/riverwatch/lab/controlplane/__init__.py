"""A real control plane for development, tests and the lab: started in seconds, gone without a trace.

`plane.ControlPlane` is the door; behind it, in the order in which they are used: `options` (choices), `binaries` and
`builder` (programs), `layout` (paths, ports), `certificates`, `kubeconfig` and `identities` (who is who), `audit` and
`stages` (configuration), `arguments` (command lines), `processes` (starting, ending), `rest` (readiness), `state` (the
file by which another process finds the plane), `registry` (planes by name).
"""

from riverwatch.lab.controlplane.options import Options, Webhook
from riverwatch.lab.controlplane.plane import ControlPlane
from riverwatch.lab.controlplane.versions import Component

__all__ = ["Component", "ControlPlane", "Options", "Webhook"]
