"""Stage 4a: the ATT&CK techniques that rules name, with name and tactic, so that nothing is ever fetched.

Ids, names and tactics are those of MITRE ATT&CK Enterprise in the version of `vocabulary.ATTACK_VERSION`. Called by
`rules.sigma`.
"""

from __future__ import annotations

from collections.abc import Iterable

from riverwatch import vocabulary

TACTICS = {
    "reconnaissance": "Reconnaissance",
    "resource-development": "Resource Development",
    "initial-access": "Initial Access",
    "execution": "Execution",
    "persistence": "Persistence",
    "privilege-escalation": "Privilege Escalation",
    "defense-evasion": "Defense Evasion",
    "credential-access": "Credential Access",
    "discovery": "Discovery",
    "lateral-movement": "Lateral Movement",
    "collection": "Collection",
    "command-and-control": "Command and Control",
    "exfiltration": "Exfiltration",
    "impact": "Impact",
}
"""Tactic in a Sigma tag -> ATT&CK's own words."""

USE_CASES = {
    "initial-access": vocabulary.UseCase.CREDENTIAL_MISUSE,
    "execution": vocabulary.UseCase.EXECUTION,
    "persistence": vocabulary.UseCase.PERSISTENCE,
    "privilege-escalation": vocabulary.UseCase.PRIVILEGE_ESCALATION,
    "defense-evasion": vocabulary.UseCase.DEFENSE_EVASION,
    "credential-access": vocabulary.UseCase.CREDENTIAL_MISUSE,
    "discovery": vocabulary.UseCase.DISCOVERY,
    "lateral-movement": vocabulary.UseCase.LATERAL_MOVEMENT,
    "impact": vocabulary.UseCase.IMPACT,
}
"""Use case of a rule whose card names none, by its first tactic."""

TECHNIQUES: dict[str, tuple[str, str]] = {
    "T1005": ("Data from Local System", "collection"),
    "T1021": ("Remote Services", "lateral-movement"),
    "T1027.004": ("Obfuscated Files or Information: Compile After Delivery", "defense-evasion"),
    "T1036.005": ("Masquerading: Match Legitimate Resource Name or Location", "defense-evasion"),
    "T1040": ("Network Sniffing", "credential-access"),
    "T1046": ("Network Service Discovery", "discovery"),
    "T1048": ("Exfiltration Over Alternative Protocol", "exfiltration"),
    "T1053.007": ("Scheduled Task/Job: Container Orchestration Job", "persistence"),
    "T1059": ("Command and Scripting Interpreter", "execution"),
    "T1059.004": ("Command and Scripting Interpreter: Unix Shell", "execution"),
    "T1069.003": ("Permission Groups Discovery: Cloud Groups", "discovery"),
    "T1070": ("Indicator Removal", "defense-evasion"),
    "T1072": ("Software Deployment Tools", "execution"),
    "T1078": ("Valid Accounts", "initial-access"),
    "T1078.001": ("Valid Accounts: Default Accounts", "initial-access"),
    "T1078.004": ("Valid Accounts: Cloud Accounts", "initial-access"),
    "T1087.004": ("Account Discovery: Cloud Account", "discovery"),
    "T1090": ("Proxy", "command-and-control"),
    "T1098": ("Account Manipulation", "persistence"),
    "T1098.001": ("Account Manipulation: Additional Cloud Credentials", "persistence"),
    "T1098.006": ("Account Manipulation: Additional Container Cluster Roles", "privilege-escalation"),
    "T1105": ("Ingress Tool Transfer", "command-and-control"),
    "T1110": ("Brute Force", "credential-access"),
    "T1110.003": ("Brute Force: Password Spraying", "credential-access"),
    "T1133": ("External Remote Services", "initial-access"),
    "T1134": ("Access Token Manipulation", "privilege-escalation"),
    "T1134.001": ("Access Token Manipulation: Token Impersonation/Theft", "privilege-escalation"),
    "T1136": ("Create Account", "persistence"),
    "T1190": ("Exploit Public-Facing Application", "initial-access"),
    "T1204.003": ("User Execution: Malicious Image", "execution"),
    "T1485": ("Data Destruction", "impact"),
    "T1489": ("Service Stop", "impact"),
    "T1496": ("Resource Hijacking", "impact"),
    "T1496.001": ("Resource Hijacking: Compute Hijacking", "impact"),
    "T1498": ("Network Denial of Service", "impact"),
    "T1525": ("Implant Internal Image", "persistence"),
    "T1528": ("Steal Application Access Token", "credential-access"),
    "T1530": ("Data from Cloud Storage", "collection"),
    "T1543.005": ("Create or Modify System Process: Container Service", "persistence"),
    "T1546": ("Event Triggered Execution", "persistence"),
    "T1550.001": ("Use Alternate Authentication Material: Application Access Token", "lateral-movement"),
    "T1552": ("Unsecured Credentials", "credential-access"),
    "T1552.001": ("Unsecured Credentials: Credentials In Files", "credential-access"),
    "T1552.005": ("Unsecured Credentials: Cloud Instance Metadata API", "credential-access"),
    "T1552.007": ("Unsecured Credentials: Container API", "credential-access"),
    "T1557": ("Adversary-in-the-Middle", "credential-access"),
    "T1562": ("Impair Defenses", "defense-evasion"),
    "T1562.001": ("Impair Defenses: Disable or Modify Tools", "defense-evasion"),
    "T1562.007": ("Impair Defenses: Disable or Modify Cloud Firewall", "defense-evasion"),
    "T1565.001": ("Data Manipulation: Stored Data Manipulation", "impact"),
    "T1572": ("Protocol Tunneling", "command-and-control"),
    "T1595.003": ("Active Scanning: Wordlist Scanning", "reconnaissance"),
    "T1609": ("Container Administration Command", "execution"),
    "T1610": ("Deploy Container", "execution"),
    "T1611": ("Escape to Host", "privilege-escalation"),
    "T1613": ("Container and Resource Discovery", "discovery"),
    "T1649": ("Steal or Forge Authentication Certificates", "credential-access"),
}
"""Technique id -> name and the tactic it is filed under unless the rule names another."""


def tactic_names(tags: Iterable[str]) -> list[str]:
    """Return the tactics among Sigma's ``attack.`` tags, in their order, as keys of `TACTICS`."""
    plain = (tag.lower().replace("_", "-") for tag in tags)
    return [tag for tag in plain if tag in TACTICS]


def techniques(tags: Iterable[str]) -> tuple[vocabulary.Technique, ...]:
    """Return the techniques among Sigma's ``attack.`` tags (given without that prefix).

    Examples
    --------
    >>> [(t.id, t.tactic) for t in techniques(["t1611", "persistence"])]
    [('T1611', 'Privilege Escalation')]
    """
    tags = list(tags)
    named = tactic_names(tags)
    found = []
    for tag in tags:
        ident = tag.upper()
        if ident[:1] == "T" and ident[1:5].isdigit():
            name, tactic = TECHNIQUES.get(ident, (ident, named[0] if named else ""))
            found.append(vocabulary.Technique(ident, name, TACTICS.get(tactic, tactic)))
    return tuple(found)


def use_case(tags: Iterable[str]) -> vocabulary.UseCase:
    """Return the use case that the first tactic, or the first technique's tactic, stands for."""
    tags = list(tags)
    tactics = tactic_names(tags) or [TECHNIQUES[tag.upper()][1] for tag in tags if tag.upper() in TECHNIQUES]
    found = (USE_CASES[tactic] for tactic in tactics if tactic in USE_CASES)
    return next(found, vocabulary.UseCase.CREDENTIAL_MISUSE)
