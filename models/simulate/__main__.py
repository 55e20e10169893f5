"""Command line: ``python -m models.simulate OUT --clips DIR [--noise DIR] [--lessons N] …``."""

import argparse
import sys
from pathlib import Path

from models.simulate.lesson import KINDS
from models.simulate.make import Recipe, make_lessons
from observer.errors import ObserverError


def main(arguments: list[str] | None = None) -> int:
    """Make the lessons; 2 when they cannot be made."""
    parser = argparse.ArgumentParser("python -m models.simulate", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the lessons; it is made")
    parser.add_argument("--clips", type=Path, required=True, help="folder of one-speaker clips")
    parser.add_argument("--noise", type=Path, help="folder of noises and room responses")
    parser.add_argument(
        "--lessons", type=int, default=len(KINDS), help="how many (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same lessons")
    parser.add_argument("--minutes", type=float, default=4.0, help="length of one (default: 4)")
    parser.add_argument("--kinds", nargs="+", choices=[k.name for k in KINDS], help="only these")
    given = parser.parse_args(arguments)
    recipe = Recipe(given.clips, given.noise, given.seed, given.minutes, tuple(given.kinds or ()))
    try:
        for name in make_lessons(given.out, recipe, given.lessons):
            sys.stdout.write(f"{name}\n")
    except ObserverError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
