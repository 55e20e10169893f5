"""A transcript beside recognition: the words stay a person's, their times come from the sound.

Each utterance's tokens (characters in Mandarin, words elsewhere) are matched with the tokens
that the recogniser heard around it (longest common subsequence blocks, difflib). Where enough
of them agree, the utterance takes the times of its first and last matched token; where they do
not, it keeps what alignment gave it.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from observer.engines import Note
from observer.timeline import Seconds
from observer.transcript import Transcript, Utterance, Word

AROUND: Seconds = 8.0
"""How far from its aligned place an utterance is looked for."""
ENOUGH = 0.6
"""Share of an utterance's tokens that must be heard before its times are believed."""
_TOKENS = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:['’][^\W_]+)?")


@dataclass(frozen=True, slots=True)
class Refined:
    """The transcript with better times, and how far the two witnesses agree."""

    transcript: Transcript
    note: Note


@dataclass(frozen=True, slots=True)
class _Heard:
    """One recognised token with its time."""

    text: str
    start: Seconds
    end: Seconds


def refined(transcript: Transcript, recognised: Transcript) -> Refined:
    """Give the approximate utterances of `transcript` the times at which they were recognised.

    Utterances with times of their own keep them. The note says which share of the transcript's
    tokens the recogniser heard at their place.
    """
    heard = [token for utterance in recognised for token in _heard(utterance)]
    starts = [token.start for token in heard]
    tokens = matched = 0
    utterances: list[Utterance] = []
    for utterance in transcript:
        wanted = _TOKENS.findall(utterance.text.lower())
        near = _near(utterance, heard, starts)
        pairs = _pairs(wanted, near)
        tokens += len(wanted)
        matched += len(pairs)
        believed = utterance.approximate and wanted and len(pairs) >= ENOUGH * len(wanted)
        utterances.append(_placed(utterance, wanted, near, pairs) if believed else utterance)
    return Refined(transcript.with_utterances(_in_order(utterances)), _note(matched, tokens))


def _heard(utterance: Utterance) -> list[_Heard]:
    """The tokens of a recognised utterance; a word's time is divided evenly among its tokens."""
    words: Sequence[Word] = utterance.words
    if not words and utterance.span is not None:
        words = (Word(utterance.text, utterance.span.start, utterance.span.end),)
    found: list[_Heard] = []
    for word in words:
        texts = _TOKENS.findall(word.text.lower())
        step = (word.end - word.start) / max(1, len(texts))
        found += [
            _Heard(text, word.start + i * step, word.start + (i + 1) * step)
            for i, text in enumerate(texts)
        ]
    return sorted(found, key=lambda token: token.start)


def _near(utterance: Utterance, heard: Sequence[_Heard], starts: Sequence[Seconds]) -> list[_Heard]:
    if utterance.span is None:
        return []
    first = bisect_left(starts, utterance.span.start - AROUND)
    last = bisect_left(starts, utterance.span.end + AROUND)
    return list(heard[first:last])


def _pairs(wanted: Sequence[str], near: Sequence[_Heard]) -> list[tuple[int, int]]:
    """Matched (index in `wanted`, index in `near`), in order."""
    matcher = SequenceMatcher(None, wanted, [token.text for token in near], autojunk=False)
    return [
        (block.a + i, block.b + i)
        for block in matcher.get_matching_blocks()
        for i in range(block.size)
    ]


def _placed(
    utterance: Utterance,
    wanted: Sequence[str],
    near: Sequence[_Heard],
    pairs: Sequence[tuple[int, int]],
) -> Utterance:
    """The utterance at its matched tokens; unmatched ones at its ends get their share of time."""
    (a, b), (y, z) = pairs[0], pairs[-1]
    pace = (near[z].end - near[b].start) / max(1, y - a + 1)
    start = max(0.0, near[b].start - a * pace)
    end = near[z].end + (len(wanted) - 1 - y) * pace
    return replace(utterance, start=round(start, 3), end=round(max(start, end), 3))


def _in_order(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Starts may not run backwards: one that does is set to the start before it."""
    ordered: list[Utterance] = []
    latest = 0.0
    for utterance in utterances:
        if utterance.start is None or utterance.end is None:
            ordered.append(utterance)
            continue
        start = max(latest, utterance.start) if utterance.approximate else utterance.start
        ordered.append(replace(utterance, start=start, end=max(start, utterance.end)))
        latest = max(latest, start)
    return ordered


def _note(matched: int, tokens: int) -> Note:
    share = f"{100 * matched / tokens:.0f} %" if tokens else "0 %"
    return Note(
        f"The recogniser heard {share} of the transcript's words at their place; sentences it "
        "heard took its times.",
        f"识别器在相应位置听到了转写文本 {share} 的字词；听到的句子采用识别得到的时间。",
    )
