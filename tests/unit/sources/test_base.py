"""The words of stage 1: the tally adds up, and stays small."""

import pytest

from riverwatch import metrics
from riverwatch.activity import normalise
from riverwatch.sources import base


def test_tally_keeps_the_last_skips_only():
    tally = base.Tally()
    tally.read += 1000
    for number in range(1000):
        tally.skip(base.SkipReason.NOT_AUDIT, where=f"audit.log:{number}", detail="x" * 10_000)

    assert [tally.recent[0].where, tally.recent[-1].where] == ["audit.log:950", "audit.log:999"]
    assert len(tally.recent) == base.RECENT_SKIPS
    assert len(tally.recent[0].detail) == base.DETAIL_MAX_CHARS
    assert tally.summary() == "read 1000, used 0, skipped 1000 (not_audit 1000)"


def test_summary_names_reasons_in_a_fixed_order():
    tally = base.Tally()
    tally.read += 6
    tally.count_only(base.SkipReason.STAGE_RECEIVED, 3)
    tally.skip(base.SkipReason.TOO_LARGE, count=2)

    assert tally.summary() == "read 6, used 1, skipped 5 (too_large 2, stage_received 3)"


@pytest.mark.parametrize(
    "reason",
    [normalise.MISSING_TIMESTAMP, normalise.MISSING_USER, normalise.MISSING_VERB, normalise.STAGE_RECEIVED],
)
def test_reasons_of_normalisation_are_known(reason):
    tally = base.Tally()
    tally.skip(reason, where="audit.log:7", detail="no verb")

    assert tally.skipped == {base.SkipReason(reason): 1}
    assert str(tally.recent[0]) == f"audit.log:7: {reason}: no verb"


def test_unknown_reason_is_a_mistake():
    with pytest.raises(ValueError, match="because"):
        base.Tally().skip("because")


def test_every_reason_is_a_label_from_the_start():
    exposed = metrics.Metrics(skip_reasons=[one.value for one in base.SkipReason]).exposition().decode()

    for reason in base.SkipReason:
        assert f'riverwatch_records_skipped_total{{reason="{reason.value}"}} 0.0' in exposed
