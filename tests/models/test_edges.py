"""Edges of speech are followed through what is heard, and only through that."""

import numpy as np
import pytest

from models.edges import followed
from observer.media import Audio
from observer.timeline import Span


def sound(*parts: tuple[float, float], noise: float) -> Audio:
    """(seconds, dB full scale) of noise one after the other, over a background of `noise` dB."""
    rng = np.random.default_rng(0)
    wave = np.concatenate(
        [rng.standard_normal(round(16000 * s)) * 10 ** (level / 20) for s, level in parts]
    )
    return Audio.of(wave + rng.standard_normal(len(wave)) * 10 ** (noise / 20))


def edges(audio: Audio, *spans: tuple[float, float]) -> list[tuple[float, float]]:
    found = followed(audio, [Span(*span) for span in spans])
    return [(round(s.start, 2), round(s.end, 2)) for s in found]


def test_a_soft_onset_and_a_tail_belong_to_the_speech() -> None:
    # 0        2.0  2.2 (sure)      4.0  4.3       8
    # |.........~~~~|################|~~~~~|........|    # -20 dB, ~ -40 dB, background -70 dB
    audio = sound((2, -90), (0.2, -40), (1.8, -20), (0.3, -40), (3.7, -90), noise=-70)
    assert edges(audio, (2.2, 4.0)) == [pytest.approx((2.0, 4.3), abs=0.02)]


def test_in_a_noisy_room_nothing_changes() -> None:
    audio = sound((2, -90), (0.2, -40), (1.8, -20), (0.3, -40), (3.7, -90), noise=-42)
    assert edges(audio, (2.2, 4.0)) == [pytest.approx((2.2, 4.0), abs=0.02)]


def test_what_is_32_db_under_the_voice_is_not_the_voice() -> None:
    audio = sound((2, -90), (0.2, -60), (1.8, -20), (4, -90), noise=-80)
    assert edges(audio, (2.2, 4.0)) == [pytest.approx((2.2, 4.0), abs=0.02)]


def test_it_goes_half_a_second_at_most_and_never_into_the_next_stretch() -> None:
    # a hum at -40 dB from 2 to 8 under two stretches of voice: 3-4 and 4.6-5.6
    audio = sound(
        (2, -90), (1, -40), (1, -20), (0.6, -40), (1, -20), (2.4, -40), (8, -90), noise=-80
    )
    assert edges(audio, (3.0, 4.0), (4.6, 5.6)) == [pytest.approx((2.5, 6.1), abs=0.02)]
    assert edges(audio, (3.0, 4.0), (5.2, 5.6)) == [
        pytest.approx((2.5, 4.5), abs=0.02), pytest.approx((4.7, 6.1), abs=0.02),
    ]  # fmt: skip


def test_nothing_is_found_in_nothing() -> None:
    assert followed(Audio.of(np.zeros(0)), []) == []
    assert edges(Audio.of(np.zeros(16000)), (0.2, 0.4)) == [(0.2, 0.4)]
