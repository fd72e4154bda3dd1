"""Stage 2, derived fields of the other objects that attackers write.

Admission webhooks, certificate requests, tokens, services, ingresses, ConfigMaps and Secrets (types and keys, never
values), and the metadata that all objects share. Listed in `derived`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

import re2
from cryptography import x509
from cryptography.x509.oid import NameOID

from riverwatch.activity import derived_facts as df

WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
"""Resources of dynamic admission webhooks."""

MAX_CSR_BYTES = 65_536
"""Bytes of one certificate signing request that are parsed; a request with an RSA-4096 key has about 1.6 kB."""

CREDENTIAL_KEY = re2.compile(  # type: ignore[no-untyped-call]  # re2 has no types
    r"(?im)(?:^|[._-])(?:password|passwd|passphrase|pwd|secret[._-]?key|secretkey|api[._-]?key|apikey|access[._-]?key(?:[._-]?id)?"
    r"|secret[._-]?access[._-]?key|private[._-]?key|auth[._-]?token|access[._-]?token|client[._-]?secret|bearer[._-]?token)$"
)
"""Names of keys that hold a credential in clear."""

CREDENTIAL_VALUE = re2.compile(  # type: ignore[no-untyped-call]  # re2 has no types
    r"-----BEGIN (?:RSA |EC |OPENSSH |DSA |)PRIVATE KEY-----|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\."
    r"|(?i:\b(?:password|passwd|passphrase|aws[_-](?:s3[_-])?(?:secret[_-])?access[_-]key(?:[_-]id)?)\s*[=:]\s*[^\s$<{(%*]{4,})"
)
"""Shapes of credentials inside values: private keys, AWS, GitHub and Slack keys, JWTs, assignments of a password."""

CREDENTIAL_HINT = re2.compile(  # type: ignore[no-untyped-call]  # re2 has no types
    rb"(?i:pass|pwd|secret|api[._-]?key|access|private|token|\\u)|AKIA|ASIA|gh[pousr]_|xox|eyJ"
)
"""What the raw body of a ConfigMap with a credential holds; an escaped letter counts, it may hide one of the words."""


def _webhooks(facts: df.Facts) -> Iterator[dict[str, df.Json]]:
    if facts.activity.resource in WEBHOOKS:
        for document in facts.documents:
            for hook in df.as_list(document.get("webhooks")):
                if isinstance(hook, dict):
                    yield hook


def _webhook_urls(facts: df.Facts) -> df.Value:
    found = (df.as_text(df.dig(hook, "clientConfig", "url")) for hook in _webhooks(facts))
    return tuple(dict.fromkeys(url for url in found if url)) or None


def _webhook_services(facts: df.Facts) -> df.Value:
    def each() -> Iterator[str]:
        for hook in _webhooks(facts):
            service = df.as_dict(df.dig(hook, "clientConfig", "service"))
            if service:
                yield f"{df.as_text(service.get('namespace'))}/{df.as_text(service.get('name'))}"

    return tuple(dict.fromkeys(each())) or None


def _webhook_policies(facts: df.Facts) -> df.Value:
    found = (df.as_text(hook.get("failurePolicy")) for hook in _webhooks(facts))
    return tuple(dict.fromkeys(policy for policy in found if policy)) or None


def _webhook_resources(facts: df.Facts) -> df.Value:
    def each() -> Iterator[str]:
        for hook in _webhooks(facts):
            for rule in df.as_list(hook.get("rules")):
                yield from df.texts(df.dig(rule, "resources"))

    return tuple(dict.fromkeys(each())) or None


def _csr_documents(facts: df.Facts) -> list[dict[str, df.Json]]:
    if facts.activity.resource != "certificatesigningrequests":
        return []
    # An approval sends the whole object, but the answer is what a Metadata+Request policy may lack: take both.
    return [*facts.documents, df.as_dict(facts.response_object)]


def _csr_signer(facts: df.Facts) -> df.Value:
    found = (df.as_text(df.dig(document, "spec", "signerName")) for document in _csr_documents(facts))
    return next((name for name in found if name), None)


def _csr_usages(facts: df.Facts) -> df.Value:
    found = (usage for document in _csr_documents(facts) for usage in df.texts(df.dig(document, "spec", "usages")))
    return tuple(dict.fromkeys(found)) or None


def _csr_requester(facts: df.Facts) -> df.Value:
    found = (df.as_text(df.dig(document, "spec", "username")) for document in _csr_documents(facts))
    return next((name for name in found if name), None)


def _csr_condition(facts: df.Facts, wanted: str) -> bool | None:
    documents = _csr_documents(facts)
    if not any(documents):
        return None
    return any(
        df.dig(condition, "type") == wanted
        for document in documents
        for condition in df.as_list(df.dig(document, "status", "conditions"))
    )


def _csr_approved(facts: df.Facts) -> df.Value:
    return _csr_condition(facts, "Approved") if facts.activity.subresource == "approval" else None


def _csr_denied(facts: df.Facts) -> df.Value:
    return _csr_condition(facts, "Denied") if facts.activity.subresource == "approval" else None


def _csr_self_approved(facts: df.Facts) -> df.Value:
    requester = _csr_requester(facts)
    if facts.activity.subresource != "approval" or not requester or not _csr_approved(facts):
        return None
    return requester in (facts.activity.actor.username, facts.activity.principal.username)


def _csr_subject(facts: df.Facts) -> tuple[str, tuple[str, ...]]:
    """Read the common name and organisations asked for: the user name and groups of the certificate."""
    for document in _csr_documents(facts):
        encoded = df.as_text(df.dig(document, "spec", "request"))
        if not encoded or len(encoded) > MAX_CSR_BYTES * 4 // 3:
            continue
        try:
            subject = x509.load_pem_x509_csr(base64.b64decode(encoded)).subject
        except (ValueError, binascii.Error, TypeError):
            continue
        names = [str(item.value) for item in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        organisations = (str(item.value) for item in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
        return (names[0] if names else "", tuple(organisations))
    return ("", ())


def _csr_common_name(facts: df.Facts) -> df.Value:
    return _csr_subject(facts)[0] or None


def _csr_organisations(facts: df.Facts) -> df.Value:
    return _csr_subject(facts)[1] or None


def _token_spec(facts: df.Facts) -> dict[str, df.Json]:
    if facts.activity.subresource != "token":
        return {}
    return df.as_dict(df.dig(facts.request_object, "spec"))


def _token_seconds(facts: df.Facts) -> df.Value:
    value = _token_spec(facts).get("expirationSeconds")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _token_audiences(facts: df.Facts) -> df.Value:
    return tuple(df.texts(_token_spec(facts).get("audiences"))) or None


def _token_bound(facts: df.Facts) -> df.Value:
    spec = _token_spec(facts)
    return bool(df.as_dict(spec.get("boundObjectRef"))) if spec else None


def _service_type(facts: df.Facts) -> df.Value:
    if facts.activity.resource != "services" or facts.activity.subresource:
        return None
    found = (df.as_text(df.dig(document, "spec", "type")) for document in facts.documents)
    return next((name for name in found if name), None)


def _external_ips(facts: df.Facts) -> df.Value:
    if facts.activity.resource != "services":
        return None
    found = (ip for document in facts.documents for ip in df.texts(df.dig(document, "spec", "externalIPs")))
    return tuple(dict.fromkeys(found)) or None


def _service_ports(facts: df.Facts) -> df.Value:
    if facts.activity.resource != "services":
        return None
    ports = (
        df.dig(port, "port") for document in facts.documents for port in df.as_list(df.dig(document, "spec", "ports"))
    )
    return tuple(port for port in ports if isinstance(port, int)) or None


def _source_ranges(facts: df.Facts) -> df.Value:
    if facts.activity.resource != "services":
        return None
    found = (
        text for document in facts.documents for text in df.texts(df.dig(document, "spec", "loadBalancerSourceRanges"))
    )
    return tuple(dict.fromkeys(found)) or None


def _ingress_tls(facts: df.Facts) -> df.Value:
    if facts.activity.resource != "ingresses" or facts.activity.subresource or not facts.documents:
        return None
    return any(df.as_list(df.dig(document, "spec", "tls")) for document in facts.documents)


def _config_data(facts: df.Facts) -> Iterator[tuple[str, df.Json]]:
    if facts.activity.resource == "configmaps":
        for document in facts.documents:
            for section in ("data", "binaryData"):
                yield from df.as_dict(document.get(section)).items()


def _config_keys(facts: df.Facts) -> df.Value:
    return tuple(dict.fromkeys(key for key, _ in _config_data(facts))) or None


def _config_credentials(facts: df.Facts) -> df.Value:
    # Most ConfigMaps hold nothing of the kind: one search of the raw body says so, before anything is parsed.
    raw = bytes(facts.activity.record.request_object) or bytes(facts.activity.record.response_object)
    if not CREDENTIAL_HINT.search(raw):
        return None
    pairs = [(key, value) for key, value in _config_data(facts) if isinstance(value, str) and value.strip()]
    # A call of the engine costs more than what it searches, so that all pairs are searched at once before each.
    in_keys = CREDENTIAL_KEY.search("\n".join(key for key, _ in pairs))
    if not (in_keys or CREDENTIAL_VALUE.search("\n".join(value for _, value in pairs))):
        return None
    found = (key for key, value in pairs if CREDENTIAL_KEY.search(key) or CREDENTIAL_VALUE.search(value))
    return tuple(dict.fromkeys(found)) or None


def _secret_type(facts: df.Facts) -> df.Value:
    if facts.activity.resource != "secrets":
        return None
    return next((name for document in facts.documents if (name := df.as_text(document.get("type")))), None)


def _owner(facts: df.Facts) -> df.Value:
    for document in (*facts.documents, df.as_dict(facts.response_object)):
        for reference in df.as_list(df.dig(document, "metadata", "ownerReferences")):
            if df.dig(reference, "controller") is True:
                return f"{df.as_text(df.dig(reference, 'kind'))}/{df.as_text(df.dig(reference, 'name'))}"
    return None


def _labels(facts: df.Facts) -> df.Value:
    found = (
        f"{key}={value}"
        for document in facts.documents
        for key, value in df.as_dict(df.dig(document, "metadata", "labels")).items()
    )
    return tuple(dict.fromkeys(found)) or None


def _annotation_keys(facts: df.Facts) -> df.Value:
    found = (key for document in facts.documents for key in df.as_dict(df.dig(document, "metadata", "annotations")))
    return tuple(dict.fromkeys(found)) or None


def _replicas(facts: df.Facts) -> df.Value:
    found = (df.dig(document, "spec", "replicas") for document in facts.documents)
    return next((count for count in found if isinstance(count, int) and not isinstance(count, bool)), None)


def _field(name: str, type_: str, origin: str, doc: str, compute: object) -> df.DerivedField:
    return df.DerivedField(name, type_, origin, "Request", doc, compute)  # type: ignore[arg-type]  # see FIELDS


_HOOKS = "requestObject.webhooks"
_CSR = "requestObject.spec, responseObject.spec"

FIELDS = (
    _field("webhook.urls", "str[]", _HOOKS, "URLs that admission requests are sent to.", _webhook_urls),
    _field("webhook.services", "str[]", _HOOKS, "`namespace/name` of services they are sent to.", _webhook_services),
    _field("webhook.failurePolicy", "str[]", _HOOKS, "Ignore or Fail.", _webhook_policies),
    _field("webhook.resources", "str[]", _HOOKS, "Resources that are intercepted.", _webhook_resources),
    _field("csr.signerName", "str", _CSR, "Signer of a certificate signing request.", _csr_signer),
    _field("csr.usages", "str[]", _CSR, "Usages asked for.", _csr_usages),
    _field("csr.requester", "str", _CSR, "User who made the request.", _csr_requester),
    _field(
        "csr.commonName",
        "str",
        _CSR + ".request",
        "Common name asked for: the user name of the certificate.",
        _csr_common_name,
    ),
    _field(
        "csr.organizations",
        "str[]",
        _CSR + ".request",
        "Organisations asked for: the groups of the certificate.",
        _csr_organisations,
    ),
    _field("csr.approved", "bool", "status.conditions", "An approval that approves.", _csr_approved),
    _field("csr.denied", "bool", "status.conditions", "An approval that denies.", _csr_denied),
    _field(
        "csr.selfApproved", "bool", "status.conditions, spec.username", "The requester approves.", _csr_self_approved
    ),
    _field("token.expirationSeconds", "int", "requestObject.spec", "Life of a requested token.", _token_seconds),
    _field("token.audiences", "str[]", "requestObject.spec", "Audiences of a requested token.", _token_audiences),
    _field("token.bound", "bool", "requestObject.spec", "Bound to a pod, node or secret.", _token_bound),
    _field(
        "service.type", "str", "requestObject.spec", "ClusterIP, NodePort, LoadBalancer or ExternalName.", _service_type
    ),
    _field(
        "service.externalIPs", "str[]", "requestObject.spec", "External addresses that a service claims.", _external_ips
    ),
    _field("service.ports", "int[]", "requestObject.spec", "Ports of a service.", _service_ports),
    _field(
        "service.sourceRanges",
        "str[]",
        "requestObject.spec",
        "Addresses that may reach a load balancer.",
        _source_ranges,
    ),
    _field("ingress.tls", "bool", "requestObject.spec", "The ingress has a tls block.", _ingress_tls),
    _field("configmap.keys", "str[]", "requestObject.data", "Keys of a ConfigMap.", _config_keys),
    _field(
        "configmap.secretLike",
        "str[]",
        "requestObject.data",
        "Keys that hold a credential by name or by shape.",
        _config_credentials,
    ),
    _field("secret.type", "str", "requestObject.type", "Type of a Secret.", _secret_type),
    _field("owner", "str", "metadata.ownerReferences", "`Kind/name` of the controlling owner.", _owner),
    _field("object.replicas", "int", "requestObject.spec", "Number of replicas written.", _replicas),
    _field("object.labels", "str[]", "metadata.labels", "`key=value` of the labels written.", _labels),
    _field("object.annotations", "str[]", "metadata.annotations", "Keys of the annotations written.", _annotation_keys),
)
