"""Sound for the tests of the speech engines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from observer.media import Audio, decode

LESSONS = Path(__file__).parents[2] / "fixtures" / "lessons"


@pytest.fixture(scope="session")
def fixture_lesson(tmp_path_factory: pytest.TempPathFactory) -> Audio:
    """The Mandarin fixture lesson (synthetic voices), decoded once."""
    return decode(LESSONS / "zh_triangle.opus", tmp_path_factory.mktemp("sound") / "samples")[1]


class OnnxScript:
    """Builds models of sherpa-onnx that say given tokens: real ONNX files with constant answers."""

    def sense_voice(self, folder: Path, tokens: list[str], language: str = "zh") -> Path:
        """Token k is heard in frame 5 + 4 k (60 ms each): at 0.30, 0.54, 0.78 … s."""
        import onnx.helper as h
        from onnx import TensorProto

        ends = [f"<|{language}|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>"]
        names = ["<blk>", *dict.fromkeys([*tokens, "<|zh|>", *ends])]
        table = np.full((1, 1000, len(names)), -20, np.float32)
        table[0, :, 0] = 0
        frames = [*range(4), *(9 + 4 * k for k in range(len(tokens)))]
        for frame, token in zip(frames, [*ends, *tokens], strict=True):
            table[0, frame, 0], table[0, frame, names.index(token)] = -20, 0
        nodes = [
            h.make_node("Shape", ["x"], ["shape"]),
            h.make_node("Gather", ["shape", "one"], ["frames"]),
            h.make_node("Add", ["frames", "four"], ["end"]),
            h.make_node("Slice", ["table", "zero", "end", "one"], ["logits"]),
        ]
        numbers = {"zero": np.array([0]), "one": np.array([1]), "four": np.array([4])}
        asked = {name: (TensorProto.INT32, ["N"]) for name in ("x_length", "language", "text_norm")}
        codes = {"lang_auto": 0, "lang_zh": 3, "lang_en": 4, "lang_yue": 7, "lang_ja": 11}
        meta = {"model_type": "sense_voice_ctc", "normalize_samples": 0, "lang_ko": 12, **codes}
        self._save(
            folder,
            names,
            nodes,
            {"x": (TensorProto.FLOAT, ["N", "T", 560]), **asked},
            {"logits": (TensorProto.FLOAT, [1, "L", len(names)])},
            {"table": table, **numbers},
            {**meta, "with_itn": 14, "without_itn": 15},
        )
        return folder

    def paraformer(self, folder: Path, tokens: list[str], *, times: bool = True) -> Path:
        """Token k has its peak at 15 + 12 k (20 ms each): at 0.30, 0.54, 0.78 … s."""
        import onnx.helper as h
        from onnx import TensorProto

        names = ["<blank>", "<s>", "</s>", *dict.fromkeys(tokens), "<unk>"]
        said = [*(names.index(t) for t in tokens), 2]
        table = np.full((1, len(said), len(names)), -20, np.float32)
        table[0, range(len(said)), said] = 0
        peaks = np.zeros((1, 3000), np.float32)
        peaks[0, [15 + 12 * k for k in range(len(said))]] = 1
        answers = {
            "logits": (table, TensorProto.FLOAT, [1, "L", len(names)]),
            "token_num": (np.array([len(said)], np.int32), TensorProto.INT32, [1]),
        }
        if times:
            for name in ("us_alphas", "us_cif_peak"):
                answers[name] = (peaks, TensorProto.FLOAT, [1, 3000])
        self._save(
            folder,
            names,
            [h.make_node("Identity", [f"{name}_value"], [name]) for name in answers],
            {
                "speech": (TensorProto.FLOAT, ["N", "T", 560]),
                "speech_lengths": (TensorProto.INT32, ["N"]),
            },
            {name: (kind, shape) for name, (_, kind, shape) in answers.items()},
            {f"{name}_value": value for name, (value, _, _) in answers.items()},
            {"model_type": "paraformer"},
        )
        return folder

    def _save(
        self,
        folder: Path,
        names: list[str],
        nodes: list[Any],
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        values: dict[str, Any],
        meta: dict[str, Any],
    ) -> None:
        import onnx
        import onnx.helper as h
        from onnx import numpy_helper

        graph = h.make_graph(
            nodes,
            "script",
            [h.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()],
            [h.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in outputs.items()],
            [numpy_helper.from_array(value, name) for name, value in values.items()],
        )
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
        lfr = {"lfr_window_size": 7, "lfr_window_shift": 6, "vocab_size": len(names)}
        scale = {"neg_mean": ",".join(["0"] * 560), "inv_stddev": ",".join(["1"] * 560)}
        h.set_model_props(model, {k: str(v) for k, v in {**meta, **lfr, **scale}.items()})
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(folder / "model.int8.onnx"))
        lines = [f"{name} {number}\n" for number, name in enumerate(names)]
        (folder / "tokens.txt").write_text("".join(lines), "utf-8")


SEGMENTATION = {
    "model_type": "pyannote-segmentation-3.0", "sample_rate": 16000, "num_speakers": 3,
    "powerset_max_classes": 2, "num_classes": 7, "window_size": 160000, "window_shift": 16000,
    "receptive_field_size": 991, "receptive_field_shift": 270,
}  # fmt: skip
"""What sherpa-onnx's conversion of pyannote's segmentation-3.0 says of itself."""
EMBEDDING = {
    "framework": "3d-speaker", "language": "Chinese", "sample_rate": 16000, "output_dim": 2,
    "normalize_samples": 1, "feature_normalize_type": "",
}  # fmt: skip


def voice_models(folder: Path, **told: object) -> Path:
    """Two made-up models of sherpa-onnx's diarization below `folder`, as `pull` would lay them.

    Segmentation (10-s windows, 589 frames, seven sets of speakers): where it is loud, local
    speaker 1 speaks. Embedding: (bright or dark, .3): whether the upper half of the 80 mel bands
    holds more than usual of the log energy. `told` replaces what the models say of themselves
    (None takes it away).
    """
    import onnx
    import onnx.helper as h
    from onnx import numpy_helper

    def save(
        name: str, nodes: list[Any], io: tuple[Any, Any], values: dict[str, Any], meta: Any
    ) -> None:
        given = [numpy_helper.from_array(np.float32(v), k) for k, v in values.items()]
        graph = h.make_graph(nodes, "made up", [io[0]], [io[1]], given)
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
        said = {k: str(told.get(k, v)) for k, v in meta.items() if told.get(k, v) is not None}
        h.set_model_props(model, said)
        (folder / "sherpa-onnx" / name).mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(folder / "sherpa-onnx" / name / "model.onnx"))

    save(
        "pyannote-segmentation",
        [
            h.make_node("Abs", ["x"], ["rectified"]),
            h.make_node("AveragePool", ["rectified"], ["level"], kernel_shape=[991], strides=[270]),
            h.make_node("Transpose", ["level"], ["frames"], perm=[0, 2, 1]),
            h.make_node("MatMul", ["frames", "weight"], ["scaled"]),
            h.make_node("Add", ["scaled", "bias"], ["y"]),
        ],
        (
            h.make_tensor_value_info("x", 1, ["N", 1, "T"]),
            h.make_tensor_value_info("y", 1, ["N", "F", 7]),
        ),
        {"weight": [[0, 1000, 0, 0, 0, 0, 0]], "bias": [0, -5, -99, -99, -99, -99, -99]},
        SEGMENTATION,
    )
    save(
        "campplus-zh",
        [
            h.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=0),
            h.make_node("MatMul", ["mean", "weight"], ["tilt"]),
            h.make_node("Add", ["tilt", "bias"], ["sides"]),
            h.make_node("Tanh", ["sides"], ["embedding"]),
        ],
        (
            h.make_tensor_value_info("x", 1, ["N", "T", 80]),
            h.make_tensor_value_info("embedding", 1, ["N", 2]),
        ),
        {"weight": [[-5 / 40, 0]] * 40 + [[5 / 40, 0]] * 40, "bias": [-5 * USUAL_TILT, 0.3]},
        EMBEDDING,
    )
    return folder


USUAL_TILT = 1.0
"""Log energy by which the upper half of the bands exceeds the lower: the teacher of the Mandarin
fixture has more, her students less."""


@pytest.fixture(scope="session")
def onnx_script() -> OnnxScript:
    """Scripted models for sherpa-onnx."""
    return OnnxScript()


@pytest.fixture(scope="session")
def voices_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with made-up models for --diarizer sherpa-onnx."""
    return voice_models(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def make_voice_models() -> Callable[..., Path]:
    """`voice_models`, for tests that need other ones."""
    return voice_models
