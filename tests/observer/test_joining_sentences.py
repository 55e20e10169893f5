"""Whole turns cut into sentences: with words, with sound, with neither."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observer import formats
from observer.formats import ImportedTranscript
from observer.joining import merge_witnesses
from observer.segmentation import in_sentences
from observer.timeline import Role, RoleSpan, Span, total, union
from observer.transcript import Transcript, Utterance, Word

LESSONS = Path(__file__).parents[2] / "fixtures" / "lessons"
TEACHER, STUDENT, GROUP, SILENCE = Role.TEACHER, Role.STUDENT, Role.GROUP, Role.SILENCE


def imported(*utterances: Utterance, language: str = "zh") -> ImportedTranscript:
    return ImportedTranscript(Transcript(language, utterances, "import:test"), "test", (), ())


def test_an_untimed_turn_becomes_untimed_sentences_of_the_same_voice() -> None:
    turn = Utterance("a7", "请坐。谁来说？", speaker="老师", role=TEACHER, role_probability=0.9)
    found = in_sentences(imported(turn, Utterance("a8", "我。", role=STUDENT)))
    assert [(u.id, u.text) for u in found.transcript] == [
        ("u1", "请坐。"), ("u2", "谁来说？"), ("u3", "我。"),
    ]  # fmt: skip
    for piece in found.transcript.utterances[:2]:
        assert (piece.speaker, piece.role, piece.role_probability) == ("老师", TEACHER, 0.9)
        assert piece.span is None
    assert [n.code for n in found.notes] == ["cut_into_sentences"]
    assert "2 条中有 1 条" in found.notes[0].zh


def test_nothing_to_cut_leaves_the_import_as_it_is() -> None:
    whole = imported(Utterance("a7", "请坐。", 1.0, 2.0), Utterance("a8", "好", 2.0, 3.0))
    assert in_sentences(whole, [Span(1, 3)]) == whole


def test_words_cut_exactly() -> None:
    """The file writes 12, the words say 十 二: letters are counted, the border still fits."""
    words = [("请", 1.0, 1.3), ("坐", 1.3, 1.6), ("看", 4.0, 4.4), ("十", 4.4, 4.7)]
    words += [("二", 4.7, 4.9), ("页", 4.9, 5.2)]
    turn = Utterance("u1", "请坐。看12页。", 0.9, 5.5, words=tuple(Word(*w) for w in words))
    one, two = in_sentences(imported(turn), [Span(0.9, 5.5)]).transcript
    assert (one.text, one.start, one.end, len(one.words)) == ("请坐。", 0.9, 1.6, 2)
    assert (two.text, two.start, two.end, len(two.words)) == ("看12页。", 4.0, 5.5, 4)
    assert not one.approximate
    assert not two.approximate


def test_without_a_recording_time_goes_by_length() -> None:
    """.3 + 2 × .25 = .8 s and .3 + 8 × .25 = 2.3 s, so 31 s divide into 8 and 23."""
    turn = Utterance("u1", "请坐。三角形有几条边呢？", 10.0, 41.0)
    one, two = in_sentences(imported(turn)).transcript
    assert (one.start, one.end, two.start, two.end) == (10.0, 18.0, 18.0, 41.0)
    assert one.approximate
    assert two.approximate


def test_sound_says_where_the_pause_between_two_sentences_is() -> None:
    """
    text      请坐。(2)    三角形有几条边呢？(8)
    speech     ##____________########
    s         10 11          25      29   |31: the entry's own end stays
    """
    turn = Utterance("u1", "请坐。三角形有几条边呢？", 10.0, 31.0, role=TEACHER)
    one, two = in_sentences(imported(turn), [Span(10, 11), Span(25, 29)]).transcript
    assert (one.start, one.end, two.start, two.end) == (10.0, 11.0, 25.0, 31.0)


def test_group_work_inside_a_turn_is_nobodys_sentence() -> None:
    """“Discuss.” – twenty seconds of babble – “Stop, look here.” is one turn on paper."""
    turn = Utterance("u1", "请小组讨论。好，停下来。", 0.0, 28.0, role=TEACHER)
    speech = [Span(0, 2), Span(3, 24), Span(26, 28)]
    timeline = [
        RoleSpan(0, 2, TEACHER, 0.9),
        RoleSpan(3, 24, GROUP, 0.9),
        RoleSpan(26, 28, TEACHER, 0.9),
    ]
    one, two = in_sentences(imported(turn), speech, timeline).transcript
    assert (one.start, one.end, two.start, two.end) == (0.0, 2.0, 26.0, 28.0)


def test_a_rough_start_anchors_the_first_sentence_only() -> None:
    """Whole seconds, ends estimated: the start stays with its sentence, the sound does the rest."""
    text = "[00:10] 师：请坐。三角形有几条边呢？\n[00:31] 生：三条边。\n"
    speech = [Span(10.4, 11.2), Span(25, 29), Span(31.3, 32.3)]
    timeline = [RoleSpan(s.start, s.end, r, 0.9) for s, r in zip(
        speech, (TEACHER, TEACHER, STUDENT), strict=True)]  # fmt: skip
    cut = in_sentences(formats.read_text(text), speech, timeline)
    assert [u.start for u in cut.transcript] == [10.0, None, 31.0]
    merged = merge_witnesses(cut, timeline, speech)
    assert [u.start for u in merged] == [10.4, 25.0, 31.3]


def long_talk(seconds: float, pause: float) -> tuple[Word, ...]:
    """Words of half a second in two runs with a pause between them."""
    count = int((seconds - pause) / 0.5)
    times = [i * 0.5 + (pause if i >= count // 2 else 0) for i in range(count)]
    return tuple(Word("好", t, t + 0.5) for t in times)


@pytest.mark.parametrize(
    ("seconds", "pause", "with_words", "pieces"),
    [(30.0, 1.0, True, 2), (30.0, 1.0, False, 1), (15.0, 1.0, True, 1), (30.0, 0.2, True, 1)],
)
def test_text_without_marks_is_cut_only_when_long_and_with_words(
    seconds: float, pause: float, with_words: bool, pieces: int
) -> None:
    words = long_talk(seconds, pause)
    turn = Utterance("u1", "好" * len(words), 0.0, words[-1].end)
    turn = Utterance("u1", turn.text, 0.0, turn.end, words=words if with_words else ())
    found = in_sentences(imported(turn)).transcript
    assert len(found) == pieces
    assert "".join(u.text for u in found) == turn.text
    if pieces == 2:
        assert found.utterances[1].start - found.utterances[0].end == pytest.approx(pause)


def test_words_of_another_wording_do_not_cut_but_stay() -> None:
    words = (Word("完全", 0.0, 1.0), Word("不同的另外一些词", 5.0, 6.0))
    turn = Utterance("u1", "好。请坐。", 0.0, 6.0, words=words)
    found = in_sentences(imported(turn), [Span(0, 1), Span(5, 6)]).transcript
    assert all(u.approximate for u in found)
    assert tuple(w for u in found for w in u.words) == words


SENTENCES = st.lists(
    st.sampled_from(["好。", "请坐。", "三角形有几条边？", "因为它有三条边。", "对！"]),
    min_size=1, max_size=6,
)  # fmt: skip
TURNS = st.lists(SENTENCES, min_size=1, max_size=6)
SPEECH = st.lists(st.tuples(st.integers(0, 590), st.integers(1, 60)), max_size=20).map(
    lambda found: union(Span(a / 10, (a + n) / 10) for a, n in found)
)


def timed(turns: list[list[str]], exact: bool) -> ImportedTranscript:
    length = 60.0 / len(turns)
    return imported(
        *(
            Utterance(f"c{i}", "".join(t), i * length, (i + 0.9) * length, approximate=not exact)
            for i, t in enumerate(turns)
        )
    )


@given(TURNS, SPEECH)
def test_sentences_stay_in_their_turn_in_order_and_give_back_the_text(
    turns: list[list[str]], speech: list[Span]
) -> None:
    given_ = timed(turns, exact=True)
    found = in_sentences(given_, speech).transcript
    assert [u.text for u in found] == [s for t in turns for s in t]
    position = 0
    for turn, parts in zip(given_.transcript, turns, strict=True):
        pieces = found.utterances[position : position + len(parts)]
        position += len(parts)
        assert (pieces[0].start, pieces[-1].end) == (turn.start, turn.end)
        assert all((a.end or 0) <= (b.start or 0) for a, b in pairwise(pieces))
        assert all(u.span is not None for u in pieces)
        assert all(u.approximate for u in pieces) or len(pieces) == 1


@given(TURNS, SPEECH)
def test_estimated_times_never_leave_a_sentence_without_a_place(
    turns: list[list[str]], speech: list[Span]
) -> None:
    timeline = [RoleSpan(s.start, s.end, TEACHER, 0.9) for s in speech]
    cut = in_sentences(timed(turns, exact=False), speech, timeline)
    merged = merge_witnesses(cut, timeline, speech)
    assert [u.text for u in merged] == [s for t in turns for s in t]
    assert merged.timed
    starts = [u.start or 0.0 for u in merged]
    assert starts == sorted(starts)


@pytest.mark.parametrize("lesson", ["zh_triangle", "en_fractions"])
def test_the_untimed_fixture_lessons_find_their_times(lesson: str) -> None:
    """Against true speech and roles: the script's own, so what is measured is the alignment."""
    truth = json.loads((LESSONS / f"{lesson}.json").read_text("utf-8"))
    spoken = [(Span(a, b), s["speaker"]) for s in truth["segments"] for a, b in s["speech"]]
    babble = [s for s in truth["segments"] if s["kind"] == "groupwork"]
    crowd = Span(min(s["start"] for s in babble), max(s["end"] for s in babble))
    timeline = [
        *(RoleSpan(s.start, s.end, TEACHER if who == "T" else STUDENT, 0.95)
          for s, who in spoken if not crowd.overlap(s)),
        RoleSpan(crowd.start, crowd.end, GROUP, 0.9),
    ]  # fmt: skip
    speech = union(s for s, _ in spoken)
    cut = in_sentences(formats.read(LESSONS / f"{lesson}.txt"), speech, timeline)
    merged = merge_witnesses(cut, timeline, speech)
    starts = {u.text: u.start for u in merged}
    once = [
        s for s in truth["segments"]
        if s["utterance"] and [u.text for u in merged].count(s["text"]) == 1
        and s["speaker"] == "T"
    ]  # fmt: skip
    assert len(once) > 20
    errors = sorted(abs(starts[s["text"]] - s["start"]) for s in once)
    assert errors[len(errors) // 2] < 0.05
    assert errors[int(0.9 * len(errors))] < 0.15
    assert total(u.span for u in merged if u.span) < total(speech)
