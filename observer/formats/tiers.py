"""Annotation tiers → cues: which tiers hold speech, which words, which speakers, which neither.

Praat and ELAN files say nothing about what a tier is for; its name and its values do. A tier
that is called by a speaker or by nothing known holds speech; "words" holds words; a tier whose
values are speakers (a diarization) tells who speaks in the others; phones, comments, gestures
and the like are left out, and a note names them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from observer.formats.cues import Cue, Note, Reading, no_words_note
from observer.formats.labels import declared_role, is_machine, normalised
from observer.timeline import Seconds
from observer.transcript import Word, join_text

SILENT = frozenset({"", "sil", "[sil]", "sp", "spn", "<eps>", "<sil>", "silence", "#", "<p:>"})
"""Values by which aligners mark silence."""

WORD_PAUSE = 0.5
"""Silence in seconds that ends an utterance where a file has only words."""

UNLABELLED = "utterances"
"""The tier that we write for utterances without a label."""

_MARKS = frozenset("1 x + * v s speech talk voice 说话 语音 有声".split())
"""Values that say that somebody speaks, not what."""
_FEWEST_MARKS = 3
"""Below that, "1" may be what a child answered."""

_PHONES = (
    r"phon(?:e|eme|emes|es|etic|etics)?|segments?|syll\w*|tones?|pinyin|音素|音段|音节|声调|拼音"
)
_WORDS = r"words?|词|字"
_OTHER = (
    r"comments?|notes?|memo|remarks?|annot\w*|cod(?:e|es|ing)|gestures?|gaze|posture|actions?"
    r"|activit(?:y|ies)|events?|phases?|stages?|episodes?|scenes?|topics?|moves?|acts?|irf|fias"
    r"|translations?|gloss\w*|pos|morph\w*|lemma\w*|f0|pitch|tobi|breaks?|noise|background|quality"
    r"|pauses?|silences?|overlap|备注|注释|评论|编码|手势|动作|环节|活动|事件|阶段|主题|翻译|译文"
    r"|词性|停顿|静音|噪声|背景|板书"
)
_TEXT = (
    r"text|utterances?|transcri\w+|sentences?|ortho\w*|default|speech|content|subtitles?|asr|tier"
    r"|话语|转写|文本|内容|句子|语句|文字|字幕|话轮"
)
_WHO = r"speakers?|spkr?s?|diari[sz]ation|who|roles?|turns?|participants?|说话人|发言人|角色|身份"
_KIND = re.compile(
    r"(?P<who>.*?)[\s_:@.-]*(?:\b|(?<=_)|(?<=[\u4e00-\u9fff])(?=..))"
    rf"(?:(?P<phones>{_PHONES})|(?P<words>{_WORDS})|(?P<other>{_OTHER})"
    rf"|(?P<text>{_TEXT})|(?P<speakers>{_WHO}))[\s_]*\d*",
    re.IGNORECASE,
)
_AT = re.compile(r"(?P<tag>[^@]{1,12})@(?P<who>[^@]+)")
"""ELAN's custom of naming tiers by kind and speaker: tx@ANN, ge@ANN."""
_TAGS = {"tx": "text", "utt": "text", "ut": "text", "po": "text", "wd": "words", "mot": "words"}
_MAUS = {"ort-mau": "words", "kan-mau": "phones", "mau": "phones", "mas": "phones"}
"""Tiers of the aligner WebMAUS."""
_BARE_WHO = re.compile(_WHO, re.IGNORECASE)
_KINDS = ("phones", "words", "other", "text", "speakers")
_LANE = re.compile(r"\s\[\d+\]$")

Entry = tuple[Seconds, Seconds, str]


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier: its name, who speaks in it where the file says so, and its stretches."""

    name: str
    entries: tuple[Entry, ...]
    participant: str | None = None


@dataclass(frozen=True, slots=True)
class _Judged:
    kind: str
    """"text", "words", "speakers", "phones" or "other"."""
    speaker: str | None
    tier: Tier


def lane_name(label: str, number: int) -> str:
    """The name of the `number`th tier of a label; the reader takes the number off again."""
    return label if number == 1 else f"{label} [{number}]"


def read_tiers(tiers: Sequence[Tier]) -> Reading:
    """Cues of all tiers that hold speech, in order of time."""
    filled = [t for t in map(_without_silence, tiers) if t.entries]
    judged = [_judged(t) for t in filled]
    chosen = [j for j in judged if j.kind == "text"] or [j for j in judged if j.kind == "words"]
    speakers = [j for j in judged if j.kind == "speakers"]
    cues = [cue for j in chosen for cue in _cues(j)]
    if not chosen:
        cues = [Cue("", s, e, label) for j in speakers for s, e, label in j.tier.entries]
    elif all(c.speaker is None for c in cues) and speakers:
        cues = _told_apart(cues, [entry for j in speakers for entry in j.tier.entries])
    if len(cues) >= _FEWEST_MARKS and all(
        c.text.casefold() in _MARKS or c.text == c.speaker for c in cues
    ):
        cues = [replace(c, text="", words=()) for c in cues]
    notes = list(_left_out([j.tier.name for j in judged if j.kind in ("phones", "other")]))
    if cues and not any(c.text for c in cues):
        notes.append(no_words_note())
    ordered = sorted(cues, key=lambda c: (c.start or 0.0, c.end or 0.0))
    # Bare texts may begin with "师：…"; tiers that are speakers settle that question.
    prefixes = all(c.speaker is None for c in cues)
    return Reading(tuple(ordered), notes=tuple(notes), prefixes=prefixes)


def own_tiers(tiers: Sequence[Tier], language: str | None) -> Reading:
    """Tiers as we write them: every one holds speech, whatever its words look like."""
    cues = [
        Cue(text, start, end, tier.participant)
        for tier in tiers
        for start, end, text in tier.entries
    ]
    ordered = sorted(cues, key=lambda c: (c.start or 0.0, c.end or 0.0))
    return Reading(tuple(ordered), language, ours=True, prefixes=False)


def _without_silence(tier: Tier) -> Tier:
    said = tuple((s, e, t.strip()) for s, e, t in tier.entries)
    return replace(tier, entries=tuple(x for x in said if x[2].casefold() not in SILENT))


def _judged(tier: Tier) -> _Judged:
    name = _LANE.sub("", tier.name.strip())
    if name.casefold() in _MAUS:
        return _Judged(_MAUS[name.casefold()], tier.participant, tier)
    if at := _AT.fullmatch(name):
        tagged = _KIND.fullmatch(at["tag"])
        kind = next(k for k in _KINDS if tagged[k]) if tagged else "text"
        kind = _TAGS.get(at["tag"].casefold(), kind)
        return _Judged(kind, tier.participant or at["who"].strip(), tier)
    match = _KIND.fullmatch(name)
    who = tier.participant or (match and match["who"].strip(" -_:.@")) or None
    kind = next(k for k in _KINDS if match[k]) if match else "text"
    if kind in ("text", "speakers"):
        if not tier.participant and _speaks(name):
            return _Judged("text", name, tier)
        if not (who and _speaks(who)) and _all_labels(tier):
            return _Judged("speakers", who, tier)
        if match is None and not name.isdecimal():
            who = tier.participant or name or None
        return _Judged("text", who, tier)
    return _Judged(kind, who, tier)


def _speaks(name: str) -> bool:
    """Whether a tier's name is a speaker's: a role, or a machine label with its number."""
    return declared_role(name) is not None or (
        is_machine(name) and not name.isdecimal() and not _BARE_WHO.fullmatch(name)
    )


def _all_labels(tier: Tier) -> bool:
    """Whether the values are speakers: roles or machine labels in words, not bare numbers."""
    values = {normalised(text) for _, _, text in tier.entries}
    return all(
        declared_role(v) is not None or (is_machine(v) and len(v) > 1 and not v.isdecimal())
        for v in values
    )


def _cues(judged: _Judged) -> Iterator[Cue]:
    if judged.kind == "words":
        words = [Word(t, s, e) for s, e, t in judged.tier.entries]
        yield from utterances_of(words, judged.speaker)
    else:
        yield from (Cue(t, s, e, judged.speaker) for s, e, t in judged.tier.entries)


def _told_apart(cues: Sequence[Cue], speakers: Sequence[Entry]) -> list[Cue]:
    """Each cue gets the speaker with whom it shares most time."""
    found: list[Cue] = []
    for cue in cues:
        start, end = cue.start or 0.0, cue.end or 0.0
        shared = [(min(e, end) - max(s, start), label) for s, e, label in speakers]
        most, label = max(shared, key=lambda pair: pair[0])
        found.append(replace(cue, speaker=label) if most > 0 else cue)
    return found


def utterances_of(words: Sequence[Word], speaker: str | None) -> Iterator[Cue]:
    """Words of one speaker as cues that end at pauses of WORD_PAUSE."""
    run: list[Word] = []
    for word in words:
        if run and word.start - run[-1].end >= WORD_PAUSE:
            yield _run_cue(run, speaker)
            run = []
        run.append(word)
    if run:
        yield _run_cue(run, speaker)


def _run_cue(run: Sequence[Word], speaker: str | None) -> Cue:
    text = join_text([w.text for w in run])
    return Cue(text, run[0].start, max(w.end for w in run), speaker, tuple(run))


def _left_out(names: Sequence[str]) -> Iterator[Note]:
    if names:
        shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
        yield Note(
            "left_out_tiers",
            f"{len(names)} tiers do not hold speech by their names and were left out: {shown}.",
            f"有 {len(names)} 层从名称看不是发言，未读取：{shown}。",
        )
