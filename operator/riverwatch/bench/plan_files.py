"""B1: a file in, findings out, on one core: rules alone and the whole product, beside parsers and rule engines."""

from __future__ import annotations

from typing import Any

from riverwatch.bench import child, figures, peers, products, setting, task_files

ID = "B1"
TITLE = "JSON lines from a file, one core"

RULES_TO_DECODE = 0.22
"""Least share of the bare decoder's rate for rules alone: the fastest rule engine known stood at 0.22 of it (176,000 to
800,000 records/s, one core, 2 CPUs of an AMD EPYC, 2026-11), and at 15 times Falco."""

REPLAY_TO_DECODE = 0.25
"""Least share of the bare decoder's rate for `replay` with rules and models."""


def run(chosen: setting.Setting) -> figures.Result:
    """Measure."""
    order: dict[str, Any] = {
        "audit": str(chosen.work.audit),
        "learn_until_s": chosen.work.learn_until_s,
        "rounds": chosen.rounds,
        "detail": chosen.detail,
    }
    found = child.run("task_files", order, core=chosen.core)
    rows = [
        figures.Row(name=name, samples=samples, peer=name not in tuple(products.Product))
        for name, samples in task_files.samples_of(found).items()
    ]
    result = figures.Result(id=ID, title=TITLE, rows=rows)
    by_name = {row.name: row for row in rows}
    decode = by_name[task_files.DECODE]
    for product, target in ((products.Product.RULES, RULES_TO_DECODE), (products.Product.FULL, REPLAY_TO_DECODE)):
        row = by_name[product.value]
        result.ratios.append(
            figures.Ratio(
                name=f"{product.value} / {task_files.DECODE}", value=figures.paired(row, decode), target=target
            )
        )
        result.stages[product.value] = figures.stage_costs(found["stages"][product.value], row)
    peers.add_file_peers(chosen, result, ours=by_name[products.Product.RULES.value])
    return result
