"""How far the sound confirms the roles that a transcript's labels declare."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor

from observer.alignment import align
from observer.formats.assembly import ImportedTranscript
from observer.formats.cues import Note
from observer.splitting import RoleVotes, sides, talk_of
from observer.timeline import Role, RoleSpan, Seconds
from observer.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the sound confirms the roles that the labels of a transcript declare."""

    share: float | None
    """Share of compared seconds with the same side (teacher or students); None without any."""
    seconds: Seconds
    """Seconds compared: declared role, and talk heard."""
    teacher_as_student: Seconds
    """The label says teacher, the sound says student (or a choir)."""
    student_as_teacher: Seconds
    independent: bool
    """False when times are approximate, perhaps aligned with the help of the roles: the share
    then flatters."""

    @property
    def note(self) -> Note | None:
        """One sentence for the report; None when there was nothing to compare."""
        if self.share is None:
            return None
        share, seconds = f"{floor(100 * self.share)} %", f"{self.seconds:.0f}"
        return Note(
            "witness_agreement",
            f"The recording confirms the transcript's teacher and student labels in {share} of "
            f"{seconds} s of talk"
            + ("." if self.independent else " (times are approximate, so this may flatter)."),
            f"转写文本标注的师生身份与录音判断在 {seconds} 秒发言中有 {share} 一致"
            + ("。" if self.independent else "（时间为近似值，该比例可能偏高）。"),
        )


def witness_agreement(
    imported: ImportedTranscript | Transcript, timeline: Sequence[RoleSpan]
) -> Agreement:
    """Compare declared roles with the sound, second by second of the utterances.

    Without own times the transcript is first aligned to the talk *without* its roles, so that
    the comparison stays one between two witnesses. That needs sentences: whole turns, among
    them those around group work, are too long to be placed by their length alone.
    """
    transcript = imported if isinstance(imported, Transcript) else imported.transcript
    independent = not any(u.approximate and u.span is not None for u in transcript)
    if not transcript.timed:
        bare = transcript.with_utterances([replace(u, role=None) for u in transcript])
        placed = align(bare, talk_of(timeline))
        transcript = transcript.with_utterances(
            [replace(u, start=p.start, end=p.end) for u, p in zip(transcript, placed, strict=True)]
        )
    roles = RoleVotes(timeline)
    same = wrong_student = wrong_teacher = 0.0
    for utterance in transcript:
        if utterance.role_probability is not None or utterance.span is None:
            continue
        teacher, students = sides(utterance.span, roles, decided=True)
        if utterance.role is Role.TEACHER:
            same += teacher
            wrong_student += students
        elif utterance.role in (Role.STUDENT, Role.CHORAL, Role.GROUP):
            same += students
            wrong_teacher += teacher
    seconds = same + wrong_student + wrong_teacher
    share = same / seconds if seconds > 0 else None
    return Agreement(share, seconds, wrong_student, wrong_teacher, independent)
