"""Untimed turns laid over voice activity: exact where lengths fit, honest where they do not."""

import random

import pytest

from observer.alignment import align, speaking_time
from observer.timeline import Role, RoleSpan, Span
from observer.transcript import Transcript, Utterance

TEACHER, STUDENT, GROUP = Role.TEACHER, Role.STUDENT, Role.GROUP


def said(*lengths: int, roles: tuple[Role, ...] = ()) -> Transcript:
    """Utterances of so many Han characters."""
    return Transcript(
        "zh",
        tuple(
            Utterance(f"u{i + 1}", "冰" * n, role=roles[i] if roles else None)
            for i, n in enumerate(lengths)
        ),
    )


def starts(transcript: Transcript) -> list[float | None]:
    return [u.start for u in transcript]


def test_speaking_time() -> None:
    """.3 + 2 × .25 + 2 × .4 (one word, one number)."""
    assert speaking_time("第ice 12页") == pytest.approx(1.6)


def test_one_segment_each() -> None:
    """
    s  0    5    10   15   20
       |-40-|    |--60---|    characters, at 8 a second (the pace is found from the sum)
    """
    found = align(said(40, 60), [Span(1, 6), Span(10, 17.5)])
    assert [(u.start, u.end) for u in found] == [(1, 6), (10, 17.5)]
    assert all(u.approximate for u in found)


def test_an_utterance_with_pauses_takes_all_its_segments() -> None:
    """
       |----40----| |-8-|      40 characters spoken as 3 + .4 pause + 3 + .3 pause + 4 s
    s  1             13 15
    """
    speech = [Span(1, 4), Span(4.4, 7.4), Span(7.7, 11.7), Span(13, 15)]
    found = align(said(40, 8), speech)
    assert [(u.start, u.end) for u in found] == [(1, 11.7), (13, 15)]


def test_two_utterances_in_one_stretch_divide_it() -> None:
    """Equal lengths in 0..8: the border lies in the middle, within one atom of .5 s."""
    one, two = align(said(32, 32), [Span(0, 8)]).utterances
    assert one.start == 0
    assert two.end == 8
    assert one.end == two.start == pytest.approx(4.0, abs=0.5)


def test_a_monologue_of_minutes_is_one_utterance() -> None:
    """600 characters over 150 s with a breath of .5 s after every 4.5 s, between two remarks."""
    breaths = [Span(10 + 5 * i, 14.5 + 5 * i) for i in range(30)]
    found = align(said(16, 600, 16), [Span(0, 4), *breaths, Span(162, 166)])
    assert [(u.start, u.end) for u in found] == [(0, 4), (10, 159.5), (162, 166)]


def test_roles_decide_where_lengths_cannot() -> None:
    """Three equal segments, two utterances: the student's is the last one, not the middle.

    |teacher| |teacher| |student|
    0      2  2.4    4.4 4.8   6.8
    """
    speech = [Span(0, 2), Span(2.4, 4.4), Span(4.8, 6.8)]
    timeline = [
        RoleSpan(0, 2, TEACHER, 0.95),
        RoleSpan(2.4, 4.4, TEACHER, 0.95),
        RoleSpan(4.8, 6.8, STUDENT, 0.95),
    ]
    found = align(said(12, 12, roles=(TEACHER, STUDENT)), speech, timeline)
    assert found.utterances[1].start == 4.8
    assert found.utterances[0].start == 0


def test_voices_without_a_pause_are_cut_at_the_change_of_role() -> None:
    timeline = [RoleSpan(0, 5.3, TEACHER, 0.9), RoleSpan(5.3, 8, STUDENT, 0.9)]
    found = align(said(20, 12, roles=(TEACHER, STUDENT)), [Span(0, 8)], timeline)
    assert starts(found) == [0, 5.3]


def test_group_work_is_left_out() -> None:
    """Five minutes of babble between two turns belong to neither."""
    speech = [Span(1, 6), Span(8, 308), Span(310, 315)]
    timeline = [
        RoleSpan(1, 6, TEACHER, 0.9),
        RoleSpan(8, 308, GROUP, 0.9),
        RoleSpan(310, 315, TEACHER, 0.9),
    ]
    found = align(said(20, 20, roles=(TEACHER, TEACHER)), speech, timeline)
    assert starts(found) == [1, 310]


def test_given_starts_are_anchors() -> None:
    """Whole seconds in the file (10, 30) move to the speech that begins near them."""
    rough = Transcript(
        "zh",
        (
            Utterance("u1", "冰" * 12, 10.0, 13.0, approximate=True),
            Utterance("u2", "冰" * 12, 30.0, 33.0, approximate=True),
        ),
    )
    speech = [Span(4, 7), Span(10.6, 13.6), Span(20, 23), Span(30.7, 33.7), Span(40, 43)]
    assert starts(align(rough, speech)) == [10.6, 30.7]


def test_exact_times_are_kept() -> None:
    exact = Transcript("zh", (Utterance("u1", "好", 3.0, 4.0), Utterance("u2", "行")))
    one, two = align(exact, [Span(2.8, 4.1), Span(6, 7)]).utterances
    assert (one.start, one.end, one.approximate) == (3.0, 4.0, False)
    assert two.approximate


def test_nothing_to_align() -> None:
    one = said(4)
    assert align(one, []) is one
    empty = Transcript("zh")
    assert align(empty, [Span(0, 1)]) is empty


def test_more_words_than_speech_still_gives_ordered_times() -> None:
    found = align(said(*[20] * 12), [Span(0, 2), Span(5, 6)])
    spans = [u.span for u in found]
    assert all(s is not None for s in spans)
    edges = [s.start for s in spans if s is not None]
    assert edges == sorted(edges)


def lesson(seed: int, turns: int, noise: float) -> tuple[Transcript, list[Span], list[float]]:
    """Turns with pauses inside (.1–.4 s) and between (.6–3 s), their pace log-normal."""
    rng = random.Random(seed)
    clock = 1.0
    speech: list[Span] = []
    truth: list[float] = []
    lengths: list[int] = []
    for _ in range(turns):
        truth.append(clock)
        spoken = rng.uniform(1, 9)
        lengths.append(max(1, round(spoken * 4 * rng.lognormvariate(0, noise))))
        while spoken > 0:
            piece = min(spoken, rng.uniform(1, 3))
            speech.append(Span(clock, clock + piece))
            spoken -= piece
            clock += piece + rng.uniform(0.1, 0.4)
        clock += rng.uniform(0.6, 3)
    return said(*lengths), speech, truth


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_simulated_lesson_without_roles(seed: int) -> None:
    """With speaking rates that vary by a tenth, nine starts in ten are within .3 s."""
    transcript, speech, truth = lesson(seed, 60, 0.1)
    found = starts(align(transcript, speech))
    near = sum(abs((a or 0) - b) < 0.3 for a, b in zip(found, truth, strict=True))
    assert near >= 54


def test_the_same_input_gives_the_same_times() -> None:
    transcript, speech, _ = lesson(5, 40, 0.3)
    assert align(transcript, speech) == align(transcript, list(reversed(speech)))


def test_the_band_is_used_for_long_lessons(monkeypatch) -> None:
    """With room for a tenth of the table the result stays the same where the text is even."""
    import observer.gale_church as gale_church

    transcript, speech, _ = lesson(6, 150, 0.1)
    whole = align(transcript, speech)
    monkeypatch.setattr(gale_church, "MAX_CELLS", 1)
    assert align(transcript, speech) == whole
