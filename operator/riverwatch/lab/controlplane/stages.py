"""How kwok plays nodes and pods: at once, and answering in the kubelets' place.

Pods use kwok's built-in fast stages (running as soon as they are placed, jobs complete, deletion is immediate). Nodes
keep the addresses they were made with (`plane` gives each its own). Logs are a fixed text; exec, attach and
port-forward connect, as the audit log shows, and then end with an error, because **nothing is ever executed**.
In: a folder. Out: kwok's configuration file. Called by `plane`.
"""

from __future__ import annotations

import json
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


LOG_LINES = "2026-01-15T08:00:00.000000000Z stdout F ready\n2026-01-15T08:00:01.000000000Z stdout F GET / 200\n"
"""What every container has logged, in the form in which container runtimes write it."""


def write(config: pathlib.Path, log: pathlib.Path) -> None:
    """Write kwok's configuration.

    Parameters
    ----------
    config
        Where to.
    log
        Where the text goes that every container has logged.
    """
    log.write_text(LOG_LINES)
    logs = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "all-containers"},
        "spec": {"logs": [{"logsFile": str(log), "previousLogsFile": str(log), "follow": False}]},
    }
    config.write_text(f"{NODE_STAGE}---\n{json.dumps(logs)}\n")
