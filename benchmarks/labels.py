"""Labels of a lesson: utterances a second and memory, Mandarin and English, one thread.

    OMP_NUM_THREADS=1 python benchmarks/labels.py DATA [--weights DIR] [--utterances 900]

DATA holds questions_zh/train.jsonl and talkmoves/dev.jsonl.gz. Each language runs in a process of
its own, from a cold start: loading of weights is told apart from labelling. Seconds of CPU are told
beside seconds of the clock, for machines that do other work, too. All labels of the labeller
"trained" are made, context layer and transferred moves included.
"""

import argparse
import gzip
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

BARS = {"zh": 1_000, "en": 250}
"""Utterances a second that must be reached on one thread."""


def spoken(data: Path, language: str, count: int) -> list[tuple[str, str]]:
    """(role, text) of `count` utterances; the Mandarin corpus has teachers only."""
    if language == "zh":
        lines = (data / "questions_zh" / "train.jsonl").read_text("utf-8").splitlines()
        texts = [str(json.loads(line)["text"]) for line in lines]
        roles = ["student" if i % 5 == 2 else "teacher" for i in range(len(texts))]
        return list(zip(roles, texts, strict=True))[:count]
    rows: list[tuple[str, str]] = []
    with gzip.open(data / "talkmoves" / "dev.jsonl.gz", "rt", encoding="utf-8") as lessons:
        for lesson in lessons:
            rows += [
                (u["role"], u["sentence"] or "")
                for u in json.loads(lesson)["utterances"]
                if u["role"] in ("teacher", "student")
            ]
            if len(rows) >= count:
                break
    return rows[:count]


def measure(language: str, data: Path, weights: Path | None, count: int) -> None:
    """Label once from cold and once more, and print."""
    began = time.perf_counter(), time.process_time()
    from models.labeller import TrainedLabeller
    from observer.timeline import Role
    from observer.transcript import Transcript, Utterance

    lines = spoken(data, language, count)
    told = Transcript(
        language, tuple(Utterance(str(i), t, role=Role(r)) for i, (r, t) in enumerate(lines))
    )
    engine = TrainedLabeller(own=weights)
    engine.label(told.with_utterances(told.utterances[:4]))
    loaded = time.perf_counter(), time.process_time()
    labels = engine.label(told)
    done = time.perf_counter(), time.process_time()
    cold = [b - a for a, b in zip(began, loaded, strict=True)]
    took = [b - a for a, b in zip(loaded, done, strict=True)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{language}: {len(told)} utterances, {len(labels)} labels, {memory:.0f} MB; loading "
        f"{cold[0]:.2f} s ({cold[1]:.2f} CPU), labelling {took[0]:.2f} s ({took[1]:.2f} CPU): "
        f"{len(told) / took[0]:,.0f}/s ({len(told) / took[1]:,.0f} a CPU second; bar "
        f"{BARS[language]:,})"
    )
    for note in engine.notes:
        print(note.en)


def main() -> None:
    """Both languages, each in its own process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--utterances", type=int, default=900)
    parser.add_argument("--language", choices=sorted(BARS))
    chosen = parser.parse_args()
    if chosen.language:
        measure(chosen.language, chosen.data, chosen.weights, chosen.utterances)
        return
    for language in BARS:
        subprocess.run([sys.executable, *sys.argv, "--language", language], check=True)


if __name__ == "__main__":
    main()
