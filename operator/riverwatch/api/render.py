"""The custom-resource types -> ``crds/*.yaml`` and their reference pages.

``python -m riverwatch.api.render`` writes the files, with ``--check`` it only says which are stale and exits with 1.
Also called by ``riverwatch crds``. Rendering is pure and repeats byte for byte.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

import yaml

from riverwatch import generated
from riverwatch.api import reference, schema
from riverwatch.api.v1alpha1 import kinds, words

HEADER = (
    "# Written by `python -m riverwatch.api.render` from operator/riverwatch/api/v1alpha1; change the types instead.\n"
)
"""First line of every file."""

CATEGORY = "riverwatch"
"""``kubectl get riverwatch`` lists objects of all kinds."""


def custom_resource_definition(kind: kinds.Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{words.GROUP}",
            "labels": {"app.kubernetes.io/name": "riverwatch", "app.kubernetes.io/component": "crd"},
        },
        "spec": {
            "group": words.GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short],
                "categories": [CATEGORY],
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [
                {
                    "name": words.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in kind.columns],
                    "schema": {"openAPIV3Schema": schema.resource(kind.type)},
                }
            ],
        },
    }


def _column(column: kinds.Column) -> dict[str, Any]:
    rendered: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.description:
        rendered["description"] = column.description
    if column.detail:
        rendered["priority"] = 1
    return rendered


def text(kind: kinds.Kind) -> str:
    """Return the file of a kind."""
    body: str = yaml.dump(
        custom_resource_definition(kind), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True
    )
    return HEADER + body


class _Dumper(yaml.SafeDumper):
    """Writes every value where it stands: anchors would be refused by reviewers and by some tools."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never write an alias."""
        del data
        return True


def files() -> generated.Files:
    """Return every generated file with its text."""
    rendered = {pathlib.Path("crds", f"{words.GROUP}_{kind.plural}.yaml"): text(kind) for kind in kinds.KINDS}
    rendered.update({pathlib.Path("docs", "reference", name): page for name, page in reference.pages().items()})
    return rendered


def stale(root: pathlib.Path) -> list[pathlib.Path]:
    """Return the generated files that differ from the types, and files in ``crds/`` that belong to no kind."""
    rendered = files()
    found = sorted((root / "crds").glob("*.y*ml"))
    return generated.stale(rendered, root=root) + [path for path in found if path.relative_to(root) not in rendered]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or check them; return the exit status."""
    return generated.main(files, arguments, module="riverwatch.api.render", wrong=stale)


if __name__ == "__main__":
    raise SystemExit(main())
