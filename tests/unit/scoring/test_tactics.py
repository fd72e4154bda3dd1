"""Which tactic a request serves."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.scoring import tactics

REQUESTS = {
    "reading secrets": ({"verb": "list", "resource": "secrets"}, tactics.CREDENTIAL_ACCESS),
    "minting a token": (
        {"verb": "create", "resource": "serviceaccounts", "subresource": "token"},
        tactics.CREDENTIAL_ACCESS,
    ),
    "asking for one's rights": ({"verb": "create", "resource": "selfsubjectrulesreviews"}, tactics.DISCOVERY),
    "looking around": ({"verb": "list", "resource": "nodes"}, tactics.DISCOVERY),
    "looking at roles": ({"verb": "get", "resource": "clusterroles"}, tactics.DISCOVERY),
    "an exec over WebSocket": ({"verb": "get", "resource": "pods", "subresource": "exec"}, tactics.EXECUTION),
    "a new workload": ({"verb": "create", "resource": "cronjobs"}, tactics.EXECUTION),
    "a binding": ({"verb": "create", "resource": "clusterrolebindings"}, tactics.PRIVILEGE_ESCALATION),
    "a new account": ({"verb": "create", "resource": "serviceaccounts"}, tactics.PERSISTENCE),
    "an admission webhook": ({"verb": "patch", "resource": "mutatingwebhookconfigurations"}, tactics.PERSISTENCE),
    "a network policy gone": ({"verb": "delete", "resource": "networkpolicies"}, tactics.DEFENSE_EVASION),
    "Events deleted": ({"verb": "deletecollection", "resource": "events"}, tactics.DEFENSE_EVASION),
    "a workload deleted": ({"verb": "delete", "resource": "deployments"}, tactics.IMPACT),
    "something else written": ({"verb": "update", "resource": "leases"}, ""),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_request_serves_a_tactic(case):
    fields, expected = REQUESTS[case]
    assert tactics.tactic_of(normalise.from_audit(testing.audit_record(**fields))) == expected
