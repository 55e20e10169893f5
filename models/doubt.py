"""How sure the search for the main voice is: what probabilities lose, and what the report says.

Three ways in which a whole lesson can be misread: another voice is spread as widely as the one
taken for the teacher's; one voice and several can hardly be told apart; the enrolled voice is
not clearly heard. Errors of a single stretch are not meant here.
"""

from collections.abc import Iterator

import numpy as np

from models.main_voice import ONE_VOICE, UNLIKE, Voice
from observer.engines import Note
from observer.timeline import Seconds

CALIBRATION = np.array([0.379, 16.626, 0.499])
CALIBRATION_BIAS = -0.543
"""Log-odds that a stretch has the voice it was given, the main voice being the teacher's: per
log-odds of the smoothed windows (8 at most), per unit of cosine beyond the threshold (.15 at most),
and per e-fold of its length in seconds (.1 more). Fitted by benchmarks/roles_fit.py."""
CLOSE = 0.02
"""The same for the cosine of the two sides around `ONE_VOICE`."""
NARROW = 0.03
"""How fast the doubt falls as the enrolled voice is nearer to one voice than to the next: the
margin was .04 and more (median .2) in 30 lessons."""
TOLD = 0.05
"""Doubts from this on are told."""


def calibrated(probability: float, margin: float, seconds: Seconds) -> float:
    """What is stated of a stretch of one voice, at least .5.

    `probability` is the mean of its smoothed windows, which hold the evidence of one window for
    nearly independent of the next one's and so say too much; `margin` is how far its mean
    similarity lies on its side of the threshold.
    """
    p = min(max(probability, 1e-6), 1 - 1e-6)
    seen = (min(np.log(p / (1 - p)), 8.0), min(margin, 0.15), np.log(seconds + 0.1))
    score = CALIBRATION_BIAS + float(np.array(seen) @ CALIBRATION)
    return max(0.5, 1.0 / (1.0 + float(np.exp(-score))))


def swap_doubt(voice: Voice) -> float:
    """Probability that the main voice is not the teacher's: 0 to 0.5.

    What the choice among the voices of the lesson leaves to the others (`models.candidates`). With
    enrolment half when another voice is as near to the enrolled one, less by e for each `NARROW`;
    a quarter at least when none is near.
    """
    if voice.enrolled is not None:
        even = 0.5 * float(np.exp(-max(0.0, voice.margin) / NARROW))
        return max(even, 0.25 if voice.enrolled < UNLIKE else 0.0)
    return min(0.5, 1.0 - voice.chosen)


def split_doubt(voice: Voice) -> float:
    """Probability that one voice was split, or several were taken for one: 0 to 0.5."""
    if voice.likeness == 0.0:
        return 0.0
    return 0.5 * float(np.exp(-abs(voice.likeness - ONE_VOICE) / CLOSE))


def doubted(main: float, voice: Voice, *, is_main: bool) -> float:
    """`main`, the probability that a stretch is what it was taken for, less the doubts.

    Either doubt turns the reading round. A doubtful split casts doubt on the stretches of
    others, a doubtful single voice on those of the main voice.
    """
    split = split_doubt(voice) if is_main == (voice.likeness >= ONE_VOICE) else 0.0
    for doubt in (split, swap_doubt(voice)):
        main = main * (1.0 - doubt) + (1.0 - main) * doubt
    return main


def notes(voice: Voice) -> Iterator[Note]:
    """What the report must say."""
    if voice.enrolled is not None and swap_doubt(voice) >= TOLD:
        yield Note(
            "The teacher's voice that was given is not clearly heard in this recording, or is as "
            "near to another voice; check that it is the right clip. Who is the teacher is "
            "uncertain here.",
            "在录音中没有清楚地听到所提供的教师声音，或它与另一个声音同样接近，请核对样本是否正确。"
            "本次“谁是教师”的判断并不可靠。",
        )
    elif swap_doubt(voice) >= TOLD:
        yield Note(
            "Two voices are heard about equally throughout the lesson; which of them is the "
            "teacher's is uncertain. Give a clip of the teacher's voice (--teacher-voice).",
            "有两个声音在整节课中出现得差不多，难以确定哪一个是教师。"
            "请用 --teacher-voice 提供一段教师的声音。",
        )
    if split_doubt(voice) >= 2 * TOLD:
        yield Note(
            "The voices in this lesson are so alike that one speaker and several can hardly be "
            "told apart; the shares of teacher and students are uncertain.",
            "本节课的声音十分相近，难以分辨是一个人还是几个人在说话；师生话语占比并不可靠。",
        )
