"""Stage 7: the objects inside an OCSF finding: who, what, why, and the proof.

Attribute names and numbers are those of OCSF 1.7.0. Pure; called by `report.ocsf` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riverwatch import vocabulary
from riverwatch.activity import identities
from riverwatch.detections import finding
from riverwatch.report import words

TACTIC_UIDS: Mapping[str, str] = {
    "Reconnaissance": "TA0043",
    "Resource Development": "TA0042",
    "Initial Access": "TA0001",
    "Execution": "TA0002",
    "Persistence": "TA0003",
    "Privilege Escalation": "TA0004",
    "Defense Evasion": "TA0005",
    "Credential Access": "TA0006",
    "Discovery": "TA0007",
    "Lateral Movement": "TA0008",
    "Collection": "TA0009",
    "Exfiltration": "TA0010",
    "Command and Control": "TA0011",
    "Impact": "TA0040",
}
"""Tactic -> its id in ATT&CK Enterprise."""

USER_TYPES: Mapping[str, tuple[int, str]] = {
    identities.PrincipalKind.USER.value: (1, "User"),
    identities.PrincipalKind.NODE.value: (3, "System"),
    identities.PrincipalKind.SERVICE_ACCOUNT.value: (4, "Service"),
}
"""Kind of actor -> ``user.type_id`` and its caption."""

ANALYTIC_RULE = (1, "Rule")
"""``analytic.type_id`` of rules, and its caption."""

ANALYTIC_LEARNING = (4, "Learning (ML/DL)")
"""``analytic.type_id`` of models, and its caption."""

OBSERVABLE_IP = (2, "IP Address")
"""``observable.type_id`` of addresses, and its caption."""

OBSERVABLE_USER = (4, "User Name")
"""``observable.type_id`` of user names, and its caption."""

ROLE_TARGET = (1, "Target")
"""``resource_details.role_id`` of what was acted on, and its caption."""

OBSERVATION_TYPE = "Frequency Analysis"
"""How all of today's models compare: how often a value was seen."""

MAX_NAME = 512
"""Characters of a name."""


def millis(time_s: float) -> int:
    """Return a time as OCSF writes it: milliseconds since the epoch."""
    return round(time_s * 1_000)


def finding_info(detection: finding.Detection, operator_namespace: str) -> dict[str, Any]:
    """Return what was found, by which analytics, after which techniques."""
    rules = words.rule_ids(detection)
    first = rules[0] if rules else next(iter(detection.detectors), "riverwatch")
    others = [name for name in dict.fromkeys([*rules, *detection.detectors]) if name != first]
    info: dict[str, Any] = {
        "uid": detection.uid,
        "uid_alt": words.plain(f"{detection.namespace or operator_namespace}/{detection.name}", MAX_NAME),
        "title": words.plain(detection.title, MAX_NAME),
        "desc": words.plain(" ".join(reason.text for reason in detection.explanation)),
        "types": [detection.use_case.value, detection.kind.value],
        "data_sources": ["kubernetes audit log"],
        "created_time": millis(detection.observed_at_s),
        "modified_time": millis(detection.last_seen_s),
        "first_seen_time": millis(detection.first_seen_s),
        "last_seen_time": millis(detection.last_seen_s),
        "related_events_count": detection.evidence_count,
        "analytic": _analytic(first, detection),
        "attacks": [attack(technique) for technique in detection.techniques],
    }
    if others:
        info["related_analytics"] = [_analytic(name, detection) for name in others]
    return info


def attack(technique: vocabulary.Technique) -> dict[str, Any]:
    """Return an ATT&CK reference, technique and sub-technique apart.

    Examples
    --------
    >>> told = attack(vocabulary.Technique("T1552.007", "Unsecured Credentials: Container API", "Credential Access"))
    >>> told["technique"]["uid"], told["sub_technique"]["name"], told["tactic"]["uid"]
    ('T1552', 'Container API', 'TA0006')
    """
    uid, name = words.plain(technique.id, MAX_NAME), words.plain(technique.name, MAX_NAME)
    parent, _, sub = uid.partition(".")
    family, _, own = name.partition(": ")
    told: dict[str, Any] = {"version": technique.attack_version, "technique": {"uid": parent, "name": family}}
    if sub:
        told["sub_technique"] = {"uid": uid, "name": own or name}
    if technique.tactic:
        told["tactic"] = {"name": words.plain(technique.tactic, MAX_NAME)}
        tactic_uid = TACTIC_UIDS.get(technique.tactic)
        if tactic_uid:
            told["tactic"]["uid"] = tactic_uid
    return told


def actor(detection: finding.Detection) -> dict[str, Any]:
    """Return who acted; under impersonation that is the identity acted as, and ``unmapped`` names the one behind it."""
    who = detection.actor
    type_id, caption = USER_TYPES.get(who.kind, (99, words.plain(who.kind, 64)))
    user: dict[str, Any] = {
        "name": words.plain(words.username(who), MAX_NAME),
        "type_id": type_id,
        "type": caption,
    }
    if who.namespace:
        user["domain"] = words.plain(who.namespace, MAX_NAME)
    return {"user": user}


def resource(target: finding.Target) -> dict[str, Any]:
    """Return one object that was acted on."""
    kind = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
    kind = f"{kind}.{target.api_group}" if target.api_group else kind
    told = {
        "uid": words.plain("/".join(part for part in (target.namespace, kind, target.name) if part), MAX_NAME),
        "type": words.plain(kind, MAX_NAME),
        "role_id": ROLE_TARGET[0],
        "role": ROLE_TARGET[1],
    }
    if target.name:
        told["name"] = words.plain(target.name, MAX_NAME)
    if target.namespace:
        told["namespace"] = words.plain(target.namespace, MAX_NAME)
    return told


def evidences(detection: finding.Detection) -> list[dict[str, Any]]:
    """Return the records kept as proof, then where the requests came from and with which software."""
    records = [
        {
            "uid": words.plain(item.audit_id, MAX_NAME),
            "name": "audit record",
            "data": {
                "time": millis(item.time_s),
                "summary": words.plain(item.summary),
                "score": round(item.score, 3),
            },
        }
        for item in detection.evidence
    ]
    places: list[dict[str, Any]] = [
        {"name": "source address", "src_endpoint": {"ip": words.plain(address, MAX_NAME)}}
        for address in detection.source_ips
    ]
    agents: list[dict[str, Any]] = [
        {
            "name": "client software",
            "actor": actor(detection),
            "http_request": {"user_agent": words.plain(agent, MAX_NAME)},
        }
        for agent in detection.user_agents
    ]
    return [*records, *places, *agents]


def observables(detection: finding.Detection) -> list[dict[str, Any]]:
    """Return the values that people search for: user names and addresses."""
    name = words.plain(words.username(detection.actor), MAX_NAME)
    told = [_observable("actor.user.name", OBSERVABLE_USER, name)]
    if detection.impersonated_by:
        behind = words.plain(detection.impersonated_by, MAX_NAME)
        told.append(_observable("unmapped.impersonated_by", OBSERVABLE_USER, behind))
    told.extend(
        _observable("evidences[].src_endpoint.ip", OBSERVABLE_IP, words.plain(address, MAX_NAME))
        for address in detection.source_ips
    )
    return told


def anomaly_analysis(detection: finding.Detection) -> dict[str, Any] | None:
    """Return what deviated and from what; None when only rules spoke."""
    reasons = [reason for reason in detection.explanation if not words.is_rule(reason)]
    if not reasons:
        return None
    baselines = {(reason.feature, reason.expected): reason for reason in reasons if reason.expected}
    return {
        "analysis_targets": [
            {
                "name": words.plain(words.username(detection.actor), MAX_NAME),
                "type": words.plain(detection.actor.kind, 64),
            }
        ],
        "anomalies": [
            _observation(reason.feature, reason.observed, reason.frequency.value.upper()) for reason in reasons
        ],
        "baselines": [
            _observation(reason.feature, reason.expected, vocabulary.Frequency.FREQUENT.value.upper())
            for reason in baselines.values()
        ],
    }


def _observation(parameter: str, value: str, pattern: str) -> dict[str, Any]:
    return {
        "observation_parameter": words.plain(parameter, MAX_NAME),
        "observation_type": OBSERVATION_TYPE,
        "observed_pattern": pattern,
        "observations": [{"value": words.plain(value)}],
    }


def _observable(name: str, kind: tuple[int, str], value: str) -> dict[str, Any]:
    return {"name": name, "type_id": kind[0], "type": kind[1], "value": value}


def _analytic(name: str, detection: finding.Detection) -> dict[str, Any]:
    by_model = words.is_model(name, detection)
    type_id, caption = ANALYTIC_LEARNING if by_model else ANALYTIC_RULE
    told: dict[str, Any] = {
        "uid": words.plain(name, MAX_NAME),
        "name": words.plain(name, MAX_NAME),
        "type_id": type_id,
        "type": caption,
    }
    if by_model:
        told["version"] = words.plain(detection.model_version, MAX_NAME)
    return told
