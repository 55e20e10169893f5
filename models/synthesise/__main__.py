"""``python -m models.synthesise OUT [SCRIPT.toml ...]``: make the fixture lessons."""

import sys
from pathlib import Path

from models.synthesise import files
from models.synthesise.board import board
from models.synthesise.room import mix
from models.synthesise.script import read_script
from models.synthesise.stage import Staged, opening, stage
from models.synthesise.truth import Json, truth
from models.synthesise.video import write_mp4
from models.synthesise.voices import Wave

SCRIPTS = Path(__file__).parents[2] / "fixtures" / "lessons"
USAGE = "usage: python -m models.synthesise OUT [SCRIPT.toml ...]\n"


def make(script_path: Path, out: Path) -> None:
    """Write one lesson's files into the folder `out`."""
    staged = stage(read_script(script_path))
    sound = mix(staged)
    target = out / f"{staged.script.name}.opus"
    files.write_opus(target, sound)
    lesson = truth(staged)
    _describe(target, lesson)
    files.write_text(target.with_suffix(".txt"), lesson)
    if staged.script.opening is not None:
        _film(opening(staged, staged.script.opening), sound, out)


def _film(staged: Staged, sound: Wave, out: Path) -> None:
    """The beginning of the lesson as a video, with its own truth."""
    target = out / f"{staged.script.name}.mp4"
    lesson = truth(staged)
    shown = zip(lesson["utterances"], staged.lines, strict=True)
    changes = [(u["start"], board(line.board)) for u, line in shown if line.board is not None]
    write_mp4(target, sound[: staged.samples], [(0.0, board(0)), *changes])
    _describe(target, lesson)


def _describe(recording: Path, lesson: Json) -> None:
    files.write_json(recording.with_suffix(".json"), lesson)
    files.write_rttm(recording.with_suffix(".rttm"), lesson)
    files.write_srt(recording.with_suffix(".srt"), lesson)


def main(arguments: list[str]) -> int:
    """Make every lesson that is asked for; exit code 2 when called wrongly."""
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write(USAGE)
        return 2
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    for script in [Path(a) for a in arguments[1:]] or sorted(SCRIPTS.glob("*.toml")):
        sys.stdout.write(f"{script.stem}\n")
        make(script, out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
