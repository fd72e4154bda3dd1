"""The blocks on a terminal."""

from __future__ import annotations

import io
import re

import msgspec
import pytest
import rich.console

from riverwatch import vocabulary
from riverwatch.report import table, words

GOLDEN = """\
HIGH 91.5  2026-01-15 08:00:00 to 08:01:01 UTC  3 records
  Secret read by a script by web/front
  ServiceAccount web/front
     40%  Secret read by a script: web/front read secret payments/db
     60%  The action 'get secrets' is new.
    It would have been ordinary with action 'get configmaps'.
    > Rotate the secret
    > See who runs as it:
      kubectl -n web get pods

1 detection: 1 High. Read 1,000 audit records, used 990, skipped 10 (seen
before: 7, no audit record: 3); 2026-01-05 08:00:00 to 09:01:00 UTC, 61 minutes.
The models were warm: they know 6 identities in 4 namespaces.
A case needed 12.2 nats of evidence under a budget of 5 a day; 2 weak candidates
did not fit the budget and stayed out.
Not seen: No request bodies were seen.
"""
"""What is printed of one detection at 80 columns without colour."""


def printed(detections, shown, *, width=80, terminal=False):
    out = io.StringIO()
    console = rich.console.Console(
        file=out, width=width, force_terminal=terminal, color_system="truecolor" if terminal else None
    )
    table.render(detections, console, context=shown)
    return out.getvalue()


def test_prints_this_block_at_80_columns_without_colour(plain, shown):
    assert printed([plain], shown) == GOLDEN


def test_colours_only_add_to_the_words(plain, shown):
    coloured = printed([plain], shown, terminal=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == GOLDEN


@pytest.mark.parametrize("width", [40, 80, 200])
def test_wraps_everything_but_commands(found, shown, width):
    lines = printed(found, shown, width=width).splitlines()
    assert [line for line in lines if len(line) > width and "kubectl" not in line] == []


def test_never_breaks_a_command(found, shown):
    out = printed(found, shown, width=40)
    for detection in found:
        for step in words.steps(detection)[: table.MAX_STEPS]:
            if step.command:
                assert step.command in out


def test_puts_the_strongest_first_whatever_the_order(plain, shown):
    weak = msgspec.structs.replace(plain, uid="b", title="weak", severity=vocabulary.Severity.LOW, score=99.0)
    strong = msgspec.structs.replace(plain, uid="c", title="strong", severity=vocabulary.Severity.CRITICAL, score=1.0)
    out = printed([weak, plain, strong], shown)
    assert out == printed([plain, strong, weak], shown)
    assert out.index("strong") < out.index("Secret read") < out.index("weak")


def test_shows_hostile_names_as_text(hostile, shown):
    out = printed([hostile], shown)
    assert "[red]x[/red]" in out.replace("\n", "").replace("    ", "")
    assert all(char.isprintable() or char == "\n" for char in out)


def test_takes_no_command_out_of_a_hostile_name(hostile, shown):
    assert not any(line.strip().startswith("kubectl") for line in printed([hostile], shown, width=4_000).splitlines())


def test_counts_the_reasons_that_it_leaves_out(plain, shown):
    reason = plain.explanation[1]
    told = msgspec.structs.replace(plain, explanation=[reason] * (table.MAX_REASONS + 2))
    assert "and 2 more reasons" in printed([told], shown)


def test_says_what_was_read_and_how_warm_the_models_were_when_nothing_is_found(shown):
    still = msgspec.structs.replace(shown, warm=False, progress=0.4)
    out = printed([], still, width=400)
    said = (
        "Nothing stood out. Read 1,000 audit records, used 990, skipped 10 (seen before: 7, no audit record: 3); "
        "2026-01-05 08:00:00 to 09:01:00 UTC, 61 minutes. The models were still learning (40% of the learning "
        "period, 6 identities in 4 namespaces): only rules could speak."
    )
    assert out.splitlines() == [said, "Not seen: No request bodies were seen."]


def test_proposes_to_learn_from_a_part_of_a_log_that_is_shorter_than_the_learning_period(shown):
    assert shown.last_s is not None
    day = msgspec.structs.replace(shown, warm=False, progress=0.3, first_s=shown.last_s - 86_400.0)
    assert "only rules could speak. With --learn-until 2026-01-04T15:01:00Z they speak" in printed([], day, width=400)


def test_says_so_when_nothing_was_read(shown):
    nothing = msgspec.structs.replace(shown, read=0, used=0, skipped={}, first_s=None, last_s=None)
    assert "No audit record was read." in printed([], nothing)
