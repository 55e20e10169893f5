"""From trained weights to what ships: ONNX opset 17, weights as int8, one file."""

import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from models.datasets.talkmoves import MovesLesson, read_talkmoves
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
from models.moves.examples import (
    STUDENT_CODES,
    TEACHER_CODES,
    Examples,
    Guise,
    Vocabulary,
    draw,
    of_one_length,
)
from models.moves.features import WIDTH
from models.moves.inference import DOMAIN, InferenceNetwork
from models.moves.network import MovesNetwork, build, encoder_folder
from models.moves.pairs import PieceTable
from models.moves.runtime import MODEL, QUESTION_CODES, SETTINGS, TOKENIZER, MovesReader, feed
from models.moves.training import RECIPE, WEIGHTS
from observer.files import write_atomically

VERSION = "2"
INPUTS = ("ids", "types", "dense", "places")
RANGE_ROWS = 2000
"""Examples from which the ranges of the activations are taken."""
Feed = dict[str, Any]
"""Name of an input → its array."""
OUTPUTS = ("teacher", "student", "question", "pooled")


def load_network(weights: Path, encoder: Path) -> MovesNetwork:
    """The trained network, ready to read."""
    import torch

    network = build(encoder)
    network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    return network.eval()


def write_onnx(network: MovesNetwork, file: Path) -> None:
    """The network in float32 for inference (and no longer for training); sizes are free."""
    import torch

    table = torch.tensor([[0] * 4 + [1] * 5] * 2)
    places = torch.tensor([[0, 4, 5, 6, 7, 8]] * 2)
    inputs = (table, table, torch.zeros(2, WIDTH), places)
    axes = {name: {0: "n", 1: "length"} for name in INPUTS[:2]} | {"places": {0: "n", 1: "places"}}
    with torch.no_grad():
        torch.onnx.export(
            InferenceNetwork(network).eval(),
            inputs,
            str(file),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=axes | {name: {0: "n"} for name in ("dense", *OUTPUTS)},
            opset_version=17,
            custom_opsets={DOMAIN: 1},
            dynamo=False,
        )


def quantise(float_file: Path, file: Path, seen: Iterable[Feed]) -> None:
    """Weights to int8 per output channel, activations to uint8 by their range over `seen`.

    onnxruntime's dynamic quantisation takes the range of each batch instead: there the same
    sentence read in other company differed by up to .13 in a probability. A feed with a "mask"
    has padding, which is left out; without one it must have none.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder:
        ready, dynamic = Path(folder) / "ready.onnx", Path(folder) / "dynamic.onnx"
        quant_pre_process(str(float_file), str(ready), skip_symbolic_shape=True)
        quantize_dynamic(ready, dynamic, weight_type=QuantType.QInt8, per_channel=True)
        model = onnx.load(str(dynamic))
        graph = model.graph
        dynamic_nodes = [n for n in graph.node if n.op_type == "DynamicQuantizeLinear"]
        ranges = _ranges(onnx.load(str(ready)), {n.input[0] for n in dynamic_nodes}, seen)
    _fix_ranges(graph, ranges)
    _fuse_products(graph)
    onnx.save(model, str(file))


def _ranges(model: Any, names: Collection[str], seen: Iterable[Feed]) -> dict[str, tuple[Any, Any]]:
    """Least and greatest value of each named tensor, padding left out."""
    import onnxruntime

    given = {o.name for o in (*model.graph.output, *model.graph.input)}
    for name in sorted(set(names) - given):
        model.graph.output.add().name = name
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    found: dict[str, tuple[Any, Any]] = {}
    for inputs in seen:
        told = [o.name for o in session.get_outputs()]
        values = dict(zip(told, session.run(told, inputs), strict=True))
        for name in names:
            value = inputs[name] if name in inputs else values[name]
            if "mask" in inputs and value.shape[:2] == inputs["mask"].shape:
                value = value[inputs["mask"] == 1]
            low, high = found.get(name, (0.0, 0.0))
            found[name] = min(low, value.min()), max(high, value.max())
    return found


def _fix_ranges(graph: Any, ranges: Mapping[str, tuple[Any, Any]]) -> None:
    """Replace each DynamicQuantizeLinear by a QuantizeLinear of fixed scale and zero point."""
    from onnx import helper, numpy_helper

    nodes = []
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            low, high = ranges[node.input[0]]
            step = np.float32((high - low) / 255)
            zero = np.uint8(round(float(-low / step)))
            quantised, scale, point = node.output
            graph.initializer.append(numpy_helper.from_array(np.array(step), scale))
            graph.initializer.append(numpy_helper.from_array(np.array(zero), point))
            inputs = [node.input[0], scale, point]
            nodes.append(helper.make_node("QuantizeLinear", inputs, [quantised], node.name))
        else:
            nodes.append(node)
    _replace(graph, nodes)


def _fuse_products(graph: Any) -> None:
    """MatMulInteger, Cast, Mul and the bias' Add as onnxruntime's one MatMulIntegerToFloat.

    It does so itself only while the scales are dynamic; unfused, they took 13 % of the time.
    """
    from onnx import helper

    users = {name: node for node in graph.node for name in node.input}
    made = {name: node for node in graph.node for name in node.output}
    gone, fused = set(), {}
    for node in (n for n in graph.node if n.op_type == "MatMulInteger"):
        cast = users[node.output[0]]
        scaled = users[cast.output[0]]
        added = users[scaled.output[0]]
        scales = made[next(x for x in scaled.input if x != cast.output[0])]
        bias = next(x for x in added.input if x != scaled.output[0])
        inputs = [node.input[0], node.input[1], *scales.input, node.input[2], "", bias]
        fused[added.output[0]] = helper.make_node(
            "MatMulIntegerToFloat", inputs, [added.output[0]], node.name, domain=DOMAIN
        )
        gone |= {n.output[0] for n in (node, cast, scaled, scales)}
    kept = (n for n in graph.node if n.output[0] not in gone)
    _replace(graph, [fused.get(n.output[0], n) for n in kept])


def _replace(graph: Any, nodes: Sequence[Any]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)


def feeds(shown: Examples, rows: int, seed: int = 0) -> Iterator[Feed]:
    """Batches of at most `rows` examples drawn at random, as the network takes them."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(shown))[:rows]
    pairs = [shown.pairs[i] for i in chosen]
    for part in of_one_length(pairs, 1024):
        yield feed([pairs[k] for k in part], shown.dense[chosen[part]])


def export(
    weights: Path, encoder: Path, out: Path, lessons: Sequence[MovesLesson]
) -> dict[str, str]:
    """Write the model and its tokenizer into `out`; returns {file: sha256}.

    `lessons`, of those learnt from, give the ranges of the activations.
    """
    out.mkdir(parents=True, exist_ok=True)
    network = load_network(weights, encoder)
    table = PieceTable(encoder / TOKENIZER)
    shown = draw(lessons, table, Vocabulary(lessons), Guise(), (0, 0))
    with TemporaryDirectory() as folder:
        write_onnx(network, Path(folder) / "float.onnx")
        quantise(Path(folder) / "float.onnx", out / MODEL, feeds(shown, RANGE_ROWS))
    shutil.copyfile(encoder / TOKENIZER, out / TOKENIZER)
    return {n: sha256((out / n).read_bytes()).hexdigest() for n in (MODEL, TOKENIZER)}


def ship(data: Path, run: Path, out: Path, *, encoder: Path | None = None) -> None:
    """Export what `training.train` left in `run`; fit and count on the development lessons.

    Writes `out`/{model.onnx, tokenizer.json, settings.json}. Raises DatasetError, MissingWeights.
    """
    recipe = json.loads((run / RECIPE).read_text(encoding="utf-8"))
    learnt_from, learnt = read_talkmoves(data, "train")
    sums = export(run / WEIGHTS, encoder_folder(encoder), out, learnt_from[::9])
    lessons, origin = read_talkmoves(data, "dev")
    settings = {
        "version": VERSION,
        "sha256": sums,
        "temperature": dict.fromkeys(("teacher", "student", "question"), 1.0),
        "recipe": recipe,
        "learnt_from": asdict(learnt),
        "measured_on": asdict(origin),
    }
    _write(out, settings)
    reader = MovesReader(out, threads=1)
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
    """One line a key, so that matrices stay readable and a difference is seen."""
    rows = (f'  "{k}": {json.dumps(v, ensure_ascii=False)}' for k, v in settings.items())
    write_atomically(out / SETTINGS, "{\n" + ",\n".join(rows) + "\n}\n")
