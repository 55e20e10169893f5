"""RTTM: who spoke when. It has no field for words, and none for utterances without times."""

import re

from observer.formats.writing.fields import Label, role_label, timed
from observer.transcript import Transcript, Utterance

RECORDING = "lesson"
NOBODY = "unknown"
"""Label where neither role nor speaker is known; it reads back as a machine label."""


def to_rttm(transcript: Transcript, label: Label) -> str:
    """One SPEAKER line an utterance; the probability of the role stands in the confidence field.

    Labels are roles in English (teacher, student …), so that scoring tools can read them.
    """
    lines = []
    for utterance in transcript:
        start, end = round(timed(utterance).start, 3), round(timed(utterance).end, 3)
        name = _name(utterance, label, transcript.language)
        chance = utterance.role_probability
        confidence = "<NA>" if chance is None or utterance.role is None else f"{chance:.4f}"
        lines.append(
            f"SPEAKER {RECORDING} 1 {start:.3f} {end - start:.3f} <NA> <NA> {name} {confidence} "
            "<NA>\n"
        )
    return "".join(lines)


def _name(utterance: Utterance, label: Label, language: str) -> str:
    if label is role_label and utterance.role is not None:
        return utterance.role.value
    return re.sub(r"\s+", "_", label(utterance, language) or NOBODY)
