"""What recognisers invent, found and taken out; nothing is dropped without a record.

Known failures of Whisper and the mitigations used here: text over silence, subtitle credits
from its training data, repetition loops, Traditional characters for Mandarin.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from observer.engines import Note
from observer.timeline import Seconds, Span, intersection, total


class Reason(StrEnum):
    """Why recognised text was dropped."""

    NO_SPEECH = "no_speech"
    LOW_SPEECH = "low_speech"
    STOCK_PHRASE = "stock_phrase"
    PROMPT_ECHO = "prompt_echo"
    REPETITION = "repetition"


_WHY: Final[dict[Reason, Note]] = {
    Reason.NO_SPEECH: Note("the recogniser itself heard no speech there", "识别器认为该处没有语音"),
    Reason.LOW_SPEECH: Note("it lies over silence", "该处基本是静音"),
    Reason.STOCK_PHRASE: Note(
        "a phrase recognisers invent over noise", "识别器在噪声中常凭空产生的套话"
    ),
    Reason.PROMPT_ECHO: Note("the recogniser's own prompt", "识别器自身的提示语"),
    Reason.REPETITION: Note("the recogniser repeated itself", "识别器陷入重复"),
}


@dataclass(frozen=True, slots=True)
class Dropped:
    """Text that was recognised and not kept."""

    start: Seconds
    end: Seconds
    text: str
    reason: Reason

    @property
    def note(self) -> Note:
        """The record in words."""
        why, place = _WHY[self.reason], f"{self.start:.1f}–{self.end:.1f} s"
        return Note(
            en=f"Dropped at {place}: “{self.text}” ({why.en}).",
            zh=f"已去除 {place} 处的“{self.text}”（{why.zh}）。",
        )


LOW_SPEECH: Final = 0.3
"""Text over a stretch with a smaller share of speech is dropped."""
THIN_SPEECH: Final = 0.5
"""Stock phrases are dropped below this share; a lesson may truly say “thank you”."""
THIN_CONFIDENCE: Final = 0.4
"""… or below this mean word confidence."""

_STOCK: Final = re.compile(
    r"(?:中文)?字幕(?:由|by|組|组|志愿者|志願者|製作|制作|提供).*"
    r"|.*amara ?\.? ?org.*"
    r"|.*(?:明镜与点点|明鏡與點點).*"
    r"|.*(?:点赞|點贊).{0,4}(?:订阅|訂閱).*"
    r"|.*(?:订阅|訂閱).{0,6}(?:转发|轉發|打赏|打賞).*"
    r"|(?:谢谢|謝謝|感谢|感謝)(?:大家|您的|你的)?(?:观看|觀看|收看|收听|收聽|聆听)?"
    r"|(?:请|請)?(?:不吝)?(?:点赞|點贊|订阅|訂閱)"
    r"|优优独播剧场.*|(?:本期)?(?:视频|節目|节目)就到这里"
    r"|(?:thank you|thanks)(?: (?:so|very) much)?(?: for (?:watching|listening))?"
    r"|(?:bye ?)+|you|subtitles? by .*|.*subscribe to (?:my|our|the) channel.*"
    r"|please subscribe.*|see you (?:in the )?next (?:time|video)",
    re.IGNORECASE,
)


def is_stock_phrase(text: str) -> bool:
    """Whether a sentence is one of the phrases Whisper invents over silence and noise."""
    return bool(_STOCK.fullmatch(_bare(text)))


def _bare(text: str) -> str:
    return re.sub(r"[\s。！？，、!?,;；:：…\"“”]+", " ", text).strip(" .")


def speech_share(span: Span, speech: Sequence[Span]) -> float:
    """Share of a stretch that is speech, 0..1; for an instant, whether speech is there."""
    if span.duration <= 0:
        return float(any(s.start <= span.start <= s.end for s in speech))
    return total(intersection([span], speech)) / span.duration


def doubt(
    text: str,
    span: Span,
    speech: Sequence[Span],
    *,
    confidence: float = 1.0,
    no_speech: float = 0.0,
    prompt: str | None = None,
) -> Reason | None:
    """Why a sentence over `span` is not to be believed; None when it is.

    `confidence` is its mean word confidence, `no_speech` the recogniser's own probability that
    its window holds no speech, `prompt` what the recogniser was given to begin with.
    """
    if prompt and _bare(text) == _bare(prompt):
        return Reason.PROMPT_ECHO
    share = speech_share(span, speech)
    if is_stock_phrase(text) and (
        share < THIN_SPEECH or confidence < THIN_CONFIDENCE or no_speech > 0.6
    ):
        return Reason.STOCK_PHRASE
    return Reason.LOW_SPEECH if share < LOW_SPEECH else None


def loops(pieces: Sequence[str]) -> list[range]:
    """Ranges of `pieces` that only repeat what stands before them.

    A phrase of four or more characters counts as a loop from its third saying in a row on, a
    shorter one from its eighth: children chant, and teachers say 对对对. The first is kept.
    """
    bare = [re.sub(r"[\s。！？，、!?,.;；:：…]+", "", p).lower() for p in pieces]
    found: list[range] = []
    at = 0
    while at < len(bare):
        size, times = _loop_at(bare, at)
        if times:
            found.append(range(at + size, at + size * times))
            at += size * times
        else:
            at += 1
    return found


def _loop_at(bare: Sequence[str], at: int) -> tuple[int, int]:
    """(length of the repeated phrase, how often it is said) from `at` on; times 0 for none."""
    for size in range(1, (len(bare) - at) // 3 + 1):
        phrase = list(bare[at : at + size])
        times = 1
        while list(bare[at + size * times : at + size * (times + 1)]) == phrase:
            times += 1
        if times >= (3 if len("".join(phrase)) >= 4 else 8):
            return size, times
    return 0, 0


@cache
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


def to_simplified(text: str) -> str:
    """Traditional characters to Simplified (OpenCC t2s); other text unchanged."""
    converted: str = _converter().convert(text)
    return converted


def simplified_pieces(pieces: Sequence[str]) -> list[str]:
    """Convert pieces of one text; phrases that cross pieces are converted as phrases."""
    whole = to_simplified("".join(pieces))
    if len(whole) != sum(map(len, pieces)):
        return [to_simplified(piece) for piece in pieces]
    made, at = [], 0
    for piece in pieces:
        made.append(whole[at : at + len(piece)])
        at += len(piece)
    return made
