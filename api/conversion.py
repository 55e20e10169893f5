"""Transcripts from one layout into another: what `observer transcript` does."""

from pathlib import Path

from observer import formats
from observer.errors import Language, UsageError


def convert(
    source: Path,
    target: Path,
    *,
    language: str | None,
    keep_names: bool,
    recording: str | None,
    told: Language,
) -> list[str]:
    """Read `source`, write `target` by its suffix; what a person must know, in `told`.

    Raises TranscriptError (cannot be read), OutputError (cannot be written, or the layout
    cannot hold it) and UsageError (unknown suffix, or both are the same file). `target` is
    written whole or not at all.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(
            en="INPUT and OUTPUT are the same file; choose another name for OUTPUT.",
            zh="输入与输出是同一个文件，请给输出另取文件名。",
        )
    imported = formats.read(source, language=language, keep_names=keep_names, recording=recording)
    formats.write(imported.transcript, target, keep_names=keep_names)
    roles = {u.role for u in imported.transcript} - {None}
    count = len(imported.transcript)
    summary = {
        "en": f"{imported.layout}: {count} utterances, {len(roles)} roles",
        "zh": f"{imported.layout}：{count} 条话语，{len(roles)} 种角色",
    }
    lines = [summary[told], *(note.zh if told == "zh" else note.en for note in imported.notes)]
    guessed = any(u.role_probability is not None for u in imported.transcript)
    if guessed and target.suffix.lstrip(".").casefold() not in HOLDS_PROBABILITY:
        lines.append(_LOST[told])
    return lines


HOLDS_PROBABILITY = frozenset({"json", "csv", "xlsx", "rttm"})
"""Formats that keep how sure a role is."""

_LOST = {
    "en": "Some roles were inferred; this format cannot say so. JSON, CSV, XLSX and RTTM can.",
    "zh": "部分角色是推断的，此格式无法注明；JSON、CSV、XLSX、RTTM 可以保留把握程度。",
}
