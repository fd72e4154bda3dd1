"""The benchmark of models: every candidate over the same labelled records in one run, the plain sum beside them.

``stream`` reads a labelled folder into points; ``counters`` turns points into plain numbers; ``candidates`` and
``peer`` are what competes; ``measures`` are the figures; ``contest`` runs it all; ``footprint`` measures memory. Called
by `cli.bench_models` and the tests. The rule it serves: a model stays in the product only if it beats the plain sum of
novelty counters here.
"""
