"""The steps of the diarizer on numbers that can be checked by hand; the front end by witnesses."""

from pathlib import Path

import numpy as np
import pytest

from models.candidates import Candidate, candidates, main_voice, probabilities
from models.diarization import Ge2eDiarizer, joined, pieces, spans_of, windows_of
from models.doubt import calibrated
from models.main_voice import Voice, Windows, clusters, otsu, smoothed
from models.voice_embedding import VoiceEncoder, mel_filters, mel_power
from observer.media import Audio
from observer.timeline import Span


def voice_at(direction: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """n unit vectors around an axis, cosine to it about .9."""
    axis = np.zeros(256)
    axis[direction] = 1.0
    cloud = axis + 0.03 * rng.standard_normal((n, 256))
    return (cloud / np.linalg.norm(cloud, axis=1, keepdims=True)).astype(np.float32)


def test_mel_filters_are_those_of_librosa() -> None:
    """Whisper ships librosa.filters.mel(sr=16000, n_fft=400, n_mels=80): a second witness."""
    whisper = pytest.importorskip("whisper")
    with np.load(Path(whisper.__file__).parent / "assets" / "mel_filters.npz") as file:
        np.testing.assert_allclose(mel_filters(80), file["mel_80"], atol=1e-7)


def test_mel_power_agrees_with_torch() -> None:
    import torch

    wave = np.random.default_rng(1).standard_normal(8000).astype(np.float32)
    spectrum = torch.stft(
        torch.from_numpy(wave), 400, 160, window=torch.hann_window(400), center=True,
        pad_mode="constant", return_complex=True,
    )  # fmt: skip
    expected = (spectrum.abs() ** 2).numpy().T @ mel_filters().T
    np.testing.assert_allclose(mel_power(wave), expected, rtol=1e-3, atol=1e-4)


def test_embeddings_are_unit_vectors_and_independent_of_the_batch() -> None:
    mels = mel_power(np.random.default_rng(2).standard_normal(16000 * 4).astype(np.float32))
    windows = np.stack([mels[i : i + 160] for i in range(0, 200, 20)])
    together, alone = VoiceEncoder(batch=32).embed(windows), VoiceEncoder(batch=3).embed(windows)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_regions_join_short_pauses_only() -> None:
    # ####.####......####   pauses of .1 and .6 s, bridge .3
    speech = [Span(0, 1), Span(1.1, 2), Span(2.6, 3)]
    assert joined(speech, 0.3) == [Span(0, 2), Span(2.6, 3)]


def test_long_regions_are_read_in_pieces_of_a_minute() -> None:
    parts = list(pieces(Span(10, 160)))  # 150 s → three of 50 s
    assert [(p.start, p.end) for p in parts] == [(10, 60), (60, 110), (110, 160)]


def test_windows_stay_inside_their_piece() -> None:
    audio = Audio.of(0.1 * np.random.default_rng(0).standard_normal(16000 * 4))
    centres, mels = windows_of(audio, Span(1.0, 3.6), 0.25)
    # 2.6 s leave 1.0 s of room: 4 hops, 5 windows, centres from 1.8 to 2.8
    assert mels.shape == (5, 160, 40)
    assert centres[0] == pytest.approx(1.8, abs=0.02)
    assert centres[-1] == pytest.approx(2.8, abs=0.02)


def test_a_short_stretch_is_repeated_to_fill_a_window() -> None:
    audio = Audio.of(0.1 * np.random.default_rng(0).standard_normal(16000))
    centres, mels = windows_of(audio, Span(0.2, 0.6), 0.25)
    assert centres == pytest.approx([0.4])
    assert mels.shape == (1, 160, 40)
    np.testing.assert_array_equal(mels[0, :41], mels[0, 41:82])


def test_otsu_lies_between_two_groups() -> None:
    values = np.r_[np.full(30, 0.5), np.full(70, 0.9)]
    assert 0.5 < otsu(values) < 0.9


def test_the_widest_voice_wins_over_the_longest() -> None:
    """A crowd of 100 s in one place against a teacher of 60 s all over ten minutes:
    spread of the crowd 4 bins · 3 s = 12, of the teacher 20 bins · 3 s = 60."""
    rng = np.random.default_rng(0)
    vectors = np.concatenate([voice_at(0, 400, rng), voice_at(1, 240, rng)])
    centre = np.r_[np.linspace(0, 100, 400), np.linspace(0, 599, 240)]
    teacher, crowd = clusters(vectors, centre, 0.25)
    assert int(np.argmax(teacher.mean)) == 1
    assert (teacher.spread, crowd.spread) == (pytest.approx(60, rel=0.05), pytest.approx(12))


def windows(vectors: np.ndarray, seconds: float) -> Windows:
    n = len(vectors)
    return Windows(np.linspace(0, seconds, n), np.arange(n) // 20, vectors.astype(np.float16))


def test_two_voices_are_split_and_one_is_not() -> None:
    rng = np.random.default_rng(0)
    teacher, student = voice_at(0, 300, rng), voice_at(1, 100, rng)
    both = windows(np.concatenate([teacher, student]), 400)
    voice = main_voice(both, np.ones(400, bool), 0.25)
    assert (teacher @ voice.centroid > voice.threshold).all()
    assert (student @ voice.centroid < voice.threshold).all()

    alone = main_voice(windows(teacher, 300), np.ones(300, bool), 0.25)
    assert (teacher @ alone.centroid > alone.threshold).all()


def test_the_voice_of_most_turns_is_likelier_than_a_wider_one() -> None:
    """Two voices in one room, equally loud, each breaking half of the silences: spread 18 and 20 s,
    6 and 3 turns. Log-odds 5.39 · ln .9 + 8.18 · ln 2 = 5.10, so .994."""
    nobody = Voice(np.zeros(256, np.float32), 0.7, 80.0)
    first, second = (
        Candidate(nobody, spread, 0.5, turns, 0.0, 0.5) for spread, turns in ((18, 6), (20, 3))
    )
    assert probabilities([first, second])[0] == pytest.approx(0.994, abs=0.001)
    # 20 dB louder counts as 6: .277 · 6 = 1.66 against 5.10, so .969
    loud = Candidate(nobody, 20, 0.5, 3, 20.0, 0.5)
    assert probabilities([first, loud])[0] == pytest.approx(0.969, abs=0.001)


def test_a_candidate_is_measured_in_turns_loudness_and_silences() -> None:
    """T 40 windows, S 40, T 40, S 40 at .25 s in regions of 40 with 3 s between: T breaks the
    silences before the 1st and 3rd: (2 + .5) / (4 + 1) = .5; two turns; 5 dB louder."""
    rng = np.random.default_rng(0)
    parts = [voice_at(k, 40, rng) for k in (0, 1, 0, 1)]
    starts = np.repeat([0.0, 14.6, 29.2, 43.8], 40) + np.tile(np.arange(40) * 0.25, 4)
    lesson = Windows(starts, np.repeat(np.arange(4), 40), np.concatenate(parts).astype(np.float16))
    level = np.repeat([-20.0, -25.0, -20.0, -25.0], 40)
    found = clusters(lesson.vectors.astype(np.float32), lesson.centre, 0.25)
    tried = {int(np.argmax(c.voice.centroid)): c for c in candidates(lesson, found, 0.25, level)}
    assert (tried[0].turns, tried[1].turns) == (2, 2)
    assert (tried[0].opens, tried[1].opens) == (0.5, 0.5)
    assert (tried[0].loudness, tried[1].loudness) == pytest.approx((5, -5))
    chosen = main_voice(lesson, np.ones(160, bool), 0.25, level=level)
    assert int(np.argmax(chosen.centroid)) == 0
    # (5 + 5) dB · .277 = 2.77: .941; what the other says is all that others say
    assert chosen.chosen == pytest.approx(0.941, abs=0.01)
    assert chosen.rival_share == pytest.approx(1)


def test_an_enrolled_teacher_is_found_though_a_student_talks_more() -> None:
    rng = np.random.default_rng(0)
    teacher, student = voice_at(0, 100, rng), voice_at(1, 300, rng)
    lesson = windows(np.concatenate([teacher, student]), 400)
    enrolled = voice_at(0, 1, rng)[0]
    voice = main_voice(lesson, np.ones(400, bool), 0.25, enrolled)
    assert (teacher @ voice.centroid > voice.threshold).all()
    assert (student @ voice.centroid < voice.threshold).all()
    stranger = main_voice(windows(student, 300), np.ones(300, bool), 0.25, enrolled)
    assert (student @ stranger.centroid < stranger.threshold).all()


def test_one_odd_window_does_not_change_the_voice_but_a_run_does() -> None:
    voice = Voice(np.zeros(256, np.float32), 0.7, 80.0)
    steady = np.full(40, 0.9, np.float32)
    odd, changed = steady.copy(), steady.copy()
    odd[20], changed[20:32] = 0.6, 0.45
    region = np.zeros(40, int)
    assert (smoothed(odd, region, voice, 0.16) > 0.5).all()
    assert list(np.flatnonzero(smoothed(changed, region, voice, 0.16) < 0.5)) == list(range(20, 32))


def test_spans_change_half_way_and_lie_inside_the_speech() -> None:
    # windows at 1 2 | 3 4 in one region [0, 5); speech has a hole at 1.2-1.4
    where = Windows(
        np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4, int), np.zeros((4, 256), np.float16)
    )
    main = np.array([0.9, 0.7, 0.2, 0.4])
    margin = np.array([0.1, 0.06, -0.05, -0.01])
    found = spans_of(where, main, margin, [Span(0, 5)], [Span(0, 1.2), Span(1.4, 5)])
    assert [(s.start, s.end, s.speaker) for s in found] == [
        (0, 1.2, "main"), (1.4, 2.5, "main"), (2.5, 5, "others"),
    ]  # fmt: skip
    # means .8 and 1 - .3, .08 above and .03 below the threshold, over 2.5 s each
    first, last = calibrated(0.8, 0.08, 2.5), calibrated(0.7, 0.03, 2.5)
    assert [s.probability for s in found] == pytest.approx([first, first, last])


def test_no_speech_no_speakers() -> None:
    assert Ge2eDiarizer().diarize(Audio.of(np.zeros(16000)), []) == []
