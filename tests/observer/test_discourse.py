"""Labels, corrections, and the waits and exchanges found in drawn lessons."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observer.discourse import Correction, Discourse, Label, Wait
from observer.structure import EXCLUSIONS, find_exchanges, find_waits
from observer.timeline import Role, RoleSpan
from observer.transcript import Transcript, Utterance, Word

T, S, C, G, M = Role.TEACHER, Role.STUDENT, Role.CHORAL, Role.GROUP, Role.MEDIA


def span(start: float, end: float, role: Role) -> RoleSpan:
    return RoleSpan(start, end, role, 0.95)


def said(
    name: str,
    role: Role,
    start: float | None = None,
    end: float | None = None,
    text: str = "……",
) -> Utterance:
    return Utterance(name, text, start, end, role=role)


def label(name: str, code: str, taxonomy: str = "question_form") -> Label:
    return Label(name, taxonomy, code, 0.9, "test")


def waits(timeline: list[RoleSpan], words: list[Utterance], *labels: Label) -> list[Wait]:
    return list(find_waits(timeline, Discourse(Transcript("zh", tuple(words)), labels)))


def test_a_correction_replaces_the_label_of_its_taxonomy_only() -> None:
    words = Transcript("zh", (said("u1", T), said("u2", T)))
    read = Discourse(words, (label("u1", "real"), label("u1", "recall", "question_demand")))
    mended = read.corrected(
        [Correction("u1", "question_form", "tag"), Correction("u2", "question_form", "real")]
    )
    assert mended.codes("question_form") == {"u1": "tag", "u2": "real"}
    assert mended.of("u1")["question_demand"].code == "recall"
    assert mended.of("u1")["question_form"].source == "teacher"
    assert mended.of("u1")["question_form"].probability == 1.0
    assert read.codes("question_form") == {"u1": "real"}


def test_words_that_run_into_the_next_stretch_do_not_hide_the_wait() -> None:
    # TTTTT____TTT   the recogniser stretches 呢 over the silence, into the next stretch
    timeline = [span(0, 5, T), span(9, 12, T)]
    words = (Word("为什么", 0.1, 4.6), Word("呢", 4.6, 9.3))
    question = Utterance("u1", "为什么呢", 0.1, 9.3, role=T, words=words)
    (wait,) = waits(timeline, [question, said("u2", T, 9.4, 12)], label("u1", "real"))
    assert (wait.start, wait.end, wait.ended_by, wait.excluded) == (5, 9, "teacher", None)


def test_a_pause_inside_the_question_is_no_wait_after_it() -> None:
    # TTTTT____T__SS   the last word is spoken after the pause
    timeline = [span(0, 5, T), span(9, 9.4, T), span(11, 13, S)]
    words = (Word("为什么", 0.1, 4.9), Word("呢", 9.0, 9.4))
    question = Utterance("u1", "为什么呢", 0.1, 9.4, role=T, words=words)
    (wait,) = waits(timeline, [question, said("u2", S, 11, 13)], label("u1", "real"))
    assert (wait.start, wait.end) == (9.4, 11)


def test_words_far_from_any_voice_are_listed_but_do_not_count() -> None:
    timeline = [span(0, 2, T), span(9, 10, S)]
    (wait,) = waits(timeline, [said("u1", T, 0, 6)], label("u1", "real"))
    assert (wait.start, wait.end, wait.excluded) == (6, 9, "bounds")


def test_two_questions_in_one_breath_share_one_wait() -> None:
    # TTTTTTTT___SS   u1 [0, 4.8] and u2 [4.8, 5.2]: only the last one is waited after
    timeline = [span(0, 5.2, T), span(8, 10, S)]
    words = [said("u1", T, 0, 4.8), said("u2", T, 4.8, 5.2), said("u3", S, 8, 10)]
    found = waits(timeline, words, label("u1", "real"), label("u2", "real"))
    assert [(w.after, w.excluded) for w in found] == [("u1", "continued"), ("u2", None)]
    assert found[1].duration == pytest.approx(2.8)


def test_a_playback_and_group_work_are_no_waits() -> None:
    # TT__MMMM  and  GGGG__TT
    played = waits([span(0, 2, T), span(4, 8, M)], [said("u1", T, 0, 2)], label("u1", "real"))
    assert [w.excluded for w in played] == ["media"]
    grouped = waits([span(0, 4, G), span(6, 8, T)], [])
    assert [(w.kind, w.excluded, w.after) for w in grouped] == [(2, "group", "t0")]


def test_a_crowd_that_talks_on_over_the_teacher_is_followed_from_what_it_said_before() -> None:
    # GGGGGGGGGG
    # ____TT____   u1 at 1–3, u2 at 6–9: the wait at 4 follows u1
    timeline = [span(0, 10, G), span(4, 6, T)]
    words = [said("u1", G, 1, 3), said("t", T, 4, 6), said("u2", G, 6, 9)]
    (wait,) = waits(timeline, words)
    assert (wait.start, wait.after, wait.excluded) == (4, "u1", "overlap")


def test_a_murmur_within_the_teachers_talk_starts_no_second_wait() -> None:
    # TTTTTTTTTT__TT
    # ___S______
    timeline = [span(0, 10, T), span(3, 4, S), span(12, 14, T)]
    assert waits(timeline, []) == []


def test_a_question_at_the_very_end_has_no_wait() -> None:
    assert waits([span(0, 2, T)], [said("u1", T, 0, 2)], label("u1", "real")) == []


def test_without_a_recording_the_times_of_the_utterances_count() -> None:
    words = [said("u1", T, 0, 2), said("u2", S, 4.5, 6), said("u3", T, 7, 8)]
    found = waits([], words, label("u1", "real"))
    assert [(w.kind, w.duration, w.after, w.before) for w in found] == [
        (1, 2.5, "u1", "u2"),
        (2, 1.0, "u2", "u3"),
    ]


def test_every_reason_is_explained_in_both_languages() -> None:
    assert set(EXCLUSIONS) >= {"tag", "self", "manage", "overlap", "media", "long", "bounds"}
    for reason in EXCLUSIONS.values():
        assert reason.en.isascii()
        assert not reason.zh.isascii()


voices = st.lists(
    st.tuples(st.floats(0, 50), st.floats(0.2, 8), st.sampled_from([T, S, C, G, M])), max_size=12
)


def test_a_student_who_talks_on_across_the_teacher_is_not_a_silence() -> None:
    """0   1   2   3   4
    S1  ████████████
    T       ████    ████
    S2      ██████              S1 is heard until the teacher starts: no wait from S2's end."""
    timeline = [span(0, 3, S), span(1, 2, T), span(1, 2.5, S), span(3, 4, T)]
    words = [said(f"u{i}", s.role, s.start, s.end) for i, s in enumerate(timeline)]
    counted = [w for w in waits(timeline, words) if w.excluded is None]
    assert [(w.start, w.end) for w in counted] == [(3, 3)]


@settings(max_examples=60)
@given(voices)
def test_waits_are_never_negative_and_always_silent(drawn: list[tuple[float, float, Role]]) -> None:
    timeline = sorted((span(a, a + d, r) for a, d, r in drawn), key=lambda s: s.start)
    words = [said(f"u{i}", s.role, s.start, s.end) for i, s in enumerate(timeline)]
    labels = [label(u.id, "real") for u in words if u.role is T]
    found = waits(timeline, words, *labels)
    assert [w.id for w in found] == [f"w{i}" for i in range(1, len(found) + 1)]
    for wait in found:
        assert wait.duration >= 0
        assert wait.excluded is None or wait.excluded in EXCLUSIONS
        if wait.excluded is None:
            heard = [s for s in timeline if s.span.overlap(wait.span) > 1e-5]
            assert not heard, "a wait that counts has nobody speaking in it"


# -- exchanges: a lesson as letters ------------------------------------------------------

MOVES = {
    "Q": (T, "real", None, None),
    "N": (T, "real", "manage", None),
    "+": (T, "none", None, "praise"),
    "-": (T, "none", None, "negate"),
    "?": (T, "real", None, "probe"),
    "t": (T, "tag", None, None),
    ".": (T, "none", None, None),  # telling
    "n": (T, "none", None, None),  # a name: calling on somebody
    "s": (S, None, None, None),
    "c": (C, None, None, None),
    "g": (G, None, None, None),
}


WORDS = {".": "请大家看黑板上的图。", "n": "小红。"}


def exchanges(moves: str, timeline: tuple[RoleSpan, ...] = ()) -> list[tuple[str, int, int]]:
    """(kind, utterances, rounds) of a lesson written as letters of `MOVES`."""
    words, labels = [], []
    for i, letter in enumerate(moves):
        role, form, demand, feedback = MOVES[letter]
        words.append(said(f"u{i}", role, 10.0 * i, 10.0 * i + 2, WORDS.get(letter, "……")))
        named = {"question_form": form, "question_demand": demand, "feedback": feedback}
        labels += [label(f"u{i}", code, name) for name, code in named.items() if code]
    discourse = Discourse(Transcript("zh", tuple(words)), tuple(labels))
    return [(x.kind, len(x.utterances), x.rounds) for x in find_exchanges(discourse, timeline)]


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ("Qs+", [("IRE", 3, 1)]),
        ("Qs", [("IR", 2, 1)]),
        ("Qc+", [("IRE", 3, 1)]),
        ("Qss+", [("IRE", 4, 1)]),  # two students in a row answer in one round
        ("QsNs+", [("IRE", 5, 2)]),  # another student is called up: a second round
        ("Qs?s+", [("IRIRE", 5, 2)]),
        ("Qs+?s+", [("IRIRE", 6, 2)]),  # asked on after the evaluation
        ("Qs?.", [("IR", 2, 1)]),  # asked on, not answered
        ("Qgs+", [("IDRE", 4, 1)]),
        ("QQs", [("IR", 2, 1)]),  # the second question replaces the first
        ("?s+", [("IRE", 3, 1)]),  # nothing to probe yet: it opens
        ("Q...s", [("IR", 5, 1)]),
        ("Q....s", []),  # four utterances of telling end it
        ("Qs....+", [("IR", 2, 1)]),
        ("Qs-s+", [("IRE", 5, 2)]),  # sent back to think again
        ("Qs+Ns", [("IRE", 5, 2)]),  # “who else?”
        ("Qs.s", [("IR", 4, 2)]),
        ("Qs..s", [("IR", 2, 1)]),  # the teacher had moved on
        ("Qs.Ns", [("IR", 2, 1)]),  # a managing question of its own
        ("Qs+s", [("IRE", 3, 1)]),  # a student speaks unasked
        ("Qs+.c", [("IRE", 3, 1)]),  # told to read aloud, the class answers no question
        ("Qs+ns+", [("IRE", 6, 2)]),  # “good. – Xiao Hong.”: another is called on
        ("Qs+Qs+", [("IRE", 3, 1), ("IRE", 3, 1)]),  # a new question, not asked on
        ("Qs-s+?s+Qs+", [("IRIRE", 8, 3), ("IRE", 3, 1)]),
        ("Qstc", [("IR", 2, 1)]),
        ("Qtc", []),  # the class answers the tag, not the question
        ("Qts+", [("IRE", 4, 1)]),
        ("Ns", []),  # a managing question opens nothing
        ("sc+.", []),
    ],
)
def test_exchanges_in_letters(moves: str, expected: list[tuple[str, int, int]]) -> None:
    assert exchanges(moves) == expected


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        ("内角和是多少度？", [("IRE", 6)]),  # all 7 characters stand in the first question
        ("多少度？", [("IRE", 6)]),  # elliptical
        ("这幅图里有几条直线？", [("IRE", 3), ("IRE", 3)]),  # about something else
    ],
)
def test_the_same_question_again_after_a_correction_stays(
    again: str, expected: list[tuple[str, int]]
) -> None:
    spoken = (
        said("u1", T, text="三角形的内角和是多少度？"),
        said("u2", S, text="三百六十度。"),
        said("u3", T, text="不对。"),
        said("u4", T, text=again),
        said("u5", S, text="一百八十度。"),
        said("u6", T, text="对。"),
    )
    labels = (
        label("u1", "real"),
        label("u3", "negate", "feedback"),
        label("u4", "real"),
        label("u6", "praise", "feedback"),
    )
    found = find_exchanges(Discourse(Transcript("zh", spoken), labels))
    assert [(x.kind, len(x.utterances)) for x in found] == expected


def test_a_sentence_between_the_correction_and_the_question_changes_nothing() -> None:
    spoken = (
        said("u1", T, text="How many quarters are there in the whole cake?"),
        said("u2", S, text="Three."),
        said("u3", T, text="No, not quite."),
        said("u4", T, text="Count them again."),
        said("u5", T, text="How many are there?"),
        said("u6", S, text="Four."),
        said("u7", T, text="Well done."),
    )
    labels = (
        label("u1", "real"),
        label("u3", "negate", "feedback"),
        label("u5", "real"),
        label("u7", "praise", "feedback"),
    )
    (found,) = find_exchanges(Discourse(Transcript("en", spoken), labels))
    assert (found.kind, found.rounds, len(found.utterances)) == ("IRE", 2, 7)


def test_group_talk_on_the_timeline_is_a_discussion() -> None:
    # the question ends at 2, the answer starts at 10
    assert exchanges("Qs+", (span(3, 9, G),)) == [("IDRE", 3, 1)]
    assert exchanges("Qs+", (span(3, 6, G),)) == [("IRE", 3, 1)]
