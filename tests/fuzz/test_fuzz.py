"""Every parser meets some damaged inputs, always the same; ``make fuzz`` goes on where this ends."""

from __future__ import annotations

import fuzz_inputs
import fuzz_parsers
import hypothesis
import pytest

EXAMPLES = 30
"""Inputs per parser: a few seconds for all of them together."""


@pytest.mark.parametrize("name", fuzz_parsers.PARSERS)
def test_damaged_inputs_are_taken_or_refused(name):
    parser = fuzz_parsers.PARSERS[name]

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(fuzz_inputs.inputs(parser))
    def run(data):
        parser.check(data)

    run()


@pytest.mark.parametrize("name", fuzz_parsers.PARSERS)
def test_good_inputs_are_taken_or_refused(name):
    parser = fuzz_parsers.PARSERS[name]
    for seed in parser.seeds()[:20]:
        parser.check(seed)


FOUND = list(fuzz_parsers.found())


@pytest.mark.parametrize(("name", "data"), [one[::2] for one in FOUND], ids=["-".join(one[:2]) for one in FOUND])
def test_what_was_found_stays_mended(name, data):
    fuzz_parsers.PARSERS[name].check(data)
