"""Voice activity: the hysteresis by hand, and the network against the library's own loop."""

import numpy as np
import pytest

from models.vad import FRAME, SileroVad, hysteresis
from observer.media import Audio
from observer.timeline import Span


def probabilities(*runs: tuple[int, float]) -> np.ndarray:
    return np.concatenate([np.full(n, p, np.float32) for n, p in runs])


def spans(values: np.ndarray, **settings: float) -> list[tuple[float, float]]:
    settings = {"opens": 0.35, "closes": 0.2, **settings}
    return [(s.start, s.end) for s in hysteresis(values, frame=0.1, **settings)]


def test_a_stretch_opens_at_the_upper_and_closes_at_the_lower_threshold() -> None:
    # frames of 0.1 s:   0 1 2 3 4 5 6 7
    #                    . . # # ~ ~ . .     # ≥ .35, ~ between: goes on, . < .2
    values = probabilities((2, 0.1), (2, 0.9), (2, 0.25), (2, 0.1))
    assert spans(values) == [pytest.approx((0.2, 0.6))]


def test_the_space_between_the_thresholds_opens_nothing() -> None:
    assert spans(probabilities((5, 0.3))) == []


def test_a_short_dip_is_speech_and_a_long_one_is_a_pause() -> None:
    dip = probabilities((3, 0.9), (2, 0.0), (3, 0.9))
    assert spans(dip, minimum_silence=0.3) == [pytest.approx((0.0, 0.8))]
    assert spans(dip, minimum_silence=0.1) == [pytest.approx((0.0, 0.3)), pytest.approx((0.5, 0.8))]


def test_short_bursts_are_dropped() -> None:
    assert spans(probabilities((2, 0.9), (3, 0.0)), minimum_speech=0.25) == []


def test_the_library_draws_the_same_stretches() -> None:
    library = pytest.importorskip("silero_vad.utils_vad").get_speech_timestamps_from_probs
    rng = np.random.default_rng(3)
    smooth = np.convolve(rng.random(3000), np.ones(9) / 9, "same")
    values = ((smooth - 0.25) * 2).clip(0, 1).astype(np.float32)
    expected = library(values.tolist(), threshold=0.35, speech_pad_ms=0)
    found = hysteresis(values, opens=0.35, closes=0.2, minimum_speech=0.25, minimum_silence=0.1)
    assert len(expected) > 20
    ours = [(round(s.start * Audio.RATE), round(s.end * Audio.RATE)) for s in found]
    assert ours == [(s["start"], s["end"]) for s in expected]


def test_blocks_give_the_probabilities_of_the_whole(voices: Audio) -> None:
    """State and context cross the block borders: silero's own sequence runner agrees."""
    sequence = pytest.importorskip("silero_vad.sequence_vad")
    from models.vad import _gain, _weights_file

    runner = sequence.SileroVADSequence(str(_weights_file()))
    wave = voices.read(Span(0, voices.duration)) * np.float32(_gain(voices))
    found = SileroVad().probabilities(voices)
    assert len(found) == -(-len(wave) // FRAME)
    np.testing.assert_allclose(found, runner.audio_forward(wave), atol=2e-4)


def test_level_does_not_matter(voices: Audio) -> None:
    quiet = Audio((voices.samples // 64).astype(np.int16))  # -36 dB
    loud, soft = SileroVad().speech(voices), SileroVad().speech(quiet)
    assert sum(s.duration for s in loud) > 5
    assert sum(s.duration for s in soft) == pytest.approx(sum(s.duration for s in loud), rel=0.1)


def test_noise_and_silence_are_no_speech() -> None:
    rng = np.random.default_rng(0)
    assert SileroVad().speech(Audio.of(0.1 * rng.standard_normal(16000 * 20))) == []
    assert SileroVad().speech(Audio.of(np.zeros(16000 * 5))) == []


@pytest.fixture(scope="module")
def voices(fixture_lesson: Audio) -> Audio:
    return Audio(fixture_lesson.samples[: 16000 * 40])
