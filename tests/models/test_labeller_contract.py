"""What every Labeller in the table must keep, whatever reads the words."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models
from observer.engines import Labeller
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

MANDARIN = [
    (Role.TEACHER, "我们先看第一幅图。"),
    (Role.TEACHER, "图上的船为什么会浮起来？"),
    (Role.STUDENT, "因为水有浮力。"),
    (Role.TEACHER, "很好，水有浮力，对不对？"),
    (Role.CHORAL, "对"),
    (None, "那铁块呢"),
    (Role.STUDENT, "老师，铁块怎么沉下去了？"),
    (Role.MEDIA, "这是什么？"),
]
ENGLISH = [
    (Role.TEACHER, "Look at the first picture."),
    (Role.TEACHER, "Why does the boat float?"),
    (Role.STUDENT, "Because water pushes it."),
    (Role.TEACHER, "Very good, water pushes it, right?"),
    (None, "and the iron"),
    (Role.STUDENT, "Why does iron sink?"),
]
HOSTILE = [
    "",
    "   ",
    "？？？",
    "…",
    "🙂🙂",
    "什么🙂吗",
    "什" * 10_000,
    "是不是" * 3_400,
    "what is " * 1_250,
    "a" * 10_000,
    "那个word怎么spell？",
    "\x00\u202e\ufeff什么",
    "İİİ what is it?",
    "12345",
    "ＡＢＣ是什么",
]


def transcript(language: str, spoken: list[tuple[Role | None, str]]) -> Transcript:
    utterances = tuple(Utterance(f"u{i}", text, role=role) for i, (role, text) in enumerate(spoken))
    return Transcript(language, utterances)


@pytest.fixture(scope="module", params=sorted(models.LABELLERS))
def labeller(request: pytest.FixtureRequest) -> Labeller:
    return models.load(models.LABELLERS, request.param)


def check(labeller: Labeller, spoken: Transcript) -> int:
    """Assert the contract; how many labels there were."""
    labels = labeller.label(spoken)
    place = {u.id: i for i, u in enumerate(spoken)}
    keys = [(x.utterance, x.taxonomy) for x in labels]
    assert len(set(keys)) == len(keys), "two labels for one utterance and taxonomy"
    order = [place[x.utterance] for x in labels]
    assert order == sorted(order), "labels out of the order of the utterances"
    for label in labels:
        assert label.code in {c.code for c in TAXONOMIES[label.taxonomy].codes}
        assert math.isfinite(label.probability)
        assert 0 <= label.probability <= 1
        assert label.source
    return len(labels)


@pytest.mark.parametrize(("language", "spoken"), [("zh", MANDARIN), ("en", ENGLISH)])
def test_labels_keep_the_contract(
    labeller: Labeller, language: str, spoken: list[tuple[Role | None, str]]
) -> None:
    assert check(labeller, transcript(language, spoken)) > 0


@pytest.mark.parametrize("language", ["zh", "en", "und"])
def test_bad_input_gives_labels_or_none_but_no_error(labeller: Labeller, language: str) -> None:
    check(labeller, transcript(language, [(Role.TEACHER, text) for text in HOSTILE]))


def test_nothing_to_read_gives_no_label(labeller: Labeller) -> None:
    assert labeller.label(Transcript("zh")) == []
    empty = transcript("zh", [(Role.TEACHER, ""), (Role.STUDENT, "？"), (Role.SILENCE, "什么")])
    assert labeller.label(empty) == []


def test_an_unknown_language_gives_no_label(labeller: Labeller) -> None:
    assert labeller.label(transcript("ja", [(Role.TEACHER, "これは何ですか")])) == []


def test_same_input_same_labels_in_several_threads(labeller: Labeller) -> None:
    spoken = transcript("zh", MANDARIN * 10)
    distinct = tuple(Utterance(f"{i}", u.text, role=u.role) for i, u in enumerate(spoken))
    spoken = spoken.with_utterances(distinct)
    once = labeller.label(spoken)
    with ThreadPoolExecutor(4) as pool:
        assert all(again == once for again in pool.map(labeller.label, [spoken] * 8))


def test_progress_rises_to_one(labeller: Labeller) -> None:
    told: list[float] = []
    labeller.label(transcript("zh", MANDARIN), told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*Role, None]),
            st.text(
                st.sampled_from("什么吗呢是不对？，。你说一下why what?. right 🙂多少"), max_size=30
            ),
        ),
        max_size=8,
    ),
    st.sampled_from(["zh", "en", "und"]),
)
def test_any_talk_keeps_the_contract(
    labeller: Labeller, spoken: list[tuple[Role | None, str]], language: str
) -> None:
    check(labeller, transcript(language, spoken))
