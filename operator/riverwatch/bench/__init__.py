"""The benchmark: every figure as a ratio inside one run, beside every peer that is installed.

``load`` makes the work from a seed; ``tasks`` are what a child process, pinned to one core, does with it; ``plans`` say
which tasks make a benchmark; ``peers`` are other programs as command templates; ``figures`` are the words for results.
Called by `cli.bench` alone; nothing of the product imports it.
"""
