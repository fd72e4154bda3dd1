"""Read a workload's body, and write the patches by which attacks change it and the director puts it back.

Bodies as the API gives them in, plain values and patches out. Called by attacks.
"""

from __future__ import annotations

from riverwatch import errors

Body = dict[str, object]


def first_image(body: object) -> tuple[str, str]:
    """Give name and image of a deployment's first container.

    Parameters
    ----------
    body
        The deployment.

    Raises
    ------
    BadInputError
        When it has none.
    """
    try:
        container = body["spec"]["template"]["spec"]["containers"][0]  # type: ignore[index]
        return str(container["name"]), str(container["image"])
    except (KeyError, IndexError, TypeError) as problem:
        raise errors.BadInputError(
            "a deployment without a container", where="spec.template.spec.containers"
        ) from problem


def image_patch(container: str, image: str) -> Body:
    """Give the strategic patch that sets one container's image."""
    return {"spec": {"template": {"spec": {"containers": [{"name": container, "image": image}]}}}}


def replicas(scale: object) -> int:
    """Give the number of replicas that a scale asks for; 0 when it asks for none."""
    spec = scale.get("spec", {}) if isinstance(scale, dict) else {}
    return int(spec.get("replicas", 0))


def selector(service: object) -> dict[str, str]:
    """Give the labels that a service selects pods by; empty when it has none."""
    spec = service.get("spec", {}) if isinstance(service, dict) else {}
    return dict(spec.get("selector") or {})
