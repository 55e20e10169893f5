"""Writing what was made: Opus, JSON, RTTM and the transcript as people have it."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np

from models.synthesise.voices import RATE, Wave

Json = dict[str, Any]

OPUS_BITRATE = 16_000
BLOCK = 960
"""Samples handed to the encoder at once: three Opus frames."""
BITEXACT = {"fflags": "+bitexact"}
"""No random stream serial and no encoder name in the container: the same sound, the same bytes."""

PREFIX = {
    "zh": {"teacher": "师：", "student": "生：", "choral": "生（齐）："},
    "en": {"teacher": "Teacher: ", "student": "Student: ", "choral": "Students: "},
}
"""Speaker labels of a transcript, by language and role."""


def write_opus(path: Path, sound: Wave) -> None:
    """Encode float samples (n,) of 16 kHz as Ogg Opus."""
    pcm = np.round(sound * 32767).astype(np.int16)
    with av.open(str(path), "w", format="ogg", options=BITEXACT) as container:
        stream = container.add_stream("libopus", rate=RATE, options={"application": "voip"})
        stream.layout = "mono"
        stream.bit_rate = OPUS_BITRATE
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for first in range(0, len(pcm), BLOCK):
            frame = av.AudioFrame.from_ndarray(pcm[None, first : first + BLOCK], "s16", "mono")
            frame.sample_rate = RATE
            frame.pts = first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_json(path: Path, truth: Json) -> None:
    """One line for every item of a list, so that a change shows as a readable difference."""
    parts = []
    for key, value in truth.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value:
            rows = ",\n".join("  " + json.dumps(item, ensure_ascii=False) for item in value)
            text = f"[\n{rows}\n ]"
        parts.append(f' "{key}": {text}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")


def write_rttm(path: Path, truth: Json) -> None:
    """Every audible stretch of every voice, in order of start."""
    rows = sorted((a, b - a, s["speaker"]) for s in truth["segments"] for a, b in s["speech"])
    path.write_text(
        "".join(
            f"SPEAKER {truth['name']} 1 {start:.3f} {length:.3f} <NA> <NA> {speaker} <NA> <NA>\n"
            for start, length, speaker in rows
        ),
        "utf-8",
    )


def write_srt(path: Path, truth: Json) -> None:
    """The transcript with times; a prefix tells who speaks."""
    prefix = PREFIX[truth["lang"]]
    cues = [
        f"{number}\n{_clock(u['start'])} --> {_clock(u['end'])}\n{prefix[u['role']]}{u['text']}\n"
        for number, u in enumerate(truth["utterances"], 1)
    ]
    path.write_text("\n".join(cues), "utf-8")


def write_text(path: Path, truth: Json) -> None:
    """The transcript without times, one turn a line, as teachers write up a lesson."""
    prefix = PREFIX[truth["lang"]]
    turns: list[tuple[str, str]] = []
    for utterance in truth["utterances"]:
        role, text = utterance["role"], utterance["text"]
        if turns and turns[-1][0] == role:
            joint = "" if truth["lang"] == "zh" else " "
            turns[-1] = (role, turns[-1][1] + joint + text)
        else:
            turns.append((role, text))
    path.write_text("".join(f"{prefix[role]}{text}\n" for role, text in turns), "utf-8")


def _clock(seconds: float) -> str:
    """SRT time: 00:01:02,345."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"
