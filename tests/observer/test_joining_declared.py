"""Choirs, groups and playbacks that a transcript declares, on the timeline that sound gave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observer.agreement import witness_agreement
from observer.joining import declared_on
from observer.timeline import Role, RoleSpan, Span, intersection, of_role, total, union
from observer.transcript import Transcript, Utterance

TEACHER, STUDENT, CHORAL = Role.TEACHER, Role.STUDENT, Role.CHORAL
GROUP, MEDIA, SILENCE = Role.GROUP, Role.MEDIA, Role.SILENCE


def declared(role: Role, start: float, end: float, **other: object) -> Transcript:
    return Transcript("zh", (Utterance("u1", "好", start, end, role=role, **other),))


def test_a_choir_is_cut_out_of_the_students() -> None:
    """
    s         0        5        8    10
    sound     ttttttttt|ssssssssssss|     t teacher, s student
    declared            ····|cccc|··      6–7.5
    """
    timeline = [
        RoleSpan(0, 5, TEACHER, 0.9),
        RoleSpan(5, 8, STUDENT, 0.8),
        RoleSpan(8, 10, SILENCE, 0.9),
    ]
    assert declared_on(timeline, declared(CHORAL, 6.0, 7.5)) == (
        RoleSpan(0, 5, TEACHER, 0.9),
        RoleSpan(5, 6.0, STUDENT, 0.8),
        RoleSpan(6.0, 7.5, CHORAL, 0.99),
        RoleSpan(7.5, 8, STUDENT, 0.8),
        RoleSpan(8, 10, SILENCE, 0.9),
    )


def test_edges_nobody_types_exactly_go_with_the_choir() -> None:
    """Student 5–8, declared 5.2–7.7: rests of .2 and .3 s are no talk of their own."""
    found = declared_on([RoleSpan(5, 8, STUDENT, 0.8)], declared(CHORAL, 5.2, 7.7))
    assert found == (RoleSpan(5, 8, CHORAL, 0.99),)


def test_two_stretches_that_only_brush_do_not_mix() -> None:
    """The choir is typed .1 s too early and touches the student before it."""
    timeline = [RoleSpan(2, 5, STUDENT, 0.8), RoleSpan(5.5, 7, STUDENT, 0.8)]
    found = declared_on(timeline, declared(CHORAL, 4.9, 7.0))
    assert found == (RoleSpan(2, 5, STUDENT, 0.8), RoleSpan(5.5, 7, CHORAL, 0.99))


def test_a_choir_of_one_syllable_counts() -> None:
    """对! lasts .25 s; the sound has .3 s of a student there."""
    found = declared_on([RoleSpan(5, 5.3, STUDENT, 0.8)], declared(CHORAL, 5.0, 5.25))
    assert found == (RoleSpan(5, 5.3, CHORAL, 0.99),)


def test_the_teacher_stays_in_a_choir_and_the_silence_too() -> None:
    timeline = [RoleSpan(0, 4, TEACHER, 0.9), RoleSpan(4, 9, SILENCE, 0.9)]
    assert declared_on(timeline, declared(CHORAL, 0.0, 9.0)) == tuple(timeline)


@pytest.mark.parametrize(("end", "role"), [(9.0, MEDIA), (8.0, TEACHER)])
def test_a_voice_under_a_playback_is_the_playbacks(end: float, role: Role) -> None:
    """The film's narrator was taken for the teacher, 0–10 s: 90 % under it, then 80 %."""
    found = declared_on([RoleSpan(0, 10, TEACHER, 0.9)], declared(MEDIA, 0.0, end))
    assert [(t.start, t.end, t.role) for t in found] == [(0, 10, role)]


def test_aligned_times_give_less_trust_and_guesses_none() -> None:
    timeline = [RoleSpan(5, 8, STUDENT, 0.8)]
    rough = declared_on(timeline, declared(GROUP, 5.0, 8.0, approximate=True))
    assert rough == (RoleSpan(5, 8, GROUP, 0.9),)
    guessed = declared(GROUP, 5.0, 8.0, role_probability=0.95)
    assert declared_on(timeline, guessed) == tuple(timeline)
    assert declared_on(timeline, Transcript("zh", (Utterance("u1", "好", role=CHORAL),))) == tuple(
        timeline
    )


def test_voices_over_one_another_are_told_once() -> None:
    """A student inside a crowd: both become the choir, which sounds for 6 s, not for 8."""
    timeline = [RoleSpan(0, 6, GROUP, 0.7), RoleSpan(2, 4, STUDENT, 0.9)]
    found = declared_on(timeline, declared(CHORAL, 0.0, 6.0))
    assert found == (RoleSpan(0, 6, CHORAL, 0.99),)


TENTHS = st.tuples(st.integers(0, 300), st.integers(1, 60)).map(
    lambda x: Span(x[0] / 10, (x[0] + x[1]) / 10)
)
TIMELINES = st.lists(st.tuples(TENTHS, st.sampled_from(list(Role))), max_size=12).map(
    lambda found: [RoleSpan(s.start, s.end, r, 0.9) for s, r in found]
)
DECLARED = st.lists(
    st.tuples(TENTHS, st.sampled_from(list(Role)), st.sampled_from([None, 0.9])), max_size=8
).map(
    lambda found: Transcript(
        "zh",
        tuple(
            Utterance(f"u{i}", "好", s.start, s.end, role=r, role_probability=p)
            for i, (s, r, p) in enumerate(found)
        ),
    )
)


@given(TIMELINES, DECLARED)
def test_what_is_covered_stays_covered(timeline: list[RoleSpan], transcript: Transcript) -> None:
    found = declared_on(timeline, transcript)
    assert union(t.span for t in found) == union(t.span for t in timeline)
    assert list(found) == sorted(found, key=lambda t: (t.start, t.end, t.role.value))
    assert all(t.duration > 0 and 0 < t.probability < 1 for t in found)
    assert sorted(t.span for t in found if t.role is SILENCE) == sorted(
        t.span for t in timeline if t.role is SILENCE
    )
    assert union(t.span for t in found if t.role is not SILENCE) == union(
        t.span for t in timeline if t.role is not SILENCE
    )


@given(TIMELINES, DECLARED)
def test_without_a_playback_the_teacher_is_untouched(
    timeline: list[RoleSpan], transcript: Transcript
) -> None:
    no_media = transcript.with_utterances([u for u in transcript if u.role is not MEDIA])
    found = declared_on(timeline, no_media)
    assert [t for t in found if t.role is TEACHER] == sorted(
        (t for t in timeline if t.role is TEACHER), key=lambda t: (t.start, t.end)
    )


@given(TIMELINES, DECLARED)
def test_new_roles_lie_where_they_are_declared(
    timeline: list[RoleSpan], transcript: Transcript
) -> None:
    """But for the rests of under .4 s at the edges of a stretch."""
    found = declared_on(timeline, transcript)
    for role in (CHORAL, GROUP):
        new = of_role(found, role)
        old = of_role(timeline, role)
        near = [
            Span(u.start - 0.4, u.end + 0.4)
            for u in transcript
            if u.role is role and u.start is not None and u.end is not None
        ]
        assert total(intersection(new, [*near, *old])) == pytest.approx(total(new))


def test_agreement_is_told_in_one_sentence() -> None:
    """2 of 6 s agree, 33 %; times of the file's own flatter nobody."""
    labelled = Transcript(
        "zh",
        (
            Utterance("u1", "甲", 2.0, 6.0, role=STUDENT),
            Utterance("u2", "乙", 11.0, 13.0, role=TEACHER),
        ),
    )
    heard = [RoleSpan(2, 6, TEACHER, 0.9), RoleSpan(11, 13, TEACHER, 0.9)]
    note = witness_agreement(labelled, heard).note
    assert note is not None
    assert "33 %" in note.en
    assert "6 s" in note.en
    assert "flatter" not in note.en
    assert "33 %" in note.zh
    assert witness_agreement(Transcript("zh"), heard).note is None
