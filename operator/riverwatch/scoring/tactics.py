"""Stage 5 helper: the ATT&CK tactic that one request serves, by what it does and never by who does it.

``Activity -> tactic``, in ATT&CK's own words. Coarser than the techniques on a rule's card, and there for every record,
so that an incident can be told in the order in which it went on. Pure; called by `scoring.judge` for evidence.
"""

from __future__ import annotations

from riverwatch.activity import derived_facts, derived_pod, derived_rbac, record
from riverwatch.scoring import sensitivity

INITIAL_ACCESS = "Initial Access"
DISCOVERY = "Discovery"
CREDENTIAL_ACCESS = "Credential Access"
EXECUTION = "Execution"
PERSISTENCE = "Persistence"
PRIVILEGE_ESCALATION = "Privilege Escalation"
DEFENSE_EVASION = "Defense Evasion"
LATERAL_MOVEMENT = "Lateral Movement"
IMPACT = "Impact"

_FOOTHOLDS = frozenset(
    {
        "serviceaccounts",
        "certificatesigningrequests",
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "apiservices",
    }
)
_GUARDS = frozenset({"networkpolicies", "validatingadmissionpolicies", "validatingadmissionpolicybindings"})


def tactic_of(activity: record.Activity) -> str:
    """Return the tactic that a request serves; empty when its kind says nothing.

    Examples
    --------
    >>> from riverwatch import testing
    >>> from riverwatch.activity import normalise
    >>> tactic_of(normalise.from_audit(testing.audit_record(verb="list", resource="secrets", name="")))
    'Credential Access'
    """
    if activity.subresource in sensitivity.WAYS_IN:
        return EXECUTION
    if (activity.resource, activity.subresource) == ("serviceaccounts", "token"):
        return CREDENTIAL_ACCESS
    if activity.resource.startswith("self") and activity.resource.endswith("reviews"):
        return DISCOVERY
    if activity.verb in derived_facts.READ_VERBS:
        return CREDENTIAL_ACCESS if activity.resource == "secrets" else DISCOVERY
    if activity.resource in derived_rbac.RBAC_RESOURCES:
        return PRIVILEGE_ESCALATION
    if activity.resource in _FOOTHOLDS:
        return PERSISTENCE
    if activity.resource in _GUARDS:
        return DEFENSE_EVASION
    if activity.verb in derived_facts.DELETE_VERBS:
        return DEFENSE_EVASION if activity.resource == "events" else IMPACT
    return EXECUTION if activity.resource in derived_pod.BUILT_IN_WORKLOADS else ""
