"""Speakers written into the text: "王老师：…", "[Teacher] …", "- 生：…" become labels.

A colon is not proof of a speaker ("问题：…", "他说：…"), so the whole file decides: labels
of the table count, a name counts when it comes back or when nearly every cue has one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from observer.formats.cues import Cue, Note
from observer.formats.labels import (
    NOT_SPEAKERS,
    declared_role,
    is_machine,
    is_neutral_student,
    normalised,
)
from observer.timeline import Role

_LABEL = r"[^\s:：,，。.！!？?;；“”\"<>][^:：,，。！!？?;；“”\"<>\n]{0,23}?"
_COLON = re.compile(
    rf"\s*(?:[-–—•>]\s*)?(?:\*\*)?({_LABEL})(?:\*\*)?\s*[:：](?:\*\*)?\s*(.*)", re.S
)
_BRACKET = re.compile(
    r"\s*(?:[-–—•>]\s*)?[\[【(（<]([^\]】)）>\n]{1,24})[\]】)）>]\s*[:：]?\s*(.*)", re.S
)


@dataclass(frozen=True, slots=True)
class Prefix:
    """A text that may begin with its speaker."""

    label: str
    rest: str
    sure: bool
    """Whether the label is one of the tables (declares a role, or a machine label)."""


def split_prefix(text: str) -> Prefix | None:
    """The candidate speaker in front of a text, or None.

    A bracket counts only around a label of the tables and before words: "[笑声] …" and
    "（学生齐读）" on its own line are stage directions.
    """
    text = text.lstrip()
    if match := _BRACKET.fullmatch(text):
        label, rest = match.groups()
        if rest.strip() and _in_brackets(label):
            return Prefix(label.strip(), rest, sure=True)
    if match := _COLON.fullmatch(text):
        label, rest = match.groups()
        if normalised(label) in NOT_SPEAKERS or not any(c.isalpha() for c in label):
            return None
        if len(label.split()) > 4 or rest.startswith("//"):
            return None
        return Prefix(label.strip(), rest, sure=_known(label))
    return None


def _in_brackets(label: str) -> bool:
    role = declared_role(label)
    if role is Role.STUDENT:
        return is_neutral_student(label)  # not "（学生鼓掌）", which looks like a named student
    return role is not None or (is_machine(label) and not normalised(label).isdecimal())


def _known(label: str) -> bool:
    return declared_role(label) is not None or is_machine(label)


def accepted_labels(texts: Sequence[str]) -> frozenset[str]:
    """The prefix labels (normalised) that are speakers in this file.

    Labels of the tables: always, once they open a tenth of the texts (or two of them).
    Names: when they open at least two texts, or prefixes open three texts in five.
    """
    prefixes = [p for p in (split_prefix(t) for t in texts) if p is not None]
    sure = [p for p in prefixes if p.sure]
    counts = Counter(normalised(p.label) for p in prefixes)
    dense = len(prefixes) >= 0.6 * len(texts)
    if len(sure) < max(1, min(2, len(texts) // 4), 0.1 * len(texts)) and not dense:
        return frozenset()
    return frozenset(
        normalised(p.label) for p in prefixes if p.sure or dense or counts[normalised(p.label)] > 1
    )


def attribute(cues: Sequence[Cue]) -> tuple[list[Cue], list[Note]]:
    """Cues with the speakers found in their text; one cue of several voices becomes several.

    Where labels are written only when the speaker changes, a cue without one continues its
    predecessor, is marked by role_probability, and a note says how many there are.
    """
    unlabelled = [c.text for c in cues if c.speaker is None]
    labels = accepted_labels([line for text in unlabelled for line in text.split("\n")])
    if not labels:
        return list(cues), []
    found: list[Cue] = []
    carried = 0
    for cue in cues:
        pieces = [cue] if cue.speaker is not None else _pieces(cue, labels)
        for piece in pieces:
            if piece.speaker is None and found and found[-1].speaker is not None:
                carried += 1
                found.append(replace(piece, speaker=found[-1].speaker, role_probability=CARRIED))
            else:
                found.append(piece)
    return found, [_carried_note(carried)] if carried else []


CARRIED = 0.8
"""Probability given to a speaker that is continued from the cue before: a judgement, not a
measurement; transcribers do write labels only at changes, but also forget them."""


def _carried_note(count: int) -> Note:
    return Note(
        "continued_speakers",
        f"{count} entries have no speaker label; they were read as continuing the speaker before.",
        f"有 {count} 条没有说话人标记，按上一条的说话人续读。",
    )


def _pieces(cue: Cue, labels: frozenset[str]) -> list[Cue]:
    """Split a cue where its lines begin with accepted labels; times in proportion to length."""
    parts: list[tuple[str | None, list[str]]] = []
    for line in cue.text.split("\n"):
        prefix = split_prefix(line)
        if prefix is not None and normalised(prefix.label) in labels:
            parts.append((prefix.label, [prefix.rest]))
        elif parts:
            parts[-1][1].append(line)
        else:
            parts.append((None, [line]))
    if len(parts) == 1:
        label, lines = parts[0]
        return [replace(cue, speaker=label, text="\n".join(lines))]
    voices = [(label, "\n".join(lines)) for label, lines in parts]
    return share_out(cue, voices)


def share_out(cue: Cue, voices: Sequence[tuple[str | None, str]]) -> list[Cue]:
    """One cue as several, its time divided in proportion to the characters (approximate)."""
    whole = sum(len(text) + 1 for _, text in voices)
    pieces: list[Cue] = []
    done = 0
    for label, text in voices:
        start, end = cue.start, cue.end
        if cue.start is not None and cue.end is not None:
            length = cue.end - cue.start
            start = round(cue.start + length * done / whole, 3)
            done += len(text) + 1
            end = round(cue.start + length * done / whole, 3)
        pieces.append(
            replace(cue, speaker=label, text=text, start=start, end=end, words=(), approximate=True)
        )
    return pieces


def labels_of(cues: Iterable[Cue]) -> list[str]:
    """The distinct labels of the cues, in the order of their first appearance."""
    return list(dict.fromkeys(c.speaker for c in cues if c.speaker is not None))
