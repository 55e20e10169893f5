"""Time stamps that jump, repeat, break or start anew: where the samples must end up.

Frames of .1 s, each filled with its own number, so that every sample tells where it came from.
"""

import io
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from observer.media import Audio, decode
from observer.mediafile import Piece
from observer.resampling import Mixdown, Placement
from observer.timeline import Span
from tests.media_files import beeps, write_media

FRAME = 1600  # .1 s at 16 kHz


def piece(number: int, time: float | None, after_damage: bool = False, rate: int = 16_000) -> Piece:
    samples = np.full((1, FRAME * rate // 16_000), number, np.int16)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate = rate
    return Piece(frame, time, after_damage)


def laid(pieces: Sequence[Piece], declared: float | None = None) -> tuple[list[int], list[Span]]:
    """The number heard in the middle of every tenth of a second, and the gaps."""
    out = io.BytesIO()
    placement = Placement(out, Mixdown(), declared)
    for _ in placement.lay(pieces):
        pass
    samples = np.frombuffer(out.getvalue(), "<i2")
    return [int(number) for number in samples[FRAME // 2 :: FRAME]], placement.gaps


def test_frames_without_a_break_follow_each_other() -> None:
    assert laid([piece(n, n / 10) for n in range(1, 5)]) == (
        [0, 1, 2, 3, 4],
        [Span(0.0, 0.1)],
    )


def test_frames_without_a_time_follow_the_one_before() -> None:
    pieces = [piece(1, 0.0), piece(2, None), piece(3, None), piece(4, 0.3)]
    assert laid(pieces) == ([1, 2, 3, 4], [])


def test_jitter_is_no_hole() -> None:
    times = [0.0, 0.11, 0.19, 0.33, 0.40]
    assert laid([piece(n + 1, time) for n, time in enumerate(times)]) == ([1, 2, 3, 4, 5], [])


def test_a_drift_is_caught_up_when_it_reaches_50_ms() -> None:
    # Each frame claims .12 s and holds .1 s: at the fourth the clock is .06 s behind.
    _, gaps = laid([piece(n + 1, 0.12 * n) for n in range(6)])
    (gap,) = gaps
    assert (gap.start, gap.end) == pytest.approx((0.3, 0.36))


def test_a_hole_is_silence() -> None:
    #  1  2  .  .  .  3  4
    pieces = [piece(1, 0.0), piece(2, 0.1), piece(3, 0.5), piece(4, 0.6)]
    heard, gaps = laid(pieces)
    assert heard == [1, 2, 0, 0, 0, 3, 4]
    assert [(gap.start, gap.end) for gap in gaps] == [pytest.approx((0.2, 0.5))]


def test_a_short_hole_counts_when_something_could_not_be_decoded() -> None:
    _, gaps = laid([piece(1, 0.0), piece(2, 0.12, after_damage=True), piece(3, 0.22)])
    assert [(gap.start, gap.end) for gap in gaps] == [pytest.approx((0.1, 0.12))]


def test_what_comes_twice_is_taken_once() -> None:
    #  1  2  3  4
    #        3' 4' 5      (3' and 4' cover the same time as 3 and 4)
    pieces = [piece(n, (n - 1) / 10) for n in (1, 2, 3, 4)]
    pieces += [piece(9, 0.2), piece(9, 0.3), piece(5, 0.4)]
    assert laid(pieces) == ([1, 2, 3, 4, 5], [])


def test_one_broken_time_stamp_moves_nothing() -> None:
    for broken in (0.9, 7.0, -3.0):
        pieces = [piece(1, 0.0), piece(2, 0.1), piece(3, broken), piece(4, 0.3), piece(5, 0.4)]
        assert laid(pieces) == ([1, 2, 3, 4, 5], []), broken


def test_a_clock_that_starts_anew_goes_on_where_it_was() -> None:
    # Two recordings joined: the second one's clock begins at 0 again, over 10 s back.
    pieces = [piece(1, 0.0), piece(2, 20.0), piece(3, 20.1)]
    pieces += [piece(4, 0.0), piece(5, 0.1), piece(6, 0.5), piece(7, 0.6)]
    heard, gaps = laid(pieces)
    assert heard[200:] == [2, 3, 4, 5, 0, 0, 0, 6, 7]
    assert [gap.start for gap in gaps] == pytest.approx([0.1, 20.4])


def test_a_jump_far_behind_the_declared_end_is_not_filled() -> None:
    pieces = [piece(1, 0.0), piece(2, 90_000.0), piece(3, 90_000.1)]
    assert laid(pieces, declared=60.0) == ([1, 2, 3], [])
    assert laid(pieces) == ([1, 2, 3], [])


def test_a_change_of_rate_in_the_middle_keeps_the_clock() -> None:
    pieces = [piece(1, 0.0), piece(2, 0.1), piece(3, 0.2, rate=48_000), piece(4, 0.3, rate=48_000)]
    pieces += [piece(5, 0.4)]
    assert laid(pieces)[0] == [1, 2, 3, 4, 5]


def test_without_speech_at_the_front_the_middle_decides(tmp_path: Path) -> None:
    """Eight minutes; both tracks silent for the first three, and one speaks at 4 min 30 s."""
    silent, late = beeps(480, [], 16_000), beeps(480, [270.0], 16_000)
    path = write_media(tmp_path / "a.mkv", [silent, late], rate=16_000)

    def has_speech(audio: Audio) -> bool:
        assert audio.duration <= 181
        return bool(np.abs(audio.samples).max() > 1000)

    assert decode(path, tmp_path / "samples", has_speech=has_speech)[0].track == 1


def test_a_full_disk_leaves_no_opus_behind(tmp_path: Path) -> None:
    program = """
        import resource, sys
        import numpy as np
        from pathlib import Path
        from observer.errors import OutputError
        from observer.media import Audio, encode_opus
        noise = Audio.of(0.1 * np.random.default_rng(0).standard_normal(60 * Audio.RATE))
        resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
        try:
            encode_opus(noise, Path(sys.argv[1]))
        except OutputError as error:
            print(error.en)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "a.opus")]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert "Could not write" in done.stdout
    assert list(tmp_path.iterdir()) == []
