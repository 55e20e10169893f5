"""Decoding: every container tells the same clock, whatever is wrong with the file.

The test sound is silence with beeps of 0.1 s; a beep written at second t must be found at t.
"""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from observer.errors import (
    OutputError,
    UnobservableRecording,
    UnreadableRecording,
    UsageError,
)
from observer.media import Audio, decode, encode_opus
from observer.timeline import Span
from tests.media_files import FORMATS, WITH_PICTURES, beeps, write_media

Noisy = Callable[[str], bytearray]
WITHIN = 0.020
PRIMING = {"aac": 1024 / 48_000, "avi": 1105 / 44_100}
"""Raw AAC, and MP3 in AVI, cannot say how many samples of encoder run-in come first: every
player shows such files this much late."""
NO_INDEX_AT_THE_FRONT = ("mp4", "mov", "m4a")


def starts(audio: Audio) -> list[float]:
    """Seconds at which a sound begins: 1 ms mean over 0.06, at least 0.3 s after the last one."""
    loud = np.convolve(np.abs(audio.samples / 32768), np.ones(16) / 16, "same") > 0.06
    found: list[float] = []
    for start in (np.flatnonzero(loud[1:] & ~loud[:-1]) + 1) / Audio.RATE:
        if not found or start - found[-1] > 0.3:
            found.append(float(start))
    return found


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytearray]:
    """Files of 30 s, a beep every half second past the second, in hiss that spreads the bytes."""
    folder = tmp_path_factory.mktemp("noisy")

    @cache
    def made(kind: str) -> bytes:
        rate = FORMATS[kind][2]
        wave = beeps(30.0, [second + 0.5 for second in range(29)], rate)
        wave += 0.02 * np.random.default_rng(0).standard_normal(len(wave))
        pictures = 30.0 if kind in WITH_PICTURES else 0.0
        options = {"movflags": "faststart"} if kind == "mp4" else {}
        path = folder / f"a.{kind}"
        return write_media(path, [wave], pictures=pictures, options=options).read_bytes()

    return lambda kind: bytearray(made(kind))


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_container_puts_a_beep_at_its_second(tmp_path: Path, suffix: str) -> None:
    pictures = 8.0 if suffix in WITH_PICTURES else 0.0
    wave = beeps(6.0, [1.0, 3.5], FORMATS[suffix][2])
    path = write_media(tmp_path / f"lesson.{suffix}", [wave], pictures=pictures)
    recording, audio = decode(path, tmp_path / "samples")
    late = PRIMING.get(suffix, 0.0)
    assert starts(audio) == pytest.approx([1.0 + late, 3.5 + late], abs=WITHIN)
    assert recording.duration == pytest.approx(6.0, abs=0.05)
    assert recording.duration == audio.duration
    assert recording.video == (suffix in WITH_PICTURES)
    # The pictures go on for 2 s after the sound: that is no file cut off.
    assert (recording.gaps, recording.missing) == ((), 0.0)
    assert (recording.track, recording.tracks) == (0, 1)
    assert recording.size == path.stat().st_size
    assert (tmp_path / "samples").stat().st_size == 2 * len(audio.samples)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "webm"])
def test_a_delayed_track_starts_late(tmp_path: Path, suffix: str) -> None:
    # pictures |0--------8|
    # sound       |2.5--8.5|  with beeps 1.0 and 3.5 s after its start
    wave = beeps(6.0, [1.0, 3.5], FORMATS[suffix][2])
    path = write_media(tmp_path / f"a.{suffix}", [wave], pictures=8.0, delay=2.5)
    recording, audio = decode(path, tmp_path / "samples")
    assert starts(audio) == pytest.approx([3.5, 6.0], abs=WITHIN)
    assert [(gap.start, gap.end) for gap in recording.gaps] == [(0.0, pytest.approx(2.5, abs=0.03))]


def test_a_file_whose_clock_starts_late_is_moved_to_zero(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", [beeps(6.0, [1.0], 48_000)], delay=100.0)
    recording, audio = decode(path, tmp_path / "samples")
    assert starts(audio) == pytest.approx([1.0], abs=WITHIN)
    assert recording.gaps == ()


def test_a_hole_becomes_silence_of_its_length(tmp_path: Path) -> None:
    # |0 beep 1 ---8|   hole   |13 --- beep 20.5 ---30|
    wave = beeps(30.0, [1.0, 10.0, 20.5], 48_000)
    path = write_media(tmp_path / "a.mkv", [wave], hole=(8.0, 13.0))
    recording, audio = decode(path, tmp_path / "samples")
    assert starts(audio) == pytest.approx([1.0, 20.5], abs=WITHIN)
    (gap,) = recording.gaps
    assert (gap.start, gap.end) == pytest.approx((8.0, 13.0), abs=0.03)
    assert not audio.read(Span(8.1, 12.9)).any()
    assert recording.missing == 0.0


@pytest.mark.parametrize("kind", ["mp4", "mkv", "mov", "webm", "m4a", "mp3", "wav", "flac", "ogg"])
@pytest.mark.parametrize("share", [0.002, 0.05])
def test_behind_damage_the_clock_is_still_right(
    tmp_path: Path, noisy: Noisy, kind: str, share: float
) -> None:
    """Zeros over 0.2 % and 5 % of the file; AVI and raw AAC have no time stamps to go by."""
    path, content = tmp_path / f"a.{kind}", noisy(kind)
    middle, length = len(content) // 2, int(len(content) * share)
    content[middle : middle + length] = bytes(length)
    path.write_bytes(content)
    recording, audio = decode(path, tmp_path / "samples")
    late = [start for start in starts(audio) if start > 22]
    assert late == pytest.approx([22.5, 23.5, 24.5, 25.5, 26.5, 27.5, 28.5], abs=WITHIN)
    assert recording.duration == pytest.approx(30.0, abs=0.1)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm", "avi", "mp3", "wav", "flac"])
def test_of_a_file_cut_off_in_the_middle_the_rest_is_observed(
    tmp_path: Path, noisy: Noisy, kind: str
) -> None:
    """The mp4 has its index in front, as files made for the web have."""
    path, content = tmp_path / f"a.{kind}", noisy(kind)
    path.write_bytes(content[: len(content) // 2])
    recording, audio = decode(path, tmp_path / "samples")
    # Half the bytes are about half the lesson, and what is not there is told.
    assert recording.duration == pytest.approx(15.0, abs=2.0)
    assert recording.duration + recording.missing == pytest.approx(30.0, abs=0.3)
    late = PRIMING.get(kind, 0.0)
    assert starts(audio)[:3] == pytest.approx([0.5 + late, 1.5 + late, 2.5 + late], abs=WITHIN)


@pytest.mark.parametrize("kind", NO_INDEX_AT_THE_FRONT)
def test_an_mp4_cut_off_before_its_index_says_so(tmp_path: Path, kind: str) -> None:
    path = write_media(tmp_path / f"a.{kind}", [beeps(6.0, [1.0], FORMATS[kind][2])])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableRecording, match="moov") as caught:
        decode(path, tmp_path / "samples")
    assert "索引" in caught.value.zh
    assert not (tmp_path / "samples").exists()


def test_two_channels_become_their_mean(tmp_path: Path) -> None:
    left, right = beeps(3.0, [1.0], 16_000, 0.5), beeps(3.0, [2.0], 16_000, 0.3)
    path = write_media(tmp_path / "a.wav", [np.stack([left, right])], rate=16_000)
    _, audio = decode(path, tmp_path / "samples")
    # .5 and .3 alone in their channels: half of each. Not .35 and .21 (energy kept, FFmpeg's
    # float rule), which makes two equal channels 3 dB too loud.
    assert np.abs(audio.read(Span(1.0, 1.1))).max() == pytest.approx(0.25, abs=0.001)
    assert np.abs(audio.read(Span(2.0, 2.1))).max() == pytest.approx(0.15, abs=0.001)


@pytest.mark.parametrize(
    ("left", "right"), [(1.0, -1.0), (-1.0, 0.7), (0.0, 1.0), (1.0, 0.0), (0.001, 1.0)]
)
def test_channels_that_cancel_or_a_dead_one_still_give_the_sound(
    tmp_path: Path, left: float, right: float
) -> None:
    wave = beeps(6.0, [1.0, 3.5], 48_000)
    path = write_media(tmp_path / "a.flac", [np.stack([left * wave, right * wave])])
    _, audio = decode(path, tmp_path / "samples")
    assert starts(audio) == pytest.approx([1.0, 3.5], abs=WITHIN)
    # The louder channel at its full level of .5, not a half of it.
    assert np.abs(audio.read(Span(1.0, 1.1))).max() == pytest.approx(0.5, abs=0.02)


def test_the_first_track_with_speech_is_taken_or_the_one_asked_for(tmp_path: Path) -> None:
    tracks = [0.001 * beeps(6.0, [2.0], 48_000), beeps(6.0, [1.0], 48_000)]
    path = write_media(tmp_path / "a.mkv", tracks)
    heard: list[float] = []

    def has_speech(audio: Audio) -> bool:
        heard.append(audio.duration)
        return bool(starts(audio))

    recording, audio = decode(path, tmp_path / "samples", has_speech=has_speech)
    assert (recording.track, recording.tracks) == (1, 2)
    assert heard == pytest.approx([6.0, 6.0], abs=0.05)
    assert starts(audio) == pytest.approx([1.0], abs=WITHIN)
    assert decode(path, tmp_path / "samples")[0].track == 0
    assert decode(path, tmp_path / "samples", track=1)[0].track == 1
    with pytest.raises(UsageError, match="no audio track 2") as caught:
        decode(path, tmp_path / "samples", track=2)
    assert "0: aac, mono, 48000 Hz; 1: aac, mono, 48000 Hz" in caught.value.en


@pytest.mark.parametrize("kind", ["wav", "mp3", "opus", "mp4"])
def test_digital_silence_is_refused(tmp_path: Path, kind: str) -> None:
    path = write_media(tmp_path / f"a.{kind}", [np.zeros(6 * FORMATS[kind][2])])
    with pytest.raises(UnobservableRecording, match="silent") as caught:
        decode(path, tmp_path / "samples")
    assert "没有声音" in caught.value.zh
    assert sorted(item.name for item in tmp_path.iterdir()) == [f"a.{kind}"]


def test_a_third_of_a_second_is_refused(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", [beeps(0.3, [0.1], 44_100)])
    with pytest.raises(UnobservableRecording, match=r"0\.30 s of sound; at least 1 s"):
        decode(path, tmp_path / "samples")


def test_progress_rises_to_one_and_may_stop_the_work(tmp_path: Path) -> None:
    wave = beeps(60.0, [1.0], 48_000)
    path = write_media(tmp_path / "a.flac", [np.stack([wave, -wave])])  # needs a second pass
    shares: list[float] = []
    decode(path, tmp_path / "samples", on_progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 10
    assert shares[-1] == 1.0

    def stop(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(path, tmp_path / "other", on_progress=stop)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.flac", "samples"]


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """One minute and one hour, decoded and read through, differ by under 12 MB at the peak.

    The hour is 115 MB of samples. Ten hours were tried by hand: 57 MB at the peak, 13.4 CPU s.
    """
    program = """
        import resource, sys
        from pathlib import Path
        from observer.media import decode
        _, audio = decode(Path(sys.argv[1]), Path(sys.argv[2]))
        assert sum(len(block) for _, block in audio.blocks()) == len(audio.samples)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    peaks = []
    for seconds in (60, 3600):
        path = tmp_path / f"{seconds}.wav"
        _sparse_wav(path, seconds)
        peaks.append(int(_run(program, path, tmp_path / "samples")))
    assert peaks[1] - peaks[0] < 12_000, peaks  # kB


def test_a_full_disk_leaves_no_samples_behind(tmp_path: Path) -> None:
    """The process may write files of 64 KiB at most; 6 s of samples are 192 kB."""
    path = write_media(tmp_path / "a.wav", [beeps(6.0, [1.0], 44_100)])
    program = """
        import resource, sys
        from pathlib import Path
        from observer.errors import OutputError
        from observer.media import decode
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        try:
            decode(Path(sys.argv[1]), Path(sys.argv[2]))
        except OutputError as error:
            print(error.en)
    """
    assert "Could not write" in _run(program, path, tmp_path / "samples")
    assert list(tmp_path.iterdir()) == [path]


def test_the_samples_cannot_go_into_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", [beeps(2.0, [1.0], 44_100)])
    with pytest.raises(OutputError, match="folder does not exist"):
        decode(path, tmp_path / "no" / "samples")


def test_the_small_opus_keeps_the_clock_and_is_the_same_every_time(tmp_path: Path) -> None:
    audio = Audio.of(beeps(65.0, [1.0, 29.97, 64.5], 16_000))
    encode_opus(audio, tmp_path / "a.opus")
    first = (tmp_path / "a.opus").read_bytes()
    encode_opus(audio, tmp_path / "a.opus")
    assert (tmp_path / "a.opus").read_bytes() == first
    assert len(first) < 65 * 2_500  # 16 kbit/s are 2,000 bytes a second, and the container
    recording, back = decode(tmp_path / "a.opus", tmp_path / "samples")
    assert starts(back) == pytest.approx([1.0, 29.97, 64.5], abs=WITHIN)
    assert recording.duration == pytest.approx(65.0, abs=0.07)


def _sparse_wav(path: Path, seconds: int) -> None:
    """A constant and one second of tone at the end: 8 bit, 8 kHz, a hole on the disk."""
    size = seconds * 8000
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += b"\x01\0\x01\0" + (8000).to_bytes(4, "little") * 2 + b"\x01\0\x08\0"
    with path.open("wb") as file:
        file.write(head + b"data" + size.to_bytes(4, "little"))
        file.seek(len(head) + 8 + size - 8000)
        file.write((128 + 60 * np.sin(np.arange(8000) * 0.7)).astype(np.uint8).tobytes())


def _run(program: str, *arguments: Path) -> str:
    """Run a program in a process of its own and give what it printed."""
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    root = Path(__file__).parents[2]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
