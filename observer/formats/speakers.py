"""Who speaks: labels get roles, unknown voices get them from talk and cues, names go.

A label that declares a role is believed. Every other label is judged by what its voice does:
talk, questions and the phrases by which a teacher runs a lesson. On 370 English lessons
(TalkMoves, train and dev, lessons with one teacher and named students; a lesson counts when
the teacher got the highest score) the three shares together found the teacher in 98.9 %, talk
alone in 93.8 %. Where the first voice led the second by more than .2 it was right in all 353,
below that in 13 of 17. The probabilities below are lower than that, because seminars and
other languages were not in the test. None of this is silent: the role carries a probability
and the import carries a note.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from observer.formats.cues import Cue, Note
from observer.formats.labels import (
    declared_role,
    is_machine,
    is_neutral_student,
    is_outsider,
    normalised,
    title,
)
from observer.formats.prefixes import labels_of
from observer.timeline import Role, Seconds

OTHERS_BESIDE_TEACHER = 0.95
"""Probability that an undeclared label is a student where another label says teacher.
A judgement: visitors and co-teachers are rare, but they exist."""

CLOSE_CALL, CLEAR_CALL, SAFE_CALL = 0.75, 0.9, 0.97
"""Probability of roles found by talk and cues, for a lead below .2, below .4, and above."""

_QUESTION = re.compile(
    r"[?？]|吗|呢(?:[。，]|$)|什么|怎么|怎样|为何|哪[个里些儿]|谁|多少|几[个种]"
    r"|^\W*(?:what|why|how|who|where|when|which|can (?:you|any)|could|do you|does|did you)\b",
    re.IGNORECASE,
)
_RUNS_THE_LESSON = re.compile(
    r"同学们|请坐|上课|下课|谁来|谁能|谁愿意|哪位|请你|你来|很好|非常好|真好|真棒|太棒|说得|不错|对不对|是不是"
    r"|我们来|今天我们|打开书|翻到|看黑板|安静|举手|还有吗|接着"
    r"|\b(?:good|great|excellent|exactly|very nice|nice job|all right|alright|anyone|anybody"
    r"|raise|let's|everybody|everyone|listen|please|guys|okay|right)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class DeclaredSpeaker:
    """One speaker label of the file, as it is kept."""

    label: str
    """Neutral for students whose label was a name."""
    role: Role | None
    probability: float | None
    """None where the label (or the person who imports) states the role."""
    basis: str
    """"label", "stated" (by the caller), "talk" (by talk and cues) or "unknown"."""
    entries: int
    """How many entries of the file bear it."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    role: Role | None
    probability: float | None
    basis: str


def assign(
    cues: Sequence[Cue],
    *,
    language: str,
    stated: Mapping[str, Role] | None = None,
    keep_names: bool = False,
) -> tuple[list[Cue], list[DeclaredSpeaker], list[Note]]:
    """Cues with roles and kept labels, the speakers, and what to tell about them.

    `stated` gives the role of labels as they stand in the file and overrules everything.
    Unless `keep_names`, labels that are names are replaced: a student's always, an
    undeclared teacher's too (the guess may be wrong, and then it is a student's name).
    """
    verdicts, notes = _verdicts(cues, {normalised(k): v for k, v in (stated or {}).items()})
    kept = {
        label: label if keep_names else _kept_label(label, verdict, language)
        for label, verdict in verdicts.items()
    }
    found = [_with_role(cue, verdicts, kept) for cue in cues]
    removed = sum(kept[label] != label for label in verdicts)
    if not verdicts and all(c.role is None for c in cues):
        notes.append(_no_speakers_note())
    if removed:
        notes.append(_names_note(removed))
    return found, _speakers(cues, verdicts, kept), notes


def _with_role(cue: Cue, verdicts: Mapping[str, _Verdict], kept: Mapping[str, str]) -> Cue:
    if cue.speaker is None:
        return cue
    verdict = verdicts[cue.speaker]
    if cue.role is not None:
        return replace(cue, speaker=kept[cue.speaker])
    chances = [p for p in (cue.role_probability, verdict.probability) if p is not None]
    probability = min(chances) if chances and verdict.role is not None else None
    return replace(cue, speaker=kept[cue.speaker], role=verdict.role, role_probability=probability)


def _kept_label(label: str, verdict: _Verdict, language: str) -> str:
    if is_machine(label):
        return label.strip()
    if verdict.role is Role.STUDENT:
        return label.strip() if is_neutral_student(label) else title(Role.STUDENT, language)
    if verdict.basis == "label":
        return label.strip()
    return title(verdict.role, language)


def _speakers(
    cues: Sequence[Cue], verdicts: Mapping[str, _Verdict], kept: Mapping[str, str]
) -> list[DeclaredSpeaker]:
    found: dict[tuple[str, _Verdict], int] = defaultdict(int)
    for cue in cues:
        if cue.speaker is not None:
            found[kept[cue.speaker], verdicts[cue.speaker]] += 1
    return [
        DeclaredSpeaker(label, v.role, v.probability, v.basis, count)
        for (label, v), count in found.items()
    ]


def _verdicts(
    cues: Sequence[Cue], stated: Mapping[str, Role]
) -> tuple[dict[str, _Verdict], list[Note]]:
    verdicts: dict[str, _Verdict] = {}
    unknown: list[str] = []
    for label in labels_of(cues):
        role = declared_role(label)
        if normalised(label) in stated:
            verdicts[label] = _Verdict(stated[normalised(label)], None, "stated")
        elif role is not None or is_outsider(label):
            verdicts[label] = _Verdict(role, None, "label")
        else:
            unknown.append(label)
            verdicts[label] = _Verdict(None, None, "unknown")
    notes = [_outsiders_note(n)] if (n := sum(map(is_outsider, verdicts))) else []
    if not unknown:
        return verdicts, notes
    if any(v.role is Role.TEACHER for v in verdicts.values()):
        student = _Verdict(Role.STUDENT, OTHERS_BESIDE_TEACHER, "talk")
        verdicts |= dict.fromkeys(unknown, student)
        return verdicts, [*notes, _beside_teacher_note(len(unknown))]
    students_declared = any(v.role is Role.STUDENT for v in verdicts.values())
    if len(unknown) == 1 and not students_declared:
        return verdicts, [*notes, _one_voice_note()]
    guess, note = _by_talk(cues, unknown)
    return verdicts | guess, [*notes, note]


def _by_talk(cues: Sequence[Cue], unknown: Sequence[str]) -> tuple[dict[str, _Verdict], Note]:
    """The voice with the highest score is the teacher, the others are students."""
    scores, worded = _scores(cues, unknown)
    order = sorted(unknown, key=lambda label: (-scores[label], unknown.index(label)))
    lead = scores[order[0]] - (scores[order[1]] if len(order) > 1 else 0.0)
    probability = CLOSE_CALL if lead < 0.2 else CLEAR_CALL if lead < 0.4 else SAFE_CALL
    if not worded:
        probability = min(probability, CLEAR_CALL)
    guess = {label: _Verdict(Role.STUDENT, probability, "talk") for label in order[1:]}
    guess[order[0]] = _Verdict(Role.TEACHER, probability, "talk")
    return guess, _by_talk_note(lead, probability, worded)


def _scores(cues: Sequence[Cue], labels: Iterable[str]) -> tuple[dict[str, float], bool]:
    """Mean of the shares of talk, questions and lesson-running phrases, 0..1 for each label.

    Without words (RTTM), the share of time.
    """
    wanted = set(labels)
    talk, seconds, questions, phrases = (defaultdict[str, float](float) for _ in range(4))
    for cue in cues:
        if cue.speaker in wanted:
            talk[cue.speaker] += len(cue.text)
            seconds[cue.speaker] += _length(cue)
            questions[cue.speaker] += bool(_QUESTION.search(cue.text))
            phrases[cue.speaker] += len(_RUNS_THE_LESSON.findall(cue.text))
    worded = sum(talk.values()) > 0
    tables = [t for t in ((talk, questions, phrases) if worded else (seconds,)) if sum(t.values())]
    return {
        label: sum(t[label] / sum(t.values()) for t in tables) / max(1, len(tables))
        for label in wanted
    }, worded


def _length(cue: Cue) -> Seconds:
    return cue.end - cue.start if cue.start is not None and cue.end is not None else 0.0


def _by_talk_note(lead: float, probability: float, worded: bool) -> Note:
    by_en = "talk, questions and the phrases that run a lesson" if worded else "talk time"
    by_zh = "说话量、提问和组织课堂的用语" if worded else "说话时间"
    return Note(
        "roles_by_talk",
        f"No label says who the teacher is. The voice that leads in {by_en} (by {lead:.2f}) was "
        f"taken for the teacher, the others for students (probability {probability:.2f}). "
        "State the roles if this is wrong.",
        f"标签里没有写明谁是老师。按{by_zh}领先（{lead:.2f}）的说话人视为老师，其余视为学生"
        f"（把握 {probability:.2f}）。如有误请指定角色。",
    )


def _beside_teacher_note(count: int) -> Note:
    return Note(
        "names_as_students",
        f"{count} speaker labels state no role; beside a declared teacher they were taken for "
        f"students (probability {OTHERS_BESIDE_TEACHER}). State the roles if one is an adult.",
        f"有 {count} 个说话人标签没有写明角色；因已有标明的老师，其余视为学生"
        f"（把握 {OTHERS_BESIDE_TEACHER}）。如其中有其他成人，请指定角色。",
    )


def _outsiders_note(count: int) -> Note:
    return Note(
        "other_adults",
        f"{count} speaker labels are of adults who neither teach nor learn here (a parent, a "
        "visitor …); they got no role.",
        f"有 {count} 个说话人标签是家长、来宾等既非老师也非学生的成人，未指定角色。",
    )


def _one_voice_note() -> Note:
    return Note(
        "one_voice",
        "All talk bears one speaker label, so teacher and students cannot be told apart by it; "
        "no role was given.",
        "全部内容只有一个说话人标签，无法据此区分老师和学生，未指定角色。",
    )


def _no_speakers_note() -> Note:
    return Note(
        "no_speakers",
        "The file does not say who speaks. Roles can come from a recording, not from it.",
        "文件没有说话人信息，无法据此区分老师和学生；可由录音得出角色。",
    )


def _names_note(count: int) -> Note:
    return Note(
        "names_removed",
        f"{count} speaker labels that may be students' names were replaced by neutral ones. "
        "Names spoken in the text stay as they are.",
        f"有 {count} 个可能是学生姓名的说话人标签已换成中性称呼；正文里说出的姓名保持原样。",
    )
