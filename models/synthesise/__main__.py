"""``python -m models.synthesise OUT [SCRIPT.toml ...]``: make the fixture lessons."""

import sys
from pathlib import Path

from models.synthesise import files
from models.synthesise.room import mix
from models.synthesise.script import read_script
from models.synthesise.stage import stage
from models.synthesise.truth import truth

SCRIPTS = Path(__file__).parents[2] / "fixtures" / "lessons"
USAGE = "usage: python -m models.synthesise OUT [SCRIPT.toml ...]\n"


def make(script_path: Path, out: Path) -> None:
    """Write one lesson's files into the folder `out`."""
    staged = stage(read_script(script_path))
    lesson = truth(staged)
    target = out / staged.script.name
    sound = mix(staged)
    files.write_opus(target.with_suffix(".opus"), sound)
    files.write_json(target.with_suffix(".json"), lesson)
    files.write_rttm(target.with_suffix(".rttm"), lesson)
    files.write_srt(target.with_suffix(".srt"), lesson)
    files.write_text(target.with_suffix(".txt"), lesson)


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
