"""How kwok plays nodes and pods: at once, and with an address of their own.

Pods use kwok's built-in fast stages (running as soon as they are placed, jobs complete, deletion is immediate); nodes
get one address each, from their pod network, and a name by which the API server reaches kwok in the kubelet's place.
In: nothing. Out: kwok's configuration file. Called by `plane`.
"""

from __future__ import annotations

import pathlib

NODE_STAGE = """\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: node-ready
spec:
  resourceRef: {apiGroup: v1, kind: Node}
  selector:
    matchExpressions:
    - {key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: NotIn, values: ["True"]}
    - {key: .spec.podCIDR, operator: Exists}
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
      {{ range NodeConditions }}
      - lastHeartbeatTime: {{ $now | Quote }}
        lastTransitionTime: {{ $now | Quote }}
        message: {{ .message | Quote }}
        reason: {{ .reason | Quote }}
        status: {{ .status | Quote }}
        type: {{ .type | Quote }}
      {{ end }}
      addresses:
      {{ with .status.addresses }}
      {{ YAML . 1 }}
      {{ else }}
      - {address: localhost, type: ExternalDNS}
      - {address: 127.0.0.1, type: InternalIP}
      - {address: {{ .metadata.name | Quote }}, type: Hostname}
      {{ end }}
      daemonEndpoints:
        kubeletEndpoint:
          Port: {{ NodePort }}
      allocatable: {cpu: "64", memory: 256Gi, pods: "250", ephemeral-storage: 1Ti}
      capacity: {cpu: "64", memory: 256Gi, pods: "250", ephemeral-storage: 1Ti}
      nodeInfo:
        architecture: amd64
        bootID: ""
        containerRuntimeVersion: containerd://2.1.4
        kernelVersion: 6.12.0
        kubeProxyVersion: ""
        kubeletVersion: v1.36.3
        machineID: ""
        operatingSystem: linux
        osImage: Linux
        systemUUID: ""
      phase: Running
"""
"""Makes a new node ready, once the controller manager gave it a pod network."""


def write(path: pathlib.Path) -> None:
    """Write kwok's configuration.

    Parameters
    ----------
    path
        Where to.
    """
    path.write_text(NODE_STAGE)
