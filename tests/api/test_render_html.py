"""The page as text: self-contained, escaped, complete, the same every time."""

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from api.render import chart_style, drawings, render_html
from api.render.evidence import Evidence
from api.render.sections import exchange
from api.render.texts import texts
from api.render.view import split_question
from observer.discourse import Exchange
from observer.indicators import CATALOGUE
from observer.observation import Observation
from observer.quality import Finding
from observer.report import claims
from observer.timeline import Role
from observer.transcript import Utterance
from tests.observation_factory import english_lesson, mandarin_lesson, without_recording

HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> &amp; \u2028"


@pytest.fixture(scope="module")
def lesson() -> Observation:
    made = mandarin_lesson(minutes=5)
    return made.with_claims(claims(made, "zh"))


@pytest.fixture(scope="module")
def page(lesson: Observation) -> str:
    return render_html(lesson, media="lesson.mp4", embedded_audio=None, language="zh")


class _Tags(HTMLParser):
    """Collects start tags with their attributes, ids, and what is open at the end."""

    VOID = frozenset({"meta", "input", "br", "source", "link", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def read(page: str) -> _Tags:
    tags = _Tags()
    tags.feed(page)
    return tags


def test_the_markup_is_balanced_and_ids_are_unique(page: str) -> None:
    tags = read(page)
    assert tags.wrong == []
    assert tags.open == []
    ids = [a["id"] for _, a in tags.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    targets = {a["href"] for t, a in tags.tags if t == "a"}
    assert {t[1:] for t in targets if t and t.startswith("#")} <= set(ids)


def test_nothing_is_fetched(page: str) -> None:
    """No address but the recording's own: neither of a script, a style, a font nor a picture."""
    loading = [
        a.get(key)
        for tag, a in read(page).tags
        for key in ("src", "href", "poster", "srcset", "data", "action")
        if a.get(key) and tag not in ("a", "use")
    ]
    icon = [address for address in loading if (address or "").startswith("data:image/svg+xml,")]
    assert len(icon) == 1  # held by the page itself
    assert [address for address in loading if address not in icon] == ["lesson.mp4"]
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_every_script_and_style_stands_in_the_policy(page: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    allowed = policy[1].replace("&#39;", "'")
    assert "unsafe" not in allowed
    assert "default-src 'none'" in allowed
    parts = re.findall(r'<script type="module">(.*?)</script>|<style>(.*?)</style>', page, re.S)
    assert len(parts) == 5  # four modules and one style
    for module, style in parts:
        digest = hashlib.sha256((module or style).encode()).digest()
        assert f"'sha256-{base64.b64encode(digest).decode()}'" in allowed


def test_long_group_talk_does_not_drown_its_exchange(lesson: Observation) -> None:
    """Teacher, five sentences of a group, teacher: two of the five stand, and that three do not."""
    roles = [Role.TEACHER, *[Role.GROUP] * 5, Role.TEACHER]
    said = tuple(Utterance(f"g{i}", f"words {i}", i, i + 1, role=r) for i, r in enumerate(roles))
    shown = replace(lesson, transcript=lesson.transcript.with_utterances(said), labels=(), waits=())
    chain = Exchange("x1", "IDRE", tuple(u.id for u in said), 1)
    shown = replace(shown, exchanges=(chain,), claims=(), indicators=())
    text = texts("en")
    lines = [(role, words) for role, words, _ in exchange(chain, Evidence(shown, text), text).lines]
    assert [words for _, words in lines] == [
        "words 0", "words 1", "words 2", "… 3 more sentences of group talk", "words 6",
    ]  # fmt: skip


def test_no_inline_handlers_or_styles(page: str) -> None:
    for tag, attributes in read(page).tags:
        assert not any(name.startswith("on") for name in attributes), tag
        assert "style" not in attributes, tag


def test_every_claim_and_its_evidence_are_there(lesson: Observation, page: str) -> None:
    played = {a.get("data-play") for _, a in read(page).tags}
    assert lesson.claims
    for claim in lesson.claims:
        assert split_question(claim.text)[0] in page.replace("&#34;", '"')
        assert set(claim.evidence) <= played


def test_every_wait_question_and_sentence_is_listed(lesson: Observation, page: str) -> None:
    played = {a.get("data-play") for _, a in read(page).tags}
    ids = {a.get("id") for _, a in read(page).tags}
    assert {w.id for w in lesson.waits} <= played
    assert {u.id for u in lesson.transcript} <= ids
    form = lesson.discourse.codes("question_form")
    assert {u for u, code in form.items() if code != "none"} <= played
    assert {x.id for x in lesson.exchanges} <= played


def test_every_indicator_is_in_the_table_with_value_or_reason(lesson: Observation) -> None:
    bare = without_recording(lesson)
    page = render_html(bare, media=None, embedded_audio=None, language="en")
    for figure in bare.indicators:
        assert f"<code>{figure.name}</code>" in page
        if figure.missing is not None:
            assert figure.missing.en.replace("'", "&#39;") in page


def test_every_method_is_told_in_the_language_of_the_page(lesson: Observation) -> None:
    """The words of the page's language, with the formula of the figure beside them."""
    for language in ("zh", "en"):
        shown = html.unescape(
            render_html(lesson, media=None, embedded_audio=None, language=language)
        )
        for item in lesson.indicators:
            entry = CATALOGUE[item.name]
            here, other = entry.method_zh, entry.method_en
            if language == "en":
                here, other = other, here
            assert f"<p>{here}</p>" in shown, item.name
            assert other not in shown, item.name
            assert f"<code>{item.method}</code>" in shown, item.name


def test_a_chinese_page_holds_no_english_sentence(page: str) -> None:
    """Three Latin words in a row are a sentence, outside code, names of software and scripts."""
    body = page[page.index("<body") :]
    body = re.sub(r"<(script|style|code|svg|dl)\b.*?</\1>", " ", body, flags=re.DOTALL)
    text = html.unescape(re.sub(r"<[^>]+>", "\n", body))
    assert re.findall(r"\b[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}\b", text) == []


def test_hostile_words_stay_words(lesson: Observation) -> None:
    first = lesson.transcript.utterances[0]
    words = [replace(u, text=HOSTILE) for u in lesson.transcript]
    assert lesson.recording is not None
    assert lesson.quality is not None
    evil = replace(
        lesson,
        recording=replace(lesson.recording, name=HOSTILE + ".mp4"),
        transcript=lesson.transcript.with_utterances(words),
        provenance=replace(lesson.provenance, notes=(HOSTILE,)),
        quality=replace(lesson.quality, findings=(Finding("x", HOSTILE, HOSTILE),)),
    )
    page = render_html(evil, media="x.mp4", embedded_audio=None, language="zh")
    tags = read(page)
    assert tags.wrong == []
    assert tags.open == []
    assert not any(t == "img" for t, _ in tags.tags)
    assert "<!--" not in page
    assert page.count("<script") == len([t for t, _ in tags.tags if t == "script"]) == 7
    assert f'id="{first.id}"' in page


def test_json_in_the_page_cannot_end_its_element(page: str) -> None:
    blocks = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.S)
    assert len(blocks) == 2
    for block in blocks:
        assert "<" not in block
        json.loads(block)


def test_the_same_input_gives_the_same_bytes(
    lesson: Observation, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawings, "svg", chart_style.svg)  # drawn anew
    assert render_html(lesson, media="lesson.mp4", embedded_audio=None, language="zh") == page


def test_embedded_sound_is_a_data_address(lesson: Observation) -> None:
    page = render_html(lesson, media=None, embedded_audio=b"OggS1234", language="zh")
    sources = [a["src"] for t, a in read(page).tags if t == "source"]
    assert sources == ["data:audio/ogg;base64," + base64.b64encode(b"OggS1234").decode()]
    assert any(t == "audio" for t, _ in read(page).tags)


def test_a_recording_beside_the_page_comes_before_the_embedded_sound(lesson: Observation) -> None:
    page = render_html(lesson, media="a%20b.mp4", embedded_audio=b"OggS", language="zh")
    sources = [a["src"] or "" for t, a in read(page).tags if t == "source"]
    assert sources[0] == "a%20b.mp4"
    assert sources[1].startswith("data:audio/ogg")
    assert any(t == "video" and a["data-name"] == "a b.mp4" for t, a in read(page).tags)


def test_without_sound_the_play_buttons_are_off_and_say_why(lesson: Observation) -> None:
    page = render_html(lesson, media=None, embedded_audio=None, language="en")
    buttons = [a for t, a in read(page).tags if t == "button" and "data-play" in a]
    assert buttons
    assert all("disabled" in a and "no recording" in (a["title"] or "") for a in buttons)
    assert not any(t in ("audio", "video") for t, _ in read(page).tags)


def test_a_transcript_alone_has_no_timeline_and_still_a_page(lesson: Observation) -> None:
    bare = without_recording(lesson)
    for language in ("zh", "en"):
        told = bare.with_claims(claims(bare, language))
        page = render_html(told, media=None, embedded_audio=None, language=language)
        assert 'class="score-row"' not in page
        assert read(page).wrong == []


def test_claims_follow_the_language_of_the_page(lesson: Observation) -> None:
    """The observation was told in Chinese; an English page tells the same claims in English."""
    page = render_html(lesson, media=None, embedded_audio=None, language="en")
    english = claims(lesson, "en")
    assert split_question(english[0].text)[0].replace("'", "&#39;") in page
    assert lesson.claims[0].text.split("。")[0] not in page


def test_speaker_labels_never_reach_the_page(lesson: Observation) -> None:
    """Imported labels may be names of children."""
    named = [replace(u, speaker="欧阳朵朵") for u in lesson.transcript]
    shown = replace(lesson, transcript=lesson.transcript.with_utterances(named))
    assert "欧阳朵朵" not in render_html(shown, media=None, embedded_audio=None, language="zh")


def test_low_accuracy_words_are_warned_about(lesson: Observation) -> None:
    engines = tuple(
        replace(e, name="pocketsphinx") if e.kind == "transcriber" else e
        for e in lesson.provenance.engines
    )
    warned = replace(lesson, provenance=replace(lesson.provenance, engines=engines))
    assert "low accuracy" in render_html(warned, media=None, embedded_audio=None, language="en")
    assert "low accuracy" not in render_html(lesson, media=None, embedded_audio=None, language="en")


def test_no_date_and_no_place_of_the_machine(page: str) -> None:
    assert not re.search(r"20\d\d-\d\d-\d\d|/home/|/work/|/tmp/", page)


def test_an_empty_observation_still_makes_a_page() -> None:
    made = english_lesson()
    empty = replace(
        made,
        recording=None,
        quality=None,
        timeline=(),
        labels=(),
        exchanges=(),
        waits=(),
        indicators=(),
        transcript=made.transcript.with_utterances(()),
    )
    page = render_html(empty, media=None, embedded_audio=None, language="en")
    assert read(page).wrong == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("占七成。这样吗？", ("占七成。", "这样吗？")),
        ("It took 1.5 s. Is that so?", ("It took 1.5 s.", "Is that so?")),
        ("占七成。", ("占七成。", "")),
        ("Is that so?", ("Is that so?", "")),
    ],
)
def test_the_question_is_set_apart(text: str, parts: tuple[str, str]) -> None:
    assert split_question(text) == parts


def test_fias_stands_as_a_table_of_a_hundred_cells_with_its_sums() -> None:
    """The matrix is a table: what is shaded is said in numbers, row by row, with its sum."""
    lesson = mandarin_lesson(minutes=6)
    page = render_html(lesson, media=None, embedded_audio=None, language="zh")
    matrix = page.split('<table class="matrix">')[1].split("</table>")[0]
    assert len(re.findall(r'<td class="s[0-6]', matrix)) == 100
    sums = [int(n) for n in re.findall(r'<td class="sum">(\d+)</td>', matrix)]
    assert len(sums) == 10
    count = next(i for i in lesson.indicators if i.name == "fias_n8")
    assert sums[7] == count.value
    assert "1970" in page
    assert "第 7 类（批评）要听语气，没有编码" in page


def test_carried_over_and_unclear_readings_are_marked() -> None:
    lesson = mandarin_lesson(minutes=6)
    unclear = {x.utterance for x in lesson.labels if x.unclear}
    assert unclear
    for language, words in (("zh", "未在普通话课堂验证"), ("en", "Unvalidated for Mandarin")):
        page = render_html(lesson, media=None, embedded_audio=None, language=language)
        assert words in page
        listed = page.split('<section id="unclear"')[1].split("</section>")[0]
        assert listed.count("<li>") == len(unclear)
