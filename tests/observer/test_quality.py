"""The audio-quality gate: known levels, noises, rooms and damage must be measured and told.

The sound is made of bursts of white noise, .15 s long every .25 s, in stretches of 6 s with 4 s
between them: its level, background, bandwidth and decay are known by construction.

    |speech 6 s|pause 4 s|speech 6 s|pause 4 s| …
"""

import time

import numpy as np
import pytest

from observer.acoustics import measure_acoustics
from observer.errors import UnobservableRecording
from observer.media import Audio, Recording
from observer.quality import Quality, assess, refuse_if_unobservable
from observer.timeline import Span

RATE = Audio.RATE
SECONDS = 120
SPEECH = [Span(start, start + 6.0) for start in range(0, SECONDS, 10)]  # 12 stretches, 72 s


def bursts(level: float = -20.0, seconds: int = SECONDS) -> np.ndarray:
    """Bursts at a level of `level` dBFS inside the stretches, digital silence between."""
    at = np.arange(seconds * RATE) / RATE
    on = (at % 0.25 < 0.15) & (at % 10 < 6)
    # On for 24 of 40 steps of a stretch: .6 of the power of steady noise.
    noise = np.random.default_rng(1).standard_normal(len(at)) * 10 ** (level / 20) / np.sqrt(0.6)
    return noise * on


def hiss(level: float, seconds: int = SECONDS) -> np.ndarray:
    """Steady white noise of `level` dBFS."""
    return np.random.default_rng(2).standard_normal(seconds * RATE) * 10 ** (level / 20)


def in_a_room(wave: np.ndarray, t60: float) -> np.ndarray:
    """With the echo of a room whose sound falls by 60 dB in `t60` seconds."""
    at = np.arange(round(t60 * RATE)) / RATE
    response = np.random.default_rng(3).standard_normal(len(at)) * 10 ** (-3 * at / t60)
    size = 1 << (len(wave) + len(response)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)[: len(wave)]
    return wet * np.sqrt(np.mean(wave**2) / np.mean(wet**2))


def low_pass(wave: np.ndarray, hertz: float) -> np.ndarray:
    """Without anything above `hertz`."""
    spectrum = np.fft.rfft(wave)
    spectrum[np.fft.rfftfreq(len(wave), 1 / RATE) > hertz] = 0
    return np.fft.irfft(spectrum, len(wave))


def judged(wave: np.ndarray, recording: Recording | None = None) -> Quality:
    return assess(Audio.of(wave), SPEECH, recording)


def codes(quality: Quality) -> list[str]:
    return [finding.code for finding in quality.findings]


def test_good_sound_has_no_findings() -> None:
    quality = judged(bursts() + hiss(-60))
    assert codes(quality) == []
    assert (quality.verdict, quality.widening) == ("good", 1.0)
    assert quality.duration == 120.0
    assert quality.speech_share == pytest.approx(72 / 120)


def test_levels_are_those_of_the_sound() -> None:
    quality = judged(bursts(-20) + hiss(-60))
    # White noise loses 125 of 8,000 Hz: 10·log10(7875/8000) = -.07 dB.
    assert quality.level_dbfs == pytest.approx(-20.07, abs=0.2)
    # The background is its 10th percentile; frames of steady noise vary by about 1 dB.
    assert quality.snr_db == pytest.approx(40.0, abs=1.5)


@pytest.mark.parametrize("snr", [5, 10, 20, 30])
def test_the_ratio_to_the_background_is_measured(snr: int) -> None:
    quality = judged(bursts(-25) + hiss(-25 - snr))
    assert quality.snr_db == pytest.approx(snr, abs=1.5)
    assert ("noisy" in codes(quality)) == (snr < 15)


def test_digital_silence_is_no_background() -> None:
    assert judged(bursts()).snr_db is None


def test_without_pauses_there_is_no_background() -> None:
    quality = assess(Audio.of(bursts() + hiss(-60)), [Span(0.0, 120.0)])
    assert quality.snr_db is None


def test_noise_is_told_and_widens() -> None:
    bad, worse = judged(bursts(-25) + hiss(-37)), judged(bursts(-25) + hiss(-30))
    assert (bad.verdict, worse.verdict) == ("usable", "poor")
    assert 1 < bad.widening < worse.widening
    (finding,) = bad.findings
    # 12 dB by construction; the quietest tenth of the background is up to 1 dB under its mean.
    assert bad.snr_db == pytest.approx(12, abs=1.5)
    assert f"{bad.snr_db:.0f} dB above the background" in finding.en
    assert f"高 {bad.snr_db:.0f} dB" in finding.zh


def test_a_quiet_recording_says_how_much_of_it_is_how_quiet() -> None:
    # Speech at -52 dBFS over a background of -75: nearly all frames are under -50 except the
    # bursts themselves, which are 2.2 dB (10·log10 1/.6) above their mean level.
    quality = judged(bursts(-52) + hiss(-75))
    (finding,) = quality.findings
    assert finding.code == "quiet"
    share = measure_acoustics(Audio.of(bursts(-52) + hiss(-75)), SPEECH).share_below(-50)
    assert f"{share:.0%} of this recording is below -50 dBFS" in finding.en
    assert f"有 {share:.0%} 低于 -50 dBFS" in finding.zh
    assert 0.7 < share < 0.95
    assert "averages -52 dBFS" in finding.en
    assert judged(bursts(-62) + hiss(-80)).verdict == "poor"


def test_the_share_below_a_level_is_exact_on_steady_steps() -> None:
    # 30 s at -60 and 90 s at -20 dBFS: a quarter is below -50.
    wave = np.concatenate([hiss(-60, 30), hiss(-20, 90)])
    acoustics = measure_acoustics(Audio.of(wave), [])
    assert acoustics.share_below(-50) == pytest.approx(0.25, abs=0.001)
    assert acoustics.share_below(-120) == 0.0
    assert acoustics.share_below(0) == pytest.approx(1.0)


def test_clipping_is_counted() -> None:
    wave = np.clip(4 * (bursts(-14) + hiss(-60)), -1, 1)
    quality = judged(wave)
    share = float(np.mean(np.abs(wave) >= 0.98))
    assert quality.clipped_share == pytest.approx(share, abs=1e-4)
    assert "clipped" in codes(quality)
    assert f"{share:.1%}" in next(f for f in quality.findings if f.code == "clipped").zh
    assert judged(bursts() + hiss(-60)).clipped_share == 0.0


def test_telephone_sound_is_told() -> None:
    quality = judged(low_pass(bursts(), 3400) + hiss(-75))
    # The spectrum is smoothed over ±3 bins of 31 Hz, and the window smears by two more.
    assert quality.bandwidth_hz == pytest.approx(3400, abs=5.5 * 31.25)
    assert codes(quality) == ["narrow_band"]
    assert judged(bursts() + hiss(-60)).bandwidth_hz == pytest.approx(8000, abs=150)


def test_what_noise_hides_is_not_called_telephone_sound() -> None:
    tilted = low_pass(bursts(-20), 3000) + low_pass(bursts(-50), 8000)
    assert "narrow_band" not in codes(judged(tilted + hiss(-35)))


@pytest.mark.parametrize("t60", [0.4, 0.6, 0.9])
@pytest.mark.parametrize("noise", [-75, -45])
def test_a_room_is_heard_whatever_the_noise(t60: float, noise: float) -> None:
    quality = judged(in_a_room(bursts(), t60) + hiss(noise))
    assert quality.far_field
    assert "far_field" in codes(quality)


@pytest.mark.parametrize("noise", [-75, -60, -45, -35])
def test_noise_alone_is_no_room(noise: float) -> None:
    assert not judged(bursts() + hiss(noise)).far_field


def test_the_decay_grows_as_the_room_gets_drier() -> None:
    decays = []
    for t60 in (0.9, 0.6, 0.4, 0.2):
        acoustics = measure_acoustics(Audio.of(in_a_room(bursts(), t60)), SPEECH)
        assert acoustics.decay is not None
        decays.append(acoustics.decay)
    assert decays == sorted(decays)
    # A room alone falls at 60 dB in T60 seconds: 100 dB/s at .6 s; the frames' jitter adds to it.
    assert decays[1] == pytest.approx(100, rel=0.45)


def test_a_cut_off_file_and_its_holes_are_told_without_widening() -> None:
    recording = Recording(
        name="a.mkv",
        sha256="0" * 64,
        size=1,
        duration=120.0,
        container="matroska",
        codec="aac",
        video=False,
        track=0,
        tracks=1,
        gaps=(Span(8.0, 9.5), Span(18.0, 18.5)),
        missing=60.0,
    )
    quality = judged(bursts() + hiss(-60), recording)
    assert codes(quality) == ["cut_off", "holes"]
    assert "declares 180 s, but its last 60 s" in quality.findings[0].en
    assert "2.0 s in 2 places" in quality.findings[1].en
    assert "2 处共 2.0 秒" in quality.findings[1].zh
    assert (quality.verdict, quality.widening) == ("usable", 1.0)


def test_little_speech_is_told() -> None:
    quality = assess(Audio.of(bursts() + hiss(-60)), SPEECH[:4])
    assert codes(quality) == ["little_speech"]
    assert "Only 24 s of speech in 120 s" in quality.findings[0].en


def test_no_speech_is_refused_with_the_reason() -> None:
    quality = assess(Audio.of(hiss(-70)), [])
    assert (quality.speech_share, quality.level_dbfs, quality.snr_db) == (0.0, None, None)
    with pytest.raises(UnobservableRecording) as caught:
        refuse_if_unobservable(quality)
    assert "no speech was found in 120.0 s" in caught.value.en
    assert "100% of this recording is below -50 dBFS" in caught.value.en
    assert "没有找到语音" in caught.value.zh
    assert "有 100% 低于 -50 dBFS" in caught.value.zh


def test_under_three_seconds_of_speech_are_refused_and_three_are_not() -> None:
    audio = Audio.of(bursts() + hiss(-60))
    with pytest.raises(UnobservableRecording, match=r"only 2\.5 s of speech"):
        refuse_if_unobservable(assess(audio, [Span(0.0, 2.5)]))
    refuse_if_unobservable(assess(audio, [Span(0.0, 3.0)]))


def test_the_blocks_leave_no_seam() -> None:
    """Blocks of 30 s: a sound that lies across their border is measured as one within them."""
    across, within = np.zeros(60 * RATE), np.zeros(60 * RATE)
    across[29 * RATE : 31 * RATE] = within[9 * RATE : 11 * RATE] = hiss(-20, 2)
    left = measure_acoustics(Audio.of(across), [Span(29.0, 31.0)])
    right = measure_acoustics(Audio.of(within), [Span(9.0, 11.0)])
    assert left.speech_level == pytest.approx(right.speech_level, abs=0.01)
    assert left.levels == pytest.approx(right.levels, abs=1e-4)


@pytest.mark.parametrize("samples", [1, 100, 511, 512, 513, 16_000])
def test_very_short_sound_is_measured_without_a_crash(samples: int) -> None:
    quality = assess(Audio(np.full(samples, 1000, np.int16)), [Span(0.0, samples / RATE)])
    assert quality.duration == samples / RATE
    assert quality.speech_share == pytest.approx(1.0)


def test_45_minutes_take_a_few_seconds() -> None:
    """Measured: 0.7 CPU s; the bound leaves room for slow machines."""
    audio = Audio(np.tile(Audio.of(bursts(-20, 60) + hiss(-60, 60)).samples, 45))
    speech = [Span(start, start + 6.0) for start in range(0, 2700, 10)]
    start = time.process_time()
    assess(audio, speech)
    assert time.process_time() - start < 6.0
