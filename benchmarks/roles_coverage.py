"""Do the 95 % intervals of the talk figures cover the truth? Simulated lessons, shipped engines.

python benchmarks/roles_coverage.py --clips DIR --noise DIR --lessons 209 --seed 8 --heard HEARD
python benchmarks/roles_coverage.py --heard HEARD [--rows FILE]
python benchmarks/roles_coverage.py --rows FILE

Lessons are made by models.simulate (every kind in turn). What costs time is done once: HEARD gets
one .npz a lesson with its sound, its speech, its embedded windows and its truth (7 MB for 3.5
minutes); an interrupted run goes on where it stopped. From there the diarizer's and the role
assigner's rules are applied anew each time (.4 s a lesson), measured as the product does, kept in
FILE (one JSON line a lesson) and printed. With FILE alone only the intervals are drawn anew.
One thread a job; no network.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from models import DIARIZERS, ROLES, VADS, load
from models.evaluate.roles import Reliability, calibration_error, pooled, score_roles
from models.labelled import Truth, read_truth
from models.main_voice import Windows
from models.simulate.make import Recipe, make_lesson
from models.simulate.truth import write_truth
from observer.discourse import Discourse
from observer.engines import Swap
from observer.indicators import Material
from observer.indicators.basis import Basis
from observer.indicators.talk import indicators
from observer.media import Audio
from observer.quality import assess
from observer.timeline import Role, RoleSpan, Span, total
from observer.transcript import Transcript

Row = dict[str, Any]
FIGURES = (
    "teacher_share_of_speech", "teacher_share_of_lesson", "student_share_of_lesson", "group_time",
    "choral_time",
)  # fmt: skip
STUDENTS = (Role.STUDENT, Role.CHORAL, Role.GROUP)
AIM = 0.93


def hear(task: tuple[Recipe, int, Path]) -> str:
    """Make lesson `index` of a recipe, hear and embed it, keep it in a file; its name."""
    recipe, index, path = task
    audio, lesson = make_lesson(recipe, index)
    speech = load(VADS, "silero").speech(audio)
    windows = load(DIARIZERS, "ge2e").windows(audio, speech)
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        samples=audio.samples,
        speech=np.array([(s.start, s.end) for s in speech]),
        widening=assess(audio, speech).widening,
        centre=windows.centre,
        region=windows.region,
        vectors=windows.vectors,
        lesson=json.dumps(lesson, ensure_ascii=False),
    )
    part.rename(path)
    return path.stem


@dataclass(frozen=True, slots=True)
class Heard:
    """A simulated lesson after what costs time."""

    name: str
    kind: str
    audio: Audio
    speech: list[Span]
    windows: Windows
    widening: float
    truth: Truth


def read_heard(path: Path) -> Heard:
    """A lesson that `hear` has kept."""
    with np.load(path) as kept:
        lesson = json.loads(str(kept["lesson"]))
        audio = Audio(kept["samples"])
        speech = [Span(float(a), float(b)) for a, b in kept["speech"]]
        windows = Windows(kept["centre"], kept["region"], kept["vectors"])
        widening = float(kept["widening"])
    with TemporaryDirectory() as scratch:
        write_truth(Path(scratch), lesson)
        truth = read_truth(Path(scratch, f"{lesson['name']}.json"))
    kind = lesson["settings"]["kind"]
    return Heard(lesson["name"], kind, audio, speech, windows, widening, truth)


def row_of(path: Path) -> Row:
    """Voices, roles, truth and score of a lesson that was heard."""
    heard = read_heard(path)
    audio, speech, truth = heard.audio, heard.speech, heard.truth
    diarizer, roles = load(DIARIZERS, "ge2e"), load(ROLES, "acoustic")
    timeline = roles.assign(audio, speech, diarizer.attribute(audio, speech, heard.windows))
    score = score_roles(truth, timeline, audio.duration)
    return {
        "name": heard.name,
        "kind": heard.kind,
        "duration": audio.duration,
        "widening": heard.widening,
        "truth": figures_of(truth, audio.duration),
        "timeline": [(round(s.start, 3), round(s.end, 3), s.role, s.probability) for s in timeline],
        "notes": [note.en for note in diarizer.notes],
        "swap": [diarizer.swap.probability, diarizer.swap.share],
        "score": asdict(replace(score, reliability=())),
        "reliability": [asdict(b) for b in score.reliability],
    }


def figures_of(truth: Any, duration: float) -> dict[str, float]:
    """The true value of every figure of `FIGURES`."""
    teacher, student = (total(truth.of(*r)) for r in ((Role.TEACHER,), STUDENTS))
    values = (
        teacher / (teacher + student), teacher / duration, student / duration,
        total(truth.of(Role.GROUP)), total(truth.of(Role.CHORAL)),
    )  # fmt: skip
    return dict(zip(FIGURES, values, strict=True))


def measured(row: Row) -> dict[str, tuple[float, float | None, float | None]]:
    """(value, low, high) of every figure, as the report would give them."""
    timeline = tuple(RoleSpan(a, b, Role(role), p) for a, b, role, p in row["timeline"])
    material = Material(
        duration=row["duration"], timeline=timeline, exchanges=(), waits=(),
        discourse=Discourse(Transcript(language="und"), ()),
        widening=row["widening"], swap=Swap(*row["swap"]),
    )  # fmt: skip
    found = {i.name: i for i in indicators(Basis(material)) if i.value is not None}
    return {n: (i.value, i.low, i.high) for n, i in found.items() if n in FIGURES}  # type: ignore[misc]


def coverage(rows: Sequence[Row]) -> dict[str, tuple[float, float, int]]:
    """Figure → (share of intervals that cover the truth, mean width, lessons with one)."""
    inside: dict[str, list[bool]] = {name: [] for name in FIGURES}
    width: dict[str, list[float]] = {name: [] for name in FIGURES}
    for row in rows:
        for name, (_, low, high) in measured(row).items():
            if low is not None and high is not None:
                inside[name].append(low - 1e-6 <= row["truth"][name] <= high + 1e-6)
                width[name].append(high - low)
    return {
        name: (float(np.mean(inside[name])), float(np.mean(width[name])), len(inside[name]))
        for name in FIGURES
        if inside[name]
    }


def print_tables(rows: Sequence[Row]) -> bool:
    """Coverage, errors by kind and calibration; whether every share is covered as aimed."""
    print(f"\n{len(rows)} lessons, {sum(r['duration'] for r in rows) / 60:.0f} minutes")
    covered = coverage(rows)
    for name, (share, width, count) in covered.items():
        print(f"{name:26} covered {share:6.1%} of {count:3}   mean width {width:7.3f}")
    print("\nkind         n  |T/(T+S) error| median  90 %   worst    DER  confusion  uncovered")
    for kind in sorted({row["kind"] for row in rows}):
        print_kind(kind, [row for row in rows if row["kind"] == kind])
    print_kind("all", rows)
    bins = pooled(Reliability(**b) for row in rows for b in row["reliability"])
    print(f"\nECE {calibration_error(bins):.4f}")
    for b in bins:
        print(
            f"  {b.low:.1f}-{b.high:.1f} {b.seconds:8.0f} s  said {b.stated:.3f}  was {b.right:.3f}"
        )
    print_crowds(rows)
    return all(covered[name][0] >= AIM for name in FIGURES[:3])


def print_kind(kind: str, rows: Sequence[Row]) -> None:
    """One line of the table of errors."""
    errors = [abs(share_error(row)) for row in rows]
    rate = [row["score"]["error_rate"] or 0.0 for row in rows]
    confusion = [row["score"]["confusion"] or 0.0 for row in rows]
    missed = 1 - coverage(rows)[FIGURES[0]][0]
    median, ninety, worst = np.percentile(errors, [50, 90, 100])
    print(
        f"{kind:10} {len(rows):4}           {median:12.3f} {ninety:7.3f} {worst:7.3f} "
        f"{np.mean(rate):7.3f} {np.mean(confusion):8.3f} {missed:9.1%}"
    )


def share_error(row: Row) -> float:
    """Found minus true teacher_share_of_speech."""
    return float((row["score"]["teacher_share_found"] or 0.0) - row["score"]["teacher_share"])


def print_crowds(rows: Sequence[Row]) -> None:
    """Choral and group time, true and found, over the lessons that have any."""
    for name in ("choral", "group"):
        pairs = [(r["score"][name], r["score"][f"{name}_found"]) for r in rows]
        true, found = (sum(p[i] for p in pairs) for i in (0, 1))
        extra = sum(f for t, f in pairs if t == 0)
        print(f"{name}: true {true:.0f} s, found {found:.0f} s, {extra:.0f} s where none is")


def make(given: argparse.Namespace) -> None:
    """Hear the lessons that HEARD has not got yet, in as many processes as asked for."""
    given.heard.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(given.clips, given.noise, given.seed, given.minutes, tuple(given.kinds or ()))
    paths = [given.heard / f"{given.seed}_{i:04d}.npz" for i in range(given.lessons)]
    tasks = [(recipe, i, path) for i, path in enumerate(paths) if not path.exists()]
    with get_context("spawn").Pool(given.jobs) as pool:
        for number, name in enumerate(pool.imap_unordered(hear, tasks), start=1):
            print(f"{number}/{len(tasks)} {name}", file=sys.stderr)


def attributed(given: argparse.Namespace) -> list[Row]:
    """The rows of all lessons in HEARD, kept in FILE."""
    paths = sorted(p for p in given.heard.glob("*.npz") if ".part" not in p.name)
    with get_context("spawn").Pool(given.jobs) as pool:
        rows = list(pool.imap(row_of, paths))
    if given.rows is not None:
        given.rows.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return rows


def read_rows(path: Path) -> list[Row]:
    """The lessons of an earlier run."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def main() -> int:
    """Print the tables; exit code 1 when a share is covered less than `AIM`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clips", type=Path, help="folder of single-speaker clips")
    parser.add_argument("--noise", type=Path, help="folder of noises and room responses")
    parser.add_argument("--lessons", type=int, default=209)
    parser.add_argument("--minutes", type=float, default=3.5)
    parser.add_argument("--kinds", nargs="+", help="only these kinds of lesson")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--heard", type=Path, help="folder of lessons that were heard")
    parser.add_argument("--rows", type=Path, help="file of their rows")
    given = parser.parse_args()
    if given.heard is None and given.rows is None:
        parser.error("give --heard (with --clips to make lessons), or --rows")
    if given.clips is not None:
        make(given)
    rows = attributed(given) if given.heard is not None else read_rows(given.rows)
    return 0 if print_tables(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
