"""Whisper checkpoints on this machine: where they are looked for, and how they are loaded.

Nothing is ever downloaded. A checkpoint is OpenAI's own format, ``{"dims": …,
"model_state_dict": …}`` in a .pt file; fine-tuned ones in that format work too.
"""

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from models.weights_store import pull_command
from observer.errors import EngineError, MissingWeights

if TYPE_CHECKING:
    from whisper.model import ModelDimensions, Whisper

ALIASES: Final[Mapping[str, str]] = {"turbo": "large-v3-turbo", "large": "large-v3"}

BEST_FIRST: Final[tuple[str, ...]] = (
    "large-v3",
    "large-v3-turbo",
    "large-v2",
    "large-v1",
    "medium",
    "small",
    "base",
    "tiny",
)
"""OpenAI's models from most to least accurate (error rates on its model card)."""

GIGABYTES: Final[Mapping[str, float]] = {
    "large-v3": 3.1,
    "large-v3-turbo": 1.6,
    "large-v2": 3.1,
    "large-v1": 3.1,
    "medium": 1.5,
    "small": 0.5,
    "base": 0.15,
    "tiny": 0.08,
}
"""Sizes of OpenAI's files."""

_HEADS: Final[Mapping[tuple[int, int, bool, int], str]] = {
    (4, 6, True, 80): "tiny",
    (4, 6, False, 80): "tiny.en",
    (6, 8, True, 80): "base",
    (6, 8, False, 80): "base.en",
    (12, 12, True, 80): "small",
    (12, 12, False, 80): "small.en",
    (24, 16, True, 80): "medium",
    (24, 16, False, 80): "medium.en",
    (32, 20, True, 80): "large-v2",
    (32, 20, True, 128): "large-v3",
    (4, 20, True, 128): "large-v3-turbo",
}
"""(text layers, heads, multilingual, mel bands) → the model whose alignment heads fit."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A Whisper checkpoint file that is there."""

    name: str
    """File name without .pt."""
    path: Path


def weights_folder(env: Mapping[str, str]) -> Path | None:
    """The folder that ``OBSERVER_MODELS`` names in `env`; None when it is not set."""
    folder = env.get("OBSERVER_MODELS", "").strip()
    return Path(folder).expanduser() if folder else None


def whisper_cache() -> Path:
    """Where openai-whisper keeps its own downloads."""
    return Path.home() / ".cache" / "whisper"


def installed(folder: Path | None, cache: Path | None = None) -> list[Checkpoint]:
    """Checkpoints on this machine, best first; files OpenAI did not make come before its own.

    `folder` is the models folder (and its subfolder ``whisper``), `cache` whisper's own.
    """
    found: dict[str, Checkpoint] = {}
    for path in _files(folder, cache):
        found.setdefault(path.stem, Checkpoint(path.stem, path))
    return sorted(found.values(), key=_rank)


def _rank(checkpoint: Checkpoint) -> tuple[int, str]:
    base = checkpoint.name.removesuffix(".en")
    base = ALIASES.get(base, base)
    return (BEST_FIRST.index(base) if base in BEST_FIRST else -1, checkpoint.name)


def _files(folder: Path | None, cache: Path | None) -> Iterator[Path]:
    places = [folder, folder / "whisper"] if folder else []
    for place in [*places, cache or whisper_cache()]:
        if place.is_dir():
            yield from sorted(p for p in place.glob("*.pt") if p.is_file())


def find(model: str | Path, folder: Path | None, cache: Path | None = None) -> Checkpoint:
    """The checkpoint that `model` means: a path, or a name among the installed ones.

    Raises MissingWeights, which says where it was looked for and what to do.
    """
    path = Path(model).expanduser()
    if path.suffix == ".pt" and path.is_file():
        return Checkpoint(path.stem, path)
    name = ALIASES.get(str(model), str(model)).removesuffix(".pt")
    here = installed(folder, cache)
    for checkpoint in here:
        if checkpoint.name == name:
            return checkpoint
    raise _missing(name, folder, here)


def _missing(name: str, folder: Path | None, here: list[Checkpoint]) -> MissingWeights:
    place = folder or "$OBSERVER_MODELS"
    there = ", ".join(c.name for c in here)
    en_there = f" On this machine: {there}." if there else ""
    zh_there = f"本机现有：{there}。" if there else ""
    command = pull_command(name)
    en_get = f" `{command}` fetches them (on a machine with a network; the folder can be carried)."
    zh_get = f"可在联网的机器上用 `{command}` 下载，文件夹可以拷贝。"
    return MissingWeights(
        en=f"The Whisper weights {name!r} are not on this machine, and nothing is downloaded "
        f"unasked.{en_there} Put {name}.pt into {place} or into whisper's own folder "
        f"(~/.cache/whisper), or name another file.{en_get if command else ''}",
        zh=f"本机没有 Whisper 权重“{name}”，程序不会擅自下载。{zh_there}"
        f"请把 {name}.pt 放进 {place} 或 whisper 自己的目录（~/.cache/whisper），或指定另一个文件。"
        f"{zh_get if command else ''}",
    )


def alignment_heads(dims: "ModelDimensions", name: str = "") -> bytes | None:
    """OpenAI's list of the cross-attention heads that follow the sound, chosen by dimensions.

    `name` tells large-v1 from large-v2. None for dimensions OpenAI never published: then all
    heads of the upper half of the layers are used.
    """
    import whisper

    multilingual = dims.n_vocab >= 51865
    key = (dims.n_text_layer, dims.n_text_head, multilingual, dims.n_mels)
    like = "large-v1" if "large-v1" in name else _HEADS.get(key)
    heads: bytes | None = whisper._ALIGNMENT_HEADS.get(like)
    return heads


def load(checkpoint: Checkpoint, device: str) -> "Whisper":
    """The model, on `device`, ready to decode ("cuda": weights in half precision).

    Raises EngineError when the file is damaged or not a Whisper checkpoint.
    """
    import whisper

    try:
        model = whisper.load_model(str(checkpoint.path), device=device)
    except (
        RuntimeError,
        pickle.UnpicklingError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        OSError,
    ) as cause:
        first_line = (str(cause).splitlines() or [type(cause).__name__])[0][:200]
        raise EngineError(
            en=f"{checkpoint.path.name} cannot be loaded as a Whisper checkpoint ({first_line}). "
            "It may be cut off: compare its size and copy it again. It must be in OpenAI's format.",
            zh=f"{checkpoint.path.name} 无法作为 Whisper 权重载入（{first_line}）。"
            "文件可能不完整：请核对大小后重新复制；格式须为 OpenAI 的 .pt。",
        ) from cause
    heads = alignment_heads(model.dims, checkpoint.name)
    if heads is not None:
        model.set_alignment_heads(heads)
    if device.startswith("cuda"):
        _halve(model)
    return model.eval()


def _halve(model: "Whisper") -> None:
    """Store in half precision what whisper would otherwise cast at every step."""
    import torch

    halves: tuple[Any, ...] = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Embedding)
    for module in model.modules():
        if isinstance(module, halves):
            module.half()
