"""From trained weights to what ships: ONNX opset 17, weights as int8, one file."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from models.datasets.talkmoves import read_talkmoves
from models.moves.calibration import (
    Scored,
    confusion,
    disguised,
    read_lessons,
    scored,
    temperature,
    with_word_errors,
)
from models.moves.corruption import bare
from models.moves.examples import STUDENT_CODES, TEACHER_CODES, Vocabulary
from models.moves.features import WIDTH
from models.moves.network import MovesNetwork, build
from models.moves.runtime import MODEL, QUESTION_CODES, SETTINGS, TOKENIZER, MovesReader
from observer.files import write_atomically

VERSION = "1"
INPUTS = ("ids", "mask", "types", "dense")
OUTPUTS = ("teacher", "student", "question", "pooled")


def load_network(weights: Path, encoder: Path) -> MovesNetwork:
    """The trained network, ready to read."""
    import torch

    network = build(encoder)
    network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    return network.eval()


def write_onnx(network: MovesNetwork, file: Path) -> None:
    """The network in float32; batch and length are free, the mask is an int64 matrix."""
    import torch

    ids = torch.ones(2, 9, dtype=torch.int64)
    types = torch.tensor([[0] * 4 + [1] * 5] * 2)
    free = {0: "n", 1: "length"}
    with torch.no_grad():
        torch.onnx.export(
            network,
            (ids, torch.ones_like(ids), types, torch.zeros(2, WIDTH)),
            str(file),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=dict.fromkeys(INPUTS[:3], free)
            | {name: {0: "n"} for name in ("dense", *OUTPUTS)},
            opset_version=17,
            dynamo=False,
        )


def quantise(float_file: Path, file: Path) -> None:
    """Weights to int8 per output channel, activations quantised as they come.

    onnxruntime's own fusion of attention (onnxruntime.transformers) was slower here with int8:
    157 against 234 sentences per CPU-second.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(float_file), str(ready), skip_symbolic_shape=True)
        quantize_dynamic(ready, file, weight_type=QuantType.QInt8, per_channel=True)


def export(weights: Path, encoder: Path, out: Path) -> dict[str, str]:
    """Write the model and its tokenizer into `out`; returns {file: sha256}."""
    out.mkdir(parents=True, exist_ok=True)
    network = load_network(weights, encoder)
    with TemporaryDirectory() as folder:
        write_onnx(network, Path(folder) / "float.onnx")
        quantise(Path(folder) / "float.onnx", out / MODEL)
    shutil.copyfile(encoder / TOKENIZER, out / TOKENIZER)
    return {n: sha256((out / n).read_bytes()).hexdigest() for n in (MODEL, TOKENIZER)}


def ship(
    data: Path, weights: Path, out: Path, *, encoder: Path, recipe: Mapping[str, object]
) -> None:
    """Export, then fit the temperatures and count the confusions on the development lessons.

    Writes `out`/{model.onnx, tokenizer.json, settings.json}. Raises DatasetError.
    """
    sums = export(weights, encoder, out)
    lessons, origin = read_talkmoves(data, "dev")
    _, learnt = read_talkmoves(data, "train")
    settings = {
        "version": VERSION,
        "sha256": sums,
        "temperature": dict.fromkeys(("teacher", "student", "question"), 1.0),
        "recipe": dict(recipe),
        "learnt_from": asdict(learnt),
        "measured_on": asdict(origin),
    }
    _write(out, settings)
    reader = MovesReader(out)
    vocabulary = Vocabulary(lessons).running
    guises = {
        "bare": disguised(lessons, bare),
        "punctuated": lessons,
        "word_errors_20": with_word_errors(lessons, 0.2, vocabulary, seed=1),
    }
    heads = {k: scored(list(read_lessons(reader, v)), lessons) for k, v in guises.items()}
    settings["temperature"] = temperatures(heads)
    settings["confusion"] = {
        f"{head}_move": {k: confusion(found[head]).tolist() for k, found in heads.items()}
        for head in ("teacher", "student")
    } | {
        head: {k: confusion(found[head]).tolist() for k, found in heads.items()}
        for head in ("question_teacher", "question_student")
    }
    settings["codes"] = {
        "teacher_move": TEACHER_CODES,
        "student_move": STUDENT_CODES,
        "question": QUESTION_CODES,
    }
    _write(out, settings)


def temperatures(heads: Mapping[str, Mapping[str, Scored]]) -> dict[str, float]:
    """One temperature a head, from bare and punctuated lessons together."""
    parts = [heads["bare"], heads["punctuated"]]
    questions = ("question_teacher", "question_student")
    return {
        "teacher": temperature([p["teacher"] for p in parts]),
        "student": temperature([p["student"] for p in parts]),
        "question": temperature([heads["bare"][q] for q in questions]),
    }


def _write(out: Path, settings: Mapping[str, object]) -> None:
    text = json.dumps(settings, ensure_ascii=False, indent=1) + "\n"
    write_atomically(out / SETTINGS, text)
