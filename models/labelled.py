"""Labelled lessons on disk: what is really heard in them, from JSON or RTTM."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from observer.errors import RecordingError, UsageError
from observer.timeline import Role, Span, union

KINDS = {"choral": Role.CHORAL, "groupwork": Role.GROUP, "group": Role.GROUP}
TEACHERS = frozenset({"t", "teacher", "师", "老师", "教师"})
SOUND = (".opus", ".wav", ".flac", ".mp3", ".m4a", ".mp4", ".mkv", ".webm", ".ogg", ".aac")


@dataclass(frozen=True, slots=True)
class Truth:
    """What is really heard in a lesson."""

    name: str
    spans: tuple[tuple[Role, Span], ...]
    """Stretches by role; spans of one role may overlap (several students)."""
    knows_activities: bool
    """Whether choral and group work are told apart from single students."""

    def of(self, *roles: Role) -> list[Span]:
        """The merged stretches of `roles`."""
        return union(span for role, span in self.spans if role in roles)


def labelled_lessons(folder: Path) -> list[tuple[Path, Path]]:
    """(recording, truth) of a folder in order of name; JSON is preferred to RTTM.

    Raises UsageError when `folder` is no folder or holds no such pair.
    """
    if not folder.is_dir():
        raise UsageError(
            en=f"{folder} is not a folder. Give a folder of recordings with .json or .rttm truth.",
            zh=f"{folder} 不是文件夹。请给出含有录音及同名 .json 或 .rttm 标注的文件夹。",
        )
    pairs = []
    for sound in sorted(p for p in folder.iterdir() if p.suffix.lower() in SOUND):
        known = (sound.with_suffix(suffix) for suffix in (".json", ".rttm"))
        truth = next((path for path in known if path.is_file()), None)
        if truth is not None:
            pairs.append((sound, truth))
    if not pairs:
        raise UsageError(
            en=f"{folder.name} holds no recording with a .json or .rttm truth of the same name.",
            zh=f"文件夹 {folder.name} 中没有带同名 .json 或 .rttm 标注的录音。",
        )
    return pairs


def read_truth(path: Path) -> Truth:
    """Read a lesson's truth from JSON or RTTM. Raises RecordingError when it is neither."""
    try:
        text = path.read_text("utf-8")
        if path.suffix == ".json":
            spans = tuple(_from_json(json.loads(text)))
        else:
            spans = tuple(_from_rttm(text.splitlines()))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise RecordingError(
            en=f"The truth in {path.name} cannot be read ({error}): it needs segments with role "
            "and speech, or RTTM lines.",
            zh=f"无法读取标注 {path.name}（{error}）："
            "需要含 role 与 speech 的 segments，或 RTTM 行。",
        ) from error
    return Truth(path.stem, spans, path.suffix == ".json")


def _from_json(lesson: dict[str, list[dict[str, object]]]) -> Iterable[tuple[Role, Span]]:
    for segment in lesson["segments"]:
        kind = KINDS.get(str(segment.get("kind")))
        role = Role(str(segment["role"]))
        stretches = segment.get("speech") or [(segment["start"], segment["end"])]
        for start, end in stretches:  # type: ignore[attr-defined]
            yield (kind if kind and role == Role.STUDENT else role), Span(start, end)


def _from_rttm(lines: Iterable[str]) -> Iterable[tuple[Role, Span]]:
    for line in lines:
        field = line.split()
        if field and field[0] == "SPEAKER":
            start, length = float(field[3]), float(field[4])
            role = Role.TEACHER if field[7].lower() in TEACHERS else Role.STUDENT
            yield role, Span(start, start + length)
