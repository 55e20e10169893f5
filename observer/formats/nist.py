"""The line formats of speech evaluations: RTTM (who when), STM and CTM (words, too).

RTTM: NIST Rich Transcription 2009 evaluation plan, appendix A. STM and CTM: NIST SCTK.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from observer.formats.cues import Cue, Reading, check_times, damaged, no_words_note
from observer.formats.tiers import utterances_of
from observer.transcript import Word

_RTTM_KINDS = frozenset(
    "SPEAKER SPKR-INFO LEXEME NON-LEX NOSCORE NO_RT_METADATA SEGMENT SU EDIT FILLER IP CB A/P "
    "NON-SPEECH".split()
)
_NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
_STM = re.compile(
    rf"(\S+)\s+(\S+)\s+(\S+)\s+({_NUMBER})\s+({_NUMBER})(?:\s+(<[^>]*>))?(?:\s+(.*))?"
)
_CTM = re.compile(
    rf"(\S+)\s+(\S+)\s+({_NUMBER})\s+({_NUMBER})\s+(\S+)(?:\s+({_NUMBER}))?(?:\s+\S+){{0,2}}"
)


def _lines(text: str) -> list[tuple[int, str]]:
    numbered = ((n, line.strip()) for n, line in enumerate(text.split("\n"), 1))
    return [(n, line) for n, line in numbered if line and not line.startswith(";;")]


def is_rttm(text: str) -> bool:
    """Whether the first lines open with an RTTM type."""
    lines = _lines(text)[:5]
    return bool(lines) and all(line.split()[0] in _RTTM_KINDS for _, line in lines)


def _mostly(text: str, pattern: re.Pattern[str]) -> bool:
    lines = _lines(text)[:40]
    return bool(lines) and sum(bool(pattern.fullmatch(x)) for _, x in lines) >= 0.8 * len(lines)


def is_stm(text: str) -> bool:
    """Whether most lines are: recording, channel, speaker, start, end, words."""
    return _mostly(text, _STM)


def is_ctm(text: str) -> bool:
    """Whether most lines are: recording, channel, start, duration, word."""
    return _mostly(text, _CTM)


def read_rttm(text: str) -> Reading:
    """SPEAKER lines as utterances without words."""
    found: list[Cue] = []
    for number, line in _lines(text):
        fields = line.split()
        if fields[0] == "SPEAKER":
            if len(fields) < 8:
                raise damaged(
                    number, "an RTTM line has 9 or 10 fields", "RTTM 每行应有 9 或 10 个字段"
                )
            start, duration = _float(fields[3], number), _float(fields[4], number)
            check_times(start, start + duration, number)
            end = round(start + duration, 6)
            chance = _chance(fields[8]) if len(fields) > 8 else None
            found.append(
                Cue(
                    "",
                    start,
                    end,
                    fields[7],
                    line=number,
                    role_probability=chance,
                    recording=fields[1],
                )
            )
        elif fields[0] not in _RTTM_KINDS:
            raise damaged(number, f"not an RTTM type: {fields[0]}", f"不是 RTTM 类型：{fields[0]}")
    return Reading(tuple(found), notes=(no_words_note(),), prefixes=False)


def read_stm(text: str) -> Reading:
    """Segments with their speaker and words; IGNORE_TIME_SEGMENT lines are left out."""
    found: list[Cue] = []
    for number, line in _lines(text):
        match = _STM.fullmatch(line)
        if match is None:
            raise damaged(
                number,
                "an STM line is: recording channel speaker start end [<label>] words",
                "STM 每行应为：录音 声道 说话人 开始 结束 [<标签>] 文字",
            )
        words = (match[7] or "").strip()
        if words == "IGNORE_TIME_SEGMENT_IN_SCORING" or not words:
            continue
        start, end = float(match[4]), float(match[5])
        check_times(start, end, number)
        found.append(Cue(words, start, end, match[3], line=number, recording=match[1]))
    return Reading(tuple(found), prefixes=False)


def read_ctm(text: str) -> Reading:
    """Words, joined to utterances at pauses; the channel tells voices apart where it differs."""
    voices: dict[tuple[str, str], list[Word]] = {}
    for number, line in _lines(text):
        match = _CTM.fullmatch(line)
        if match is None:
            raise damaged(
                number,
                "a CTM line is: recording channel start duration word [confidence]",
                "CTM 每行应为：录音 声道 开始 时长 词 [置信度]",
            )
        start, end = float(match[3]), float(match[3]) + float(match[4])
        check_times(start, end, number)
        confidence = float(match[6]) if match[6] else None
        word = Word(match[5], start, round(end, 6), confidence)
        voices.setdefault((match[1], match[2]), []).append(word)
    cues: list[Cue] = []
    for (recording, channel), words in voices.items():
        several = sum(name == recording for name, _ in voices) > 1
        ordered = _lasting(sorted(words, key=lambda w: w.start))
        said = utterances_of(ordered, channel if several else None)
        cues += [replace(cue, recording=recording) for cue in said]
    return Reading(tuple(cues), prefixes=False)


LONGEST_WORD = 1.0
"""Seconds that a word without a duration is taken to last, at most up to the next word."""


def _lasting(words: Sequence[Word]) -> list[Word]:
    """The words; where none has a duration, each lasts until the next, up to LONGEST_WORD."""
    if any(w.end > w.start for w in words):
        return list(words)
    following = [w.start for w in words[1:]] + [float("inf")]
    return [
        replace(w, end=min(after, w.start + LONGEST_WORD))
        for w, after in zip(words, following, strict=True)
    ]


def _chance(text: str) -> float | None:
    """The confidence field as a probability; None for <NA> and for other scales."""
    if re.fullmatch(_NUMBER, text) and 0 < float(text) <= 1:
        return float(text)
    return None


def _float(text: str, number: int) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise damaged(number, f"{text!r} is not a number", f"{text!r} 不是数字") from error
