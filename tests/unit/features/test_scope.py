"""An action and the namespace that it is done in, as one value."""

from __future__ import annotations

import pytest

from riverwatch import testing
from riverwatch.activity import normalise
from riverwatch.features import catalog, vector


@pytest.mark.parametrize(
    ("user", "namespace", "scope"),
    [
        pytest.param("system:serviceaccount:web:front", "web", "get pods/log in its own namespace", id="at home"),
        pytest.param("system:serviceaccount:shop:front", "shop", "get pods/log in its own namespace", id="a sibling"),
        pytest.param("system:serviceaccount:web:front", "shop", "get pods/log in shop", id="next door"),
        pytest.param("system:serviceaccount:web:front", "", "get pods/log in cluster-wide", id="cluster-wide"),
        pytest.param("mei@example.com", "web", "get pods/log in web", id="a person"),
        pytest.param("mei@example.com", "", "get pods/log in cluster-wide", id="a person, cluster-wide"),
    ],
)
def test_scope_of_an_account_at_home_is_the_same_for_its_siblings(user, namespace, scope):
    one = testing.audit_record(user=user, namespace=namespace, resource="pods", subresource="log", name="front-1")
    assert vector.measure(normalise.from_audit(one)).values[catalog.INDEX["scope"]] == scope
