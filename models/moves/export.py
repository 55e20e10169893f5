"""From trained weights to what ships: ONNX opset 17, weights as int8, one file."""

import shutil
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from models.moves.features import WIDTH
from models.moves.network import MovesNetwork, build

MODEL, TOKENIZER, SETTINGS = "model.onnx", "tokenizer.json", "settings.json"
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
