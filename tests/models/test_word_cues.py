"""The cues of role_cues.toml: what they find, for whom they speak, in whole lessons."""

import tomllib
from importlib.resources import files

import pytest

import models
from models.role_cues import WordCues, features, read, spoken
from observer.engines import Swap
from observer.role_cues import join_cues
from observer.timeline import Role, RoleSpan
from observer.transcript import Transcript, Utterance

CUES = tomllib.loads(files("models").joinpath("role_cues.toml").read_text("utf-8"))["cue"]
MEASURED = tomllib.loads(files("models").joinpath("role_cues.measured.toml").read_text("utf-8"))

ENGLISH = """
T Good morning, everybody. Today we are going to look at how seeds travel.
T Who can tell me what a seed is made of?
S A shell and some food.
T Very good. So what does the food do?
S It helps it grow.
T Okay, and why would a plant send its seeds so far away?
S Because they take each other's light.
T Excellent. Does anyone have another idea?
S I think maybe the animals carry them.
T You said animals. Can you explain how they do that?
S Um, they eat it and walk.
T Great. Open your books, please, and write that down.
S Miss, I don't have a pencil.
T Everyone, look at the board. How many wings does this seed have?
S Two.
T Two, right. Now talk to your partner about it.
S I got a different one.
T Thank you. What do you notice about this one?
S It spins.
T Exactly, it spins. Let's remember that for tomorrow.
"""
MANDARIN = """
师 同学们好，今天我们来研究三角形的内角和。
师 谁能先说一说，什么叫内角？
生 就是三角形里面的三个角。
师 很好，请坐。那三个内角加起来是多少度呢？
生 一百八十度。
师 你是怎么知道的？说说你的理由。
生 因为我用量角器量过。
师 大家同意她的想法吗？
生 我不同意，钝角三角形不一定。
师 非常好。下面请四人小组合作，想办法验证。
生 我们组是撕下来拼的。
师 这个办法真巧妙！还有不同的方法吗？
生 我觉得可以折。
师 你来前面折给大家看一看。
生 老师，我的纸不够。
师 好，用这一张。同学们看，他把三个角折到了哪里？
生 一条直线上。
师 说得很清楚。请把结论写在练习本上。
生 写好了。
师 如果是四边形呢？谁来猜一猜？
生 三百六十度。
"""
LESSONS = {"en": ENGLISH, "zh": MANDARIN}


def lesson(text: str, *, doubt: float, swapped: bool) -> tuple[list[RoleSpan], Transcript]:
    """Each line 4 s, then a rest of 1 s; the sound tells voices apart with p = .95."""
    spans, utterances = [], []
    for i, line in enumerate(text.strip().splitlines()):
        who, _, words = line.partition(" ")
        teacher = (who in "T师") != swapped
        probability = 0.95 * (1 - doubt) + 0.05 * doubt
        spans.append(
            RoleSpan(5.0 * i, 5.0 * i + 4, (Role.STUDENT, Role.TEACHER)[teacher], probability)
        )
        utterances.append(Utterance(f"u{i}", words, 5.0 * i, 5.0 * i + 4))
    return spans, Transcript("und", tuple(utterances))


def test_every_cue_is_found_in_its_examples() -> None:
    for cue in CUES:
        assert len(cue["example"]) >= 2
        for example in cue["example"]:
            assert cue["name"] in read(example).cues, (cue["name"], example)


def test_every_weight_belongs_to_a_feature_and_every_cue_has_a_weight() -> None:
    names = {cue["name"] for cue in CUES}
    for name in MEASURED["weight"]:
        root = name.removeprefix("before.").removeprefix("after.")
        known = names | {"edge", "length", "in_this", "holds_this"}
        assert root in known or root.startswith(("length.", "after_question.", "evaluated."))
    assert names <= set(MEASURED["weight"])


@pytest.mark.parametrize("language", LESSONS)
def test_teachers_sound_like_teachers(language: str) -> None:
    _, transcript = lesson(LESSONS[language], doubt=0, swapped=False)
    evidence = WordCues().evidence(transcript)
    roles = [line[0] in "T师" for line in LESSONS[language].strip().splitlines()]
    right = [(x or 0) > 0 for x in evidence.log_odds]
    assert sum(a == b for a, b in zip(right, roles, strict=True)) >= 0.8 * len(roles)


@pytest.mark.parametrize("language", LESSONS)
def test_a_whole_lesson_the_wrong_way_round_is_mended(language: str) -> None:
    text = LESSONS[language]
    truth, _ = lesson(text, doubt=0.3, swapped=False)
    spans, transcript = lesson(text, doubt=0.3, swapped=True)
    found = join_cues(spans, Swap(0.3), transcript, WordCues().evidence(transcript))
    wrong = [a for a, b in zip(found.timeline, truth, strict=True) if a.role is not b.role]
    assert len(wrong) <= 1
    assert found.swap.probability < 0.1
    assert any("exchanged" in note.en for note in found.notes)


@pytest.mark.parametrize("language", LESSONS)
def test_twenty_sentences_against_a_sure_sound_are_a_doubt(language: str) -> None:
    spans, transcript = lesson(LESSONS[language], doubt=0.0, swapped=True)
    found = join_cues(spans, Swap(), transcript, WordCues().evidence(transcript))
    assert found.swap.probability > 0.3
    assert found.notes


@pytest.mark.parametrize("language", LESSONS)
def test_a_lesson_the_right_way_round_stays_and_is_surer(language: str) -> None:
    spans, transcript = lesson(LESSONS[language], doubt=0.3, swapped=False)
    found = join_cues(spans, Swap(0.3), transcript, WordCues().evidence(transcript))
    assert [s.role for s in found.timeline] == [s.role for s in spans]
    assert found.swap.probability < 0.1
    assert any("agrees" in note.en for note in found.notes)


def test_poor_words_weigh_less() -> None:
    spans, transcript = lesson(ENGLISH, doubt=0.3, swapped=False)
    cues = WordCues()
    good, poor = (
        join_cues(spans, Swap(0.3), transcript, cues.evidence(transcript, low_accuracy=low))
        for low in (False, True)
    )
    assert good.swap.probability < poor.swap.probability < 0.3


def test_other_languages_and_empty_words_say_nothing() -> None:
    assert spoken(["これは", "123"]) is None
    texts = ("…", "")
    empty = Transcript("en", tuple(Utterance(f"u{i}", t) for i, t in enumerate(texts)))
    assert WordCues().evidence(empty).log_odds == (None, None)
    assert features(["?", "Four."])[0] == ()


def test_punctuation_does_not_matter_much() -> None:
    """Recognisers leave it out: the bare text gives nearly the same evidence."""
    _, written = lesson(ENGLISH, doubt=0, swapped=False)
    bare = written.with_utterances(
        [Utterance(u.id, u.text.lower().replace(".", "").replace("?", "")) for u in written]
    )
    pairs = zip(
        WordCues().evidence(written).log_odds, WordCues().evidence(bare).log_odds, strict=True
    )
    assert all(abs((a or 0) - (b or 0)) < 0.6 for a, b in pairs)


def test_the_engine_is_in_its_table() -> None:
    engine = models.load(models.ROLE_CUES, "words")
    assert (engine.name, engine.version) == ("words", MEASURED["version"])
