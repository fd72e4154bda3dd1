"""The page: well-formed, self-contained, escaped, accessible, bounded."""

from __future__ import annotations

import html.parser
import itertools
import random
import re
import time

import msgspec
import pytest

from riverwatch import errors
from riverwatch.report import html as page
from riverwatch.report import page_style, section

VOID = {"meta", "br"}
"""Elements without an end tag that the page uses."""


class Outline(html.parser.HTMLParser):
    """Everything that tests ask about a page, and a check that every element is closed in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.links, self.headings, self.text = [], [], [], [], [], []
        self.attributes, self.captioned, self.tables = [], 0, 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend(attrs)
        values = dict(attrs)
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(int(tag[1]))
        if tag == "caption":
            assert self.open[-1] == "table"
            self.captioned += 1
        self.tables += tag == "table"
        if tag == "th":
            assert values["scope"] == "col"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join("".join(self.text).split())


def test_is_well_formed_and_loads_nothing(found, hostile, shown):
    outline = Outline(page.render([*found, hostile], context=shown))
    assert not {"script", "img", "link", "iframe", "object", "form", "base"} & set(outline.tags)
    assert not [name for name, _ in outline.attributes if name.startswith("on") or name in {"src", "style"}]
    assert all(link.startswith("#") for link in outline.links)


def test_shows_hostile_names_as_text(hostile, shown):
    trapped = msgspec.structs.replace(
        shown, title=hostile.title, version=hostile.title, blind_spots=(hostile.title,), skipped={hostile.title: 1}
    )
    text = page.render([hostile], context=trapped)
    outline = Outline(text)
    assert "pwned=1</script>" not in text
    assert all(char.isprintable() or char == "\n" for char in text)
    assert outline.words.count("<script>pwned=1</script>") >= 20
    assert "code" not in outline.tags, "a command out of a hostile name"


def test_has_a_policy_that_forbids_scripts_and_requests(found, shown):
    assert page.SECURITY_POLICY in page.render(found, context=shown)
    assert page.SECURITY_POLICY.startswith("default-src 'none'")


def test_links_lead_somewhere_and_ids_are_unique(hundreds, shown):
    some = hundreds[:90]
    outline = Outline(page.render(some, context=shown))
    assert len(outline.ids) == len(set(outline.ids))
    assert {link[1:] for link in outline.links} == {f"d-{item.uid}" for item in some}


def test_headings_descend_step_by_step_and_tables_have_captions(found, shown):
    outline = Outline(page.render(found, context=shown))
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(outline.headings))
    assert outline.tables == outline.captioned > 0


def test_tells_everything_about_a_detection(plain, shown):
    text = Outline(page.render([plain], context=shown)).words
    for part in (
        "1 detection: 1 High",
        "riverwatch 9.8.7 on audit.log",
        "Secret read by a script by web/front",
        "ServiceAccount web/front",
        "2026-01-15 08:00:00 to 08:01:01 UTC · 3 records · confidence 87% · Rule",
        "40%",
        "60%",
        "action: get secrets",
        "get configmaps",
        "never seen in the cluster",
        "It would have been ordinary with action 'get configmaps'.",
        "Rotate the secret",
        "See who runs as it:",
        "kubectl -n web get pods",
        "web/front get secrets payments/db -> 200",
        "audit-1",
        "1 of 3 records",
        "secrets payments/db",
        "203.0.113.9",
        "curl/8.5.0",
        "T1552.007 Unsecured Credentials: Container API (Credential Access)",
        "web/quiet",
        "web/rw-00000000000000a1",
    ):
        assert part in text


def test_tells_what_was_read_and_what_could_not_be_seen(found, shown):
    text = Outline(page.render(found, context=shown)).words
    for part in (
        "Read 1,000 audit records, used 990, skipped 10 (seen before: 7, no audit record: 3)",
        "The models were warm: they know 6 identities in 4 namespaces.",
        "12.2 nats",
        "5 a day",
        "2 weak candidates",
        "No request bodies were seen.",
        "3 records could not be used (no audit record: 3).",
    ):
        assert part in text
    assert "seen before: 7)." not in text, "ordinary skips are no blind spot"


def test_says_that_models_were_silent_while_they_learn(shown):
    text = Outline(page.render([], context=msgspec.structs.replace(shown, warm=False, progress=0.4))).words
    assert "The models were still learning (40% of the learning period" in text
    assert "The models had not finished learning" in text


def test_is_a_whole_page_when_nothing_is_found(shown):
    outline = Outline(page.render([], context=shown))
    assert "Nothing stood out" in outline.words
    assert "svg" not in outline.tags


def test_is_a_whole_page_when_nothing_was_read(shown):
    nothing = msgspec.structs.replace(shown, read=0, used=0, skipped={}, first_s=None, last_s=None, blind_spots=())
    assert "No audit record was read." in Outline(page.render([], context=nothing)).words


def test_stays_small_and_quick_with_hundreds_of_detections(hundreds, shown):
    began = time.process_time()
    text = page.render(hundreds, context=shown)
    assert time.process_time() - began < 3.0
    assert len(text.encode()) < 3_000_000
    assert text.count("<section") == 500


def test_stays_bounded_when_every_text_is_as_long_as_can_be(plain, shown):
    long = "x" * 100_000
    reason = msgspec.structs.replace(plain.explanation[1], text=long, observed=long, expected=long)
    huge = msgspec.structs.replace(plain, title=long, explanation=[reason] * 8, counterfactual=long)
    assert len(page.render([huge], context=shown)) < 100_000


def test_does_not_depend_on_the_order_it_is_given(hundreds, shown):
    some = hundreds[:90]
    mixed = random.Random(7).sample(some, len(some))
    assert page.render(mixed, context=shown) == page.render(some, context=shown)


@pytest.mark.parametrize(
    ("count", "records"),
    [pytest.param(1, 50, id="few"), pytest.param(100, 12, id="many"), pytest.param(400, 3, id="hundreds")],
)
def test_shows_the_strongest_records_in_order_of_time(plain, count, records):
    item = plain.evidence[0]
    evidence = [
        msgspec.structs.replace(item, audit_id=f"audit-{number:02}", time_s=item.time_s + number, score=number % 7 / 10)
        for number in range(50)
    ]
    told = msgspec.structs.replace(plain, evidence=evidence, evidence_count=60)
    drawn = section.draw(told, section.room(count))
    shown_ids = re.findall(r"audit-\d\d", drawn)
    weakest = sorted((item.score for item in evidence), reverse=True)[records - 1]
    scores = {item.audit_id: item.score for item in evidence}
    assert len(shown_ids) == records
    assert shown_ids == sorted(shown_ids)
    assert min(scores[name] for name in shown_ids) == weakest


def test_says_where_a_page_could_not_be_written(tmp_path, found, shown):
    path = tmp_path / "nowhere" / "report.html"
    with pytest.raises(errors.BadInputError) as caught:
        page.write(path, found, context=shown)
    assert str(path) in str(caught.value)


def test_writes_utf8(tmp_path, plain, shown):
    path = tmp_path / "report.html"
    page.write(path, [msgspec.structs.replace(plain, title="Zugriff für Ünal 🦀")], context=shown)
    assert "Zugriff für Ünal 🦀" in path.read_text(encoding="utf-8")


def _luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    "scheme", [pytest.param(page_style.LIGHT, id="light"), pytest.param(page_style.DARK, id="dark")]
)
def test_every_text_is_readable_on_its_ground(scheme):
    for ink, ground in page_style.READABLE:
        bright, dim = sorted((_luminance(scheme[ink]), _luminance(scheme[ground])), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, ground)


def test_both_schemes_name_the_same_colours():
    assert set(page_style.LIGHT) == set(page_style.DARK)
    assert [name for name in page_style.LIGHT if f"var(--{name})" not in page_style.STYLE] == []
