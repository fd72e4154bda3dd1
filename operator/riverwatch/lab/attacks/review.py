"""What an identity may do: a request -> the question that the API server's own authorizer answers.

Method and path in, a SubjectAccessReview out. Called by `context.AttackContext.may`, so that an attack that is to use
only rights its victim holds can choose such a victim, and by the contract suite.
"""

from __future__ import annotations

import re
import urllib.parse

from riverwatch.activity import identities

PATH = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
"""Where such questions are asked."""

VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
"""Verbs of requests for one object, by method."""

_RESOURCE = re.compile(r"/(?:api|apis/(?P<group>[^/]+))/v\w+(?:/namespaces/(?P<namespace>[^/]+))?/(?P<rest>.+)")


def question(username: str, method: str, target: str) -> dict[str, object]:
    """Ask whether a user may send a request.

    Parameters
    ----------
    username
        Whose right.
    method
        HTTP method.
    target
        Path and query of a resource.

    Raises
    ------
    ValueError
        When the path names no resource.

    Examples
    --------
    >>> asked = question("dana", "GET", "/api/v1/namespaces/web/pods?limit=500")
    >>> asked["spec"]["resourceAttributes"]["verb"]
    'list'
    """
    path, _, query = target.partition("?")
    found = _RESOURCE.fullmatch(path)
    if found is None:
        raise ValueError(f"{path!r} is no path of a resource")
    resource, name, subresource = (*found["rest"].split("/"), "", "")[:3]
    asked = dict(urllib.parse.parse_qsl(query))
    verb = VERBS[method]
    if not name and verb == "get":
        verb = "watch" if asked.get("watch") == "true" else "list"
    if not name and verb == "delete":
        verb = "deletecollection"
    attributes: dict[str, object] = {
        "group": found["group"] or "",
        "namespace": found["namespace"] or "",
        "resource": resource,
        "name": name,
        "subresource": subresource,
        "verb": verb,
    }
    if "fieldSelector" in asked:
        attributes["fieldSelector"] = {"rawSelector": asked["fieldSelector"]}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": username, "groups": groups(username), "resourceAttributes": attributes},
    }


def groups(username: str) -> list[str]:
    """Give the groups that the API server puts an account or a node into; a person's own groups are not known here.

    Examples
    --------
    >>> groups("system:serviceaccount:web:bot")
    ['system:serviceaccounts', 'system:serviceaccounts:web', 'system:authenticated']
    """
    principal = identities.classify(username)
    if principal.kind is identities.PrincipalKind.SERVICE_ACCOUNT:
        return ["system:serviceaccounts", f"system:serviceaccounts:{principal.namespace}", "system:authenticated"]
    if principal.kind is identities.PrincipalKind.NODE:
        return ["system:nodes", "system:authenticated"]
    return ["system:authenticated"]
