"""Words and roles: splitting at role changes, two witnesses, and a timeline from a transcript."""

import pytest

from observer import formats
from observer.agreement import witness_agreement
from observer.joining import merge_witnesses, timeline_from, with_roles
from observer.timeline import Role, RoleSpan
from observer.transcript import Transcript, Utterance, Word

TEACHER, STUDENT, CHORAL, SILENCE = Role.TEACHER, Role.STUDENT, Role.CHORAL, Role.SILENCE


def recognised(text: str, *words: tuple[str, float, float]) -> Transcript:
    timed = tuple(Word(*w) for w in words)
    return Transcript("zh", (Utterance("u1", text, words[0][1], words[-1][2], words=timed),))


def test_an_utterance_is_split_at_the_change_of_role() -> None:
    """
    words     为什么？   因为  冷
    s         0     1    1.2  1.8 2.4
    timeline  teacher(.9)|student(.8)
    """
    found = with_roles(
        recognised("为什么？因为冷。", ("为什么", 0, 1), ("因为", 1.2, 1.8), ("冷", 1.8, 2.4)),
        [RoleSpan(0, 1.1, TEACHER, 0.9), RoleSpan(1.1, 3, STUDENT, 0.8)],
    )
    one, two = found.utterances
    assert (one.id, one.text, one.role, one.start, one.end) == ("u1", "为什么？", TEACHER, 0, 1)
    assert (two.id, two.text, two.role, two.start, two.end) == ("u2", "因为冷。", STUDENT, 1.2, 2.4)
    assert (one.role_probability, two.role_probability) == (0.9, 0.8)


def test_probability_is_the_mean_over_the_stretch() -> None:
    """2 s: 1 s teacher at .9, 1 s student at .6 → P(teacher) = (.9 + .4)/2 = .65."""
    one = Transcript("en", (Utterance("u1", "hello there", 0.0, 2.0),))
    found = with_roles(one, [RoleSpan(0, 1, TEACHER, 0.9), RoleSpan(1, 2, STUDENT, 0.6)])
    assert found.utterances[0].role is TEACHER
    assert found.utterances[0].role_probability == 0.65


def test_a_blip_does_not_split() -> None:
    """A student for .2 s inside the teacher's sentence is below what voices can tell."""
    words = [(c, i * 0.5, i * 0.5 + 0.5) for i, c in enumerate("今天我们上课")]
    words[3] = ("们", 1.5, 1.7)
    found = with_roles(
        recognised("今天我们上课", *words),
        [
            RoleSpan(0, 1.5, TEACHER, 0.9),
            RoleSpan(1.5, 1.7, STUDENT, 0.9),
            RoleSpan(1.7, 3, TEACHER, 0.9),
        ],
    )
    assert [(u.text, u.role) for u in found] == [("今天我们上课", TEACHER)]


def test_words_in_silence_take_the_nearest_voice_with_less_trust() -> None:
    """.5 + (.9 − .5) × .5 = .7; farther than 1 s there is no role."""
    one = Transcript("zh", (Utterance("u1", "嗯", 5.0, 5.2), Utterance("u2", "啊", 9.0, 9.2)))
    timeline = [RoleSpan(0, 4.5, TEACHER, 0.9), RoleSpan(4.5, 12, SILENCE, 0.9)]
    near, far = with_roles(one, timeline).utterances
    assert (near.role, near.role_probability) == (TEACHER, 0.7)
    assert (far.role, far.role_probability) == (None, None)


def test_choral_talk_and_overlap() -> None:
    one = Transcript("zh", (Utterance("u1", "一百八十度", 1.0, 3.0),))
    timeline = [RoleSpan(0.9, 3.0, CHORAL, 0.8), RoleSpan(2.5, 6, TEACHER, 0.9)]
    assert with_roles(one, timeline).utterances[0].role is CHORAL


def test_text_that_does_not_hold_its_words_is_rebuilt_from_them() -> None:
    found = with_roles(
        recognised("完全不同的写法", ("one", 0, 1), ("two", 1, 2), ("three", 2, 3)),
        [RoleSpan(0, 2, TEACHER, 0.9), RoleSpan(2, 3, STUDENT, 0.9)],
    )
    assert [u.text for u in found] == ["one two", "three"]


def test_untimed_utterances_stay_as_they_are() -> None:
    one = Transcript("zh", (Utterance("u1", "好"),))
    assert with_roles(one, [RoleSpan(0, 1, TEACHER, 0.9)]).utterances == one.utterances


DIALOGUE = "师：什么是内角？请一位同学来说。\n生：三角形里面的角。\n师：很好，请坐下。\n"
HEARD = [
    RoleSpan(0, 2, SILENCE, 0.9),
    RoleSpan(2, 6, TEACHER, 0.9),
    RoleSpan(6, 8, SILENCE, 0.9),
    RoleSpan(8, 10.5, STUDENT, 0.8),
    RoleSpan(11, 13, TEACHER, 0.9),
]


def test_untimed_transcript_takes_its_times_from_the_sound() -> None:
    merged = merge_witnesses(formats.read_text(DIALOGUE), HEARD)
    assert [(u.start, u.end) for u in merged] == [(2, 6), (8, 10.5), (11, 13)]
    assert [u.role for u in merged] == [TEACHER, STUDENT, TEACHER]
    assert all(u.approximate and u.role_probability is None for u in merged)


def test_declared_roles_win_and_the_agreement_is_told() -> None:
    """The label gives 2–6 to a student, the sound (p = .9) to the teacher.

    4 s contradict, 2 s agree (11–13, teacher both): share = 2 / 6.
    """
    labelled = Transcript(
        "zh",
        (
            Utterance("u1", "甲", 2.0, 6.0, role=STUDENT),
            Utterance("u2", "乙", 11.0, 13.0, role=TEACHER),
        ),
    )
    merged = merge_witnesses(labelled, HEARD)
    assert [u.role for u in merged] == [STUDENT, TEACHER]
    agreement = witness_agreement(labelled, HEARD)
    assert agreement.share == pytest.approx(2 / 6)
    assert agreement.seconds == pytest.approx(6.0)
    assert agreement.student_as_teacher == pytest.approx(4.0)
    assert agreement.teacher_as_student == 0.0
    assert agreement.independent


def test_agreement_of_an_untimed_transcript_does_not_use_its_roles() -> None:
    agreement = witness_agreement(formats.read_text(DIALOGUE), HEARD)
    assert agreement.share is not None
    assert agreement.share > 0.9
    assert witness_agreement(Transcript("zh"), HEARD).share is None


def test_missing_roles_come_from_the_sound() -> None:
    plain = Transcript("zh", (Utterance("u1", "甲", 2.0, 6.0), Utterance("u2", "乙", 8.0, 10.0)))
    merged = merge_witnesses(plain, HEARD)
    assert [(u.role, u.role_probability) for u in merged] == [(TEACHER, 0.9), (STUDENT, 0.8)]


def test_a_guess_gives_way_to_surer_sound_and_grows_where_both_agree() -> None:
    guessed = Transcript(
        "zh",
        (
            Utterance("u1", "甲", 2.0, 6.0, role=STUDENT, role_probability=0.75),
            Utterance("u2", "乙", 8.0, 10.5, role=STUDENT, role_probability=0.75),
            Utterance("u3", "丙", 11.0, 13.0, role=STUDENT, role_probability=0.95),
        ),
    )
    merged = merge_witnesses(guessed, HEARD).utterances
    assert (merged[0].role, merged[0].role_probability) == (TEACHER, 0.9)
    assert (merged[1].role, merged[1].role_probability) == (STUDENT, 0.8)
    assert (merged[2].role, merged[2].role_probability) == (STUDENT, 0.95)


def test_a_guess_that_the_sound_contradicts_is_turned_round_as_a_whole() -> None:
    """30 s, of which the sound gives .9 to the other side: all guesses change, p = .9."""
    guessed = Transcript(
        "zh",
        (
            Utterance("u1", "甲", 0.0, 20.0, role=STUDENT, role_probability=0.97),
            Utterance("u2", "乙", 20.0, 30.0, role=TEACHER, role_probability=0.97),
        ),
    )
    merged = merge_witnesses(
        guessed, [RoleSpan(0, 20, TEACHER, 0.9), RoleSpan(20, 30, STUDENT, 0.9)]
    )
    assert [(u.role, u.role_probability) for u in merged] == [(TEACHER, 0.9), (STUDENT, 0.9)]


def test_a_timeline_from_a_transcript_alone() -> None:
    """
    s     0   2      6     7     9            60
          |gap|teacher|gap |?    |long gap     |student…62
    """
    one = Transcript(
        "zh",
        (
            Utterance("u1", "甲", 2.0, 6.0, role=TEACHER),
            Utterance("u2", "乙", 7.0, 9.0),
            Utterance("u3", "丙", 60.0, 62.0, role=STUDENT, role_probability=0.75),
        ),
    )
    assert timeline_from(one) == [
        RoleSpan(0.0, 2.0, SILENCE, 0.9),
        RoleSpan(2.0, 6.0, TEACHER, 1.0),
        RoleSpan(6.0, 7.0, SILENCE, 0.9),
        RoleSpan(9.0, 60.0, SILENCE, 0.5),
        RoleSpan(60.0, 62.0, STUDENT, 0.75),
    ]
    assert timeline_from(Transcript("zh", (Utterance("u1", "好"),))) == []
