"""WebVTT and SubRip."""

from observer.formats.clock import format_clock
from observer.formats.subtitles import SRT_ARROW, VTT_HEADER
from observer.formats.writing.fields import Label, one_line, timed
from observer.transcript import Transcript


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def to_vtt(transcript: Transcript, label: Label) -> str:
    """WebVTT with a voice tag of the role on every cue (https://www.w3.org/TR/webvtt1/)."""
    blocks = [f"{VTT_HEADER}\nLanguage: {transcript.language}"]
    for utterance in transcript:
        span = timed(utterance)
        name = label(utterance, transcript.language)
        voice = f"<v {_escape(name)}>" if name else ""
        times = f"{format_clock(span.start)} --> {format_clock(span.end)}"
        words = _escape(one_line(utterance.text))
        blocks.append(f"{one_line(utterance.id)}\n{times}\n{voice}{words}")
    return "\n\n".join(blocks) + "\n"


def to_srt(transcript: Transcript, label: Label) -> str:
    """SubRip with the role before the words; an arrow in the words is broken invisibly."""
    colon = "：" if transcript.language == "zh" else ": "
    blocks = []
    for number, utterance in enumerate(transcript, 1):
        span = timed(utterance)
        name = label(utterance, transcript.language)
        text = (f"{name}{colon}" if name else "") + one_line(utterance.text)
        times = f"{format_clock(span.start, ',')} --> {format_clock(span.end, ',')}"
        blocks.append(f"{number}\n{times}\n{text.replace('-->', SRT_ARROW)}")
    return "\n\n".join(blocks) + "\n"
