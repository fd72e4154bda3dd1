"""Rules as the Sigma community writes them for Kubernetes load unchanged: heads, short names, decisions, wildcards."""

from __future__ import annotations

from typing import Any

import pytest

from riverwatch.activity import sample
from riverwatch.rules import engine, sigma

HEAD = """title: As published
id: 0c9b3bda-41a6-4442-9345-356ae86343dc
related:
    - id: cd3a808c-c7b7-4c50-a2f3-f4cfcd436435
      type: similar
status: experimental
description: |
    Some words.
references:
    - https://example.com/a
author: Somebody (@somebody)
date: {date}
modified: {date}
tags:
    - attack.t1611
    - attack.privilege-escalation
logsource:
{source}
detection:
{detection}
falsepositives:
    - Unknown
level: medium
"""

SOURCES = {
    "product and service": "    product: kubernetes\n    service: audit",
    "with a category": "    category: application\n    product: kubernetes\n    service: audit",
}


def compiled(detection: str, *, date: str = "2024-03-26", source: str = SOURCES["with a category"]) -> Any:
    return sigma.compile_text(HEAD.format(date=date, source=source, detection=detection), origin="public.yml")


@pytest.mark.parametrize("date", ["2024-03-26", "2024/03/26"])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_head_of_a_public_rule(date: str, source: str) -> None:
    detection = "    selection:\n        verb: 'list'\n    condition: selection"
    one = compiled(detection, date=date, source=source)[0]
    assert one.card.title == "As published"
    assert [technique.id for technique in one.card.techniques] == ["T1611"]


POD = {"spec": {"containers": [{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}], "volumes": []}}
MOUNT = {"spec": {"containers": [{"name": "c"}], "volumes": [{"name": "v", "hostPath": {"path": "/data"}}]}}

DETECTIONS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "group by its short name": (
        "verb: 'patch'\n        apiGroup: 'apps'\n        objectRef.resource: 'deployments'",
        {"verb": "patch", "resource": "deployments", "api_group": "apps"},
        {"verb": "patch", "resource": "deployments", "api_group": "extensions"},
    ),
    "group by its full name": (
        "objectRef.apiGroup: batch\n        objectRef.resource:\n            - cronjobs\n            - jobs",
        {"verb": "create", "resource": "jobs", "api_group": "batch"},
        {"verb": "create", "resource": "jobs", "api_group": ""},
    ),
    "no group": (
        "objectRef.apiGroup: null\n        objectRef.resource: pods",
        {"verb": "create", "resource": "pods"},
        {"verb": "create", "resource": "pods", "api_group": "metrics.k8s.io"},
    ),
    "any mounted path": (
        "verb: create\n        objectRef.resource: pods\n        hostPath: '*'",
        {"verb": "create", "request_object": MOUNT},
        {"verb": "create", "request_object": POD},
    ),
    "any capability": (
        "verb: create\n        objectRef.resource: pods\n        capabilities: '*'",
        {"verb": "create", "request_object": POD},
        {"verb": "create", "request_object": MOUNT},
    ),
    "program by wildcards": (
        "file_path:\n            - '*-gcc-*'\n            - '*gcc*'\n            - '*g++*'\n            - '*_make_*'",
        {"subresource": "exec", "request_uri": "/x/exec?command=/usr/bin/gcc&command=a.c"},
        {"subresource": "exec", "request_uri": "/x/exec?command=ls"},
    ),
    "two codes": (
        "responseStatus.code:\n            - 401 # Unauthorized\n            - 403 # Forbidden",
        {"code": 403},
        {"code": 404},
    ),
    "words of the verb": ("verb|contains: 'at'", {"verb": "create"}, {"verb": "get"}),
    "words of the address": (
        "requestURI|contains:\n            - '%2fbin%2fash'\n            - '/BIN/sh'",
        {"subresource": "exec", "request_uri": "/x/exec?command=%2Fbin%2Fash"},
        {"subresource": "exec", "request_uri": "/x/exec?command=bin"},
    ),
}


@pytest.mark.parametrize(("detection", "fits", "fits_not"), DETECTIONS.values(), ids=DETECTIONS)
def test_detection_of_a_public_rule(detection: str, fits: dict[str, Any], fits_not: dict[str, Any]) -> None:
    rules = compiled(f"    selection:\n        {detection}\n    condition: selection")
    judge = engine.RuleEngine(rules)
    assert len(judge.match(sample.activity_of(sample.audit_record(**fits, audit_id="a")))) == 1
    assert not judge.match(sample.activity_of(sample.audit_record(**fits_not, audit_id="b")))


NESTED = """    shells:
        requestURI|contains:
            - '%2fbin%2fsh'
            - '/bin/sh'
    tools:
        requestURI|contains: '/usr/bin/curl'
        requestURI|endswith: 'x'
    whole:
        requestURI: '/whole'
    numbers:
        requestURI|re: '^/[0-9]+$'
    agent:
        userAgent|contains:
            - 'trufflehog'
            - 'azurehound'
    status:
        responseStatus.code: 'ALLOW'
    condition: (shells or tools or whole or numbers or agent) and status"""

REQUESTS: dict[str, tuple[dict[str, Any], bool]] = {
    "first list": ({"request_uri": "/a?command=%2Fbin%2Fsh"}, True),
    "second text of the first list": ({"request_uri": "/a?command=/bin/sh"}, True),
    "both of the second": ({"request_uri": "/usr/bin/curl?x"}, True),
    "one of the second": ({"request_uri": "/usr/bin/curl?y"}, False),
    "whole text": ({"request_uri": "/WHOLE"}, True),
    "whole text is not a part": ({"request_uri": "/whole/part"}, False),
    "expression": ({"request_uri": "/123"}, True),
    "agent": ({"request_uri": "/a", "user_agent": "TruffleHog/3"}, True),
    "nothing": ({"request_uri": "/a"}, False),
    "refused": ({"request_uri": "/123", "code": 403}, False),
}


@pytest.mark.parametrize(("fields", "expected"), REQUESTS.values(), ids=REQUESTS)
def test_alternatives_over_one_field_keep_their_meaning(fields: dict[str, Any], *, expected: bool) -> None:
    judge = engine.RuleEngine(compiled(NESTED))
    assert bool(judge.match(sample.activity_of(sample.audit_record(**fields)))) is expected
