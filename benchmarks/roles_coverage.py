"""Do the 95 % intervals of the talk figures cover the truth? Simulated lessons, shipped engines.

python benchmarks/roles_coverage.py --clips DIR --noise DIR --lessons 240 --jobs 16 --out FILE
python benchmarks/roles_coverage.py --read FILE [--fit]

Lessons are made by models.simulate (every kind in turn), heard by voice activity, quality gate,
diarizer and role assigner, and measured as the product does. FILE gets one JSON line a lesson;
an interrupted run goes on where it stopped. --read prints the tables of a FILE again; --fit
looks on the lessons of even number for the spreads of observer.role_errors that cover best, and
prints the coverage of the odd ones. One thread a job; no network.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from models import DIARIZERS, ROLES, VADS, load
from models.evaluate import Reliability, calibration_error, pooled, score_roles
from models.labelled import read_truth
from models.simulate.make import Recipe, make_lesson
from models.simulate.truth import write_truth
from observer import role_errors
from observer.discourse import Discourse
from observer.engines import Swap
from observer.indicators import Material
from observer.indicators.basis import Basis
from observer.indicators.talk import indicators
from observer.quality import assess
from observer.timeline import Role, RoleSpan, total
from observer.transcript import Transcript

Row = dict[str, Any]
FIGURES = (
    "teacher_share_of_speech", "teacher_share_of_lesson", "student_share_of_lesson", "group_time",
    "choral_time",
)  # fmt: skip
STUDENTS = (Role.STUDENT, Role.CHORAL, Role.GROUP)
AIM = 0.93


def hear(task: tuple[Recipe, int]) -> Row:
    """Make lesson `index`, hear it, and put truth, timeline and score in one row."""
    recipe, index = task
    began = time.process_time()
    audio, lesson = make_lesson(recipe, index)
    with TemporaryDirectory() as scratch:
        write_truth(Path(scratch), lesson)
        truth = read_truth(Path(scratch, f"{lesson['name']}.json"))
    simulated = time.process_time()
    vad, diarizer, roles = load(VADS, "silero"), load(DIARIZERS, "ge2e"), load(ROLES, "acoustic")
    speech = vad.speech(audio)
    quality = assess(audio, speech)
    timeline = roles.assign(audio, speech, diarizer.diarize(audio, speech))
    score = score_roles(truth, timeline, audio.duration)
    return {
        "index": index,
        "kind": lesson["settings"]["kind"],
        "duration": audio.duration,
        "widening": quality.widening,
        "truth": figures_of(truth, audio.duration),
        "timeline": [(round(s.start, 3), round(s.end, 3), s.role, s.probability) for s in timeline],
        "notes": [note.en for note in diarizer.notes],
        "swap": [diarizer.swap.probability, diarizer.swap.share],
        "score": asdict(replace(score, reliability=())),
        "reliability": [asdict(b) for b in score.reliability],
        "cpu": [round(simulated - began, 1), round(time.process_time() - simulated, 1)],
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


def fit(rows: Sequence[Row]) -> None:
    """Search the spreads on the even lessons, report on the odd ones."""
    even, odd = ([r for r in rows if r["index"] % 2 == k] for k in (0, 1))
    print("\nFOUND_SD POWER   even: T/(T+S)  T/lesson  S/lesson  width   odd: the same")
    for found in (0.05, 0.06, 0.07, 0.08, 0.10):
        for power in (1.5, 2.0, 2.5):
            role_errors.FOUND_SD, role_errors.FOUND_POWER = found, power
            cells = [coverage(half) for half in (even, odd)]
            text = "   ".join(
                " ".join(f"{c[name][0]:8.1%}" for name in FIGURES[:3]) + f" {c[FIGURES[0]][1]:7.3f}"
                for c in cells
            )
            print(f"{found:8.2f} {power:5.1f}   {text}", flush=True)


def run(given: argparse.Namespace) -> list[Row]:
    """Hear the lessons that FILE has not got yet, in as many processes as asked for."""
    done = read_rows(given.out) if given.out.exists() else []
    known = {row["index"] for row in done}
    recipe = Recipe(given.clips, given.noise, given.seed, given.minutes, tuple(given.kinds or ()))
    tasks = [(recipe, i) for i in range(given.lessons) if i not in known]
    with (
        get_context("spawn").Pool(given.jobs) as pool,
        given.out.open("a", encoding="utf-8") as out,
    ):
        for row in progress(pool.imap_unordered(hear, tasks), len(tasks)):
            done.append(row)
            out.write(json.dumps(row) + "\n")
            out.flush()
    return sorted(done, key=lambda row: row["index"])


def progress(rows: Iterable[Row], count: int) -> Iterable[Row]:
    """`rows`, each told on stderr."""
    for number, row in enumerate(rows, start=1):
        print(f"{number}/{count} {row['kind']:10} {share_error(row):+.3f}", file=sys.stderr)
        yield row


def read_rows(path: Path) -> list[Row]:
    """The lessons of an earlier run, in order."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return sorted(rows, key=lambda row: row["index"])


def main() -> int:
    """Print the tables; exit code 1 when a share is covered less than `AIM`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clips", type=Path, help="folder of single-speaker clips")
    parser.add_argument("--noise", type=Path, help="folder of noises and room responses")
    parser.add_argument("--lessons", type=int, default=240)
    parser.add_argument("--minutes", type=float, default=3.5)
    parser.add_argument("--kinds", nargs="+", help="only these kinds of lesson")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file for the rows")
    parser.add_argument("--read", type=Path, help="rows of an earlier run")
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    if given.read is None and (given.clips is None or given.out is None):
        parser.error("give --clips and --out, or --read")
    rows = read_rows(given.read) if given.read else run(given)
    good = print_tables(rows)
    if given.fit:
        fit(rows)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
