"""Talk moves: figures on development lessons, and speed beside row-by-row inference.

    python benchmarks/moves.py figures DATA [--only bare,punctuated] [--weights FOLDER]
    python benchmarks/moves.py speed DATA [--encoder FOLDER] [--sentences 900]

DATA holds talkmoves/dev.jsonl.gz. `figures` prints the tables of models/cards/moves_en.md.
`speed` compares, in one process and by turns, the shipped reader with the same network run in
float32 by transformers one pair at a time, as a first script does it; needs the extra `train`.
`--threads 0` gives both every core.
"""

import argparse
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from models.datasets.talkmoves import MovesLesson, MovesSentence, read_talkmoves
from models.moves.calibration import (
    Figures,
    Scored,
    calibration_error,
    confusion,
    cross_fitted,
    disguised,
    figures,
    read_lessons,
    scored,
    with_word_errors,
)
from models.moves.corruption import bare
from models.moves.examples import STUDENT_CODES, TEACHER_CODES, Vocabulary
from models.moves.features import dense
from models.moves.pairs import PieceTable
from models.moves.runtime import MovesReader, lines_of, softmax

ROUNDS = 3
"""How often the lesson is read by one, and a part of it by the other, in turn."""
Lessons = tuple[MovesLesson, ...]
Guise = Callable[[Lessons], Lessons]


def guises(lessons: Lessons) -> Mapping[str, tuple[Guise, bool]]:
    """Name → (what is done to the text, whether the next sentence is known)."""
    vocabulary = Vocabulary(lessons)
    plain: Guise = partial(disguised, change=bare)
    return {
        "bare": (plain, True),
        "punctuated": (lambda x: x, True),
        "bare with apostrophes": (
            partial(disguised, change=partial(bare, apostrophes=True)),
            True,
        ),
        "bare no next": (plain, False),
        "punctuated no next": (lambda x: x, False),
        "10 % word errors": (
            partial(with_word_errors, rate=0.1, vocabulary=vocabulary.running, seed=1),
            True,
        ),
        "20 % word errors": (
            partial(with_word_errors, rate=0.2, vocabulary=vocabulary.running, seed=1),
            True,
        ),
        "20 % word errors punctuated": (
            partial(
                with_word_errors, rate=0.2, vocabulary=vocabulary.running, seed=1, punctuated=True
            ),
            True,
        ),
        "20 % rare word errors": (
            partial(with_word_errors, rate=0.2, vocabulary=vocabulary.distinct, seed=1),
            True,
        ),
    }


def row(name: str, found: Figures, n: int, errors: tuple[float, float, float]) -> str:
    raw, shipped, fitted = errors
    return (
        f"| {name} | {n} | {found.micro:.3f} | {found.mean:.3f} | {found.macro:.3f} | "
        f"{raw:.3f} / {shipped:.3f} / {fitted:.3f} |"
    )


def show(guise: str, heads: Mapping[str, Scored], reader: MovesReader, seconds: float) -> None:
    print(f"\n### {guise} ({seconds:.0f} s)\n")
    print("| head | n | micro | mean | macro | ECE raw / shipped / cross-fitted |")
    print("|---|---|---|---|---|---|")
    for name, part in heads.items():
        found = figures(confusion(part))
        given = reader.settings.temperature[name.split("_")[0]]
        errors = tuple(
            calibration_error(p, part.truth)
            for p in (softmax(part.logits, 1.0), softmax(part.logits, given), cross_fitted(part))
        )
        print(row(name, found, len(part.truth), (errors[0], errors[1], errors[2])))
    for name, codes in (("teacher", TEACHER_CODES), ("student", STUDENT_CODES)):
        found = figures(confusion(heads[name]))
        print(f"\n| {name} | P | R | F1 | counted / true |\n|---|---|---|---|---|")
        for k, code in enumerate(codes):
            print(
                f"| {code} | {found.precision[k]:.2f} | {found.recall[k]:.2f} | "
                f"{found.f1[k]:.2f} | {found.bias[k]:.2f} |"
            )


def measure(args: argparse.Namespace) -> None:
    lessons, _ = read_talkmoves(args.data, "dev")
    reader = MovesReader(args.weights, threads=args.threads)
    known = guises(lessons)
    for name in args.only.split(",") if args.only else known:
        change, next_known = known[name]
        began = time.perf_counter()
        heads = scored(list(read_lessons(reader, change(lessons), next_known=next_known)), lessons)
        show(name, heads, reader, time.perf_counter() - began)


def compare(args: argparse.Namespace) -> None:
    """In turn, so that a busy machine slows both alike: ours reads the lesson as users read it,
    as a whole, theirs a third of it, which for one at a time makes no difference."""
    lessons, _ = read_talkmoves(args.data, "dev")
    said = [s for lesson in disguised(lessons, bare) for s in lesson.sentences][: args.sentences]
    reader = MovesReader(args.weights, threads=args.threads)
    theirs = row_by_row(args, said)
    reader.predict(said[:64])
    theirs(0, 8)
    clock = (time.perf_counter, time.process_time)
    spent = {"ours": [0.0, 0.0], "theirs": [0.0, 0.0]}
    step = max(1, len(said) // ROUNDS)
    n = step * ROUNDS
    for start in range(0, n, step):
        for name, run, share in (
            ("ours", lambda: reader.predict(said[:n]), 1 / ROUNDS),
            ("theirs", lambda i=start: theirs(i, i + step), 1.0),
        ):
            began = [c() for c in clock]
            run()
            for k, c in enumerate(clock):
                spent[name][k] += (c() - began[k]) * share
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{n} sentences, bare, {args.threads or 'all'} thread(s); per wall second | CPU second")
    for name, what in (
        ("ours", "shipped reader, all labels"),
        ("theirs", "transformers, one pair at a time"),
    ):
        print(f"{what}: {n / spent[name][0]:.0f} | {n / spent[name][1]:.0f}")
    ratios = [theirs / ours for ours, theirs in zip(spent["ours"], spent["theirs"], strict=True)]
    print(f"ratio: {ratios[0]:.1f} | {ratios[1]:.1f}; peak memory with torch {memory:.0f} MB")


def row_by_row(
    args: argparse.Namespace, said: Sequence[MovesSentence]
) -> Callable[[int, int], None]:
    """Tokenizer, encoder and heads on single pairs; texts and features are made beforehand."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from models.moves.network import MovesNetwork, encoder_folder

    if args.threads:
        torch.set_num_threads(args.threads)
    folder = encoder_folder(args.encoder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoder = AutoModel.from_pretrained(folder, add_pooling_layer=False)
    network = MovesNetwork(encoder, encoder.config.hidden_size).eval()
    lines, table = lines_of(said), PieceTable(folder / "tokenizer.json")
    pairs = [table.pair(lines, i, True) for i in range(len(lines))]
    texts = [(tokenizer.decode(list(p.a[1:-1])), tokenizer.decode(list(p.b[:-1]))) for p in pairs]
    features = torch.from_numpy(dense([x.said for x in lines], np.ones(len(lines), bool)))

    def run(start: int, stop: int) -> None:
        with torch.inference_mode():
            for i in range(start, stop):
                given = tokenizer(*texts[i], return_tensors="pt")
                network(
                    given["input_ids"],
                    given["attention_mask"],
                    given["token_type_ids"],
                    features[i : i + 1],
                )

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("figures", "speed"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--sentences", type=int, default=900)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    (measure if args.what == "figures" else compare)(args)


if __name__ == "__main__":
    main()
