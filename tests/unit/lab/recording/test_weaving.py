"""When attacks happen, which ones are chosen, and which have no room."""

from __future__ import annotations

import msgspec
import pytest

from riverwatch import errors
from riverwatch.lab import world
from riverwatch.lab.attacks import base, catalog
from riverwatch.lab.life import rhythm
from riverwatch.lab.recording import choice, weaving

FORTNIGHT = rhythm.Span(world.START_S, world.START_S + 14 * world.DAY_S)


def test_all_attacks_fit_into_a_fortnight_at_their_hours():
    attacks = choice.attacks("all", seed=1)
    plots, omitted = weaving.plan(attacks, seed=1, span=FORTNIGHT)
    assert omitted == []
    assert len(plots) == len(attacks) >= 30
    for plot in plots:
        hour = rhythm.local_hour(plot.start_s)
        assert plot.start_s + plot.attack.card.lasts_s < FORTNIGHT.end_s
        match plot.attack.card.when:
            case base.When.NIGHT:
                assert hour >= 22 or hour < 5
            case base.When.OFFICE:
                assert 9 <= hour < 17
                assert not rhythm.weekend(plot.start_s)
            case base.When.WEEKEND:
                assert rhythm.weekend(plot.start_s)
            case _:
                assert plot.start_s > FORTNIGHT.start_s


def test_a_short_recording_leaves_long_attacks_out_and_says_so():
    attack = catalog.load()["slow-teaching"]
    plots, omitted = weaving.plan([attack], seed=1, span=rhythm.Span(world.START_S, world.START_S + 2 * world.DAY_S))
    assert (plots, omitted) == ([], ["slow-teaching"])


def test_an_attack_that_finds_no_victim_is_noted_and_leaves_no_label():
    class EmptyScene:
        server, authority_file, outside_ips, pod_ips = "https://127.0.0.1:1", "", ("203.0.113.9",), ("10.0.0.9",)
        director = base.Identity("d", base.Part.ADMIN, "", base.Credential(), "", "")

        def identities(self, _):
            return []

    plots, _ = weaving.plan(choice.attacks("break-in", seed=1), seed=1, span=FORTNIGHT)
    for stranger in weaving.strangers(plots, EmptyScene(), seed=1):
        assert stranger.step(stranger.time_s) is None
    assert "nobody plays the part" in plots[0].failure
    assert weaving.episodes(plots, frozenset()) == []
    assert weaving.anchors(plots) == ([], frozenset())


@pytest.mark.parametrize(
    ("text", "count"), [("none", 0), ("sample:5", 5), ("secret-dump", 1), ("break-in, secret-dump", 2)], ids=str
)
def test_choice_reads_the_command_line(text, count):
    assert len(choice.attacks(text, seed=1)) == count


def test_sample_follows_the_seed():
    first, second, third = ([attack.card.id for attack in choice.attacks("sample:6", seed=seed)] for seed in (1, 1, 2))
    assert first == second
    assert first != third


@pytest.mark.parametrize("text", ["sample:0", "sample:x", "sample:9999", "no-such-attack"])
def test_choice_refuses_what_it_does_not_know(text):
    with pytest.raises(errors.BadInputError):
        choice.attacks(text, seed=1)


def test_labels_survive_the_file(tmp_path):
    episode = world.Episode(
        id="x-1", kind=world.EpisodeKind.ATTACK, name="x", start=world.rfc3339(world.START_S),
        end=world.rfc3339(world.START_S + 5), identities=["a"], audit_ids=["i1"], use_case="Discovery",
        visibility="subtle",
    )  # fmt: skip
    labels = world.Labels(1, 7, world.rfc3339(world.START_S), world.rfc3339(world.START_S + 10), [episode])
    world.write_labels(tmp_path, labels, [world.LabelledRecord("i1", episode.start, episode, "a")])
    assert world.read_labels(tmp_path) == labels
    lines = (tmp_path / world.LABELS_CSV).read_text().splitlines()
    assert lines[0] == "auditID,time,kind,episode,name,identity,useCase,visibility"
    assert lines[1] == f"i1,{episode.start},attack,x-1,x,a,Discovery,subtle"


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"{", "not a label file"), (b'{"version": 9}', "not a label file")],
    ids=["missing", "malformed", "incomplete"],
)
def test_unreadable_labels_are_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / world.LABELS_JSON).write_bytes(content)
    with pytest.raises(errors.BadInputError, match=message) as caught:
        world.read_labels(tmp_path)
    assert world.LABELS_JSON in str(caught.value)


def test_labels_of_a_newer_version_are_refused(tmp_path):
    labels = world.Labels(world.LABELS_VERSION + 1, 1, "", "", [])
    (tmp_path / world.LABELS_JSON).write_bytes(msgspec.json.encode(labels))
    with pytest.raises(errors.BadInputError, match="newer"):
        world.read_labels(tmp_path)
