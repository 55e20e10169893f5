"""Weights that are a folder of files (``ENGINE/NAME/`` below the folder of weights)."""

from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path

from models.weights_store import Weights, by_hand, catalogue, pull_command
from observer.errors import EngineError, MissingWeights
from observer.files import sha256_of

WEIGHT_FILES = frozenset({".bin", ".onnx", ".pt", ".safetensors"})


def folders(
    engine: str, folder: Path | None, needed: Collection[str], best_first: Sequence[str] = ()
) -> list[Path]:
    """Folders of `engine` that hold all `needed` files, best first.

    `best_first` ranks names; others are somebody's own and come before them.
    """
    place = folder / engine if folder else None
    if place is None or not place.is_dir():
        return []
    found = [p for p in sorted(place.iterdir()) if _complete(p, needed)]
    return sorted(found, key=lambda p: best_first.index(p.name) if p.name in best_first else -1)


def _complete(path: Path, needed: Collection[str]) -> bool:
    return path.suffix != ".part" and all((path / name).is_file() for name in needed)


def find_folder(
    engine: str,
    model: str | Path,
    folder: Path | None,
    needed: Collection[str],
    best_first: Sequence[str] = (),
) -> Path:
    """The folder that `model` means: a path, a name below the folder of weights, or "auto" for
    the best there. Raises MissingWeights, which names what lacks and the command that gets it.
    """
    here = folders(engine, folder, needed, best_first)
    if str(model) == "auto" and here:
        return here[0]
    for path in here:
        if path.name == str(model):
            return path
    given = Path(model).expanduser()
    if given.is_dir():
        lacking = [name for name in needed if not (given / name).is_file()]
        if not lacking:
            return given
        raise MissingWeights(
            en=f"The folder {given.name!r} is no model for {engine}: it lacks "
            f"{', '.join(lacking)}.",
            zh=f"文件夹“{given.name}”不是 {engine} 的模型：缺少 {'、'.join(lacking)}。",
        )
    raise _missing(engine, str(model), [p.name for p in here])


def _missing(engine: str, model: str, here: Sequence[str]) -> MissingWeights:
    known = [w for w in catalogue() if w.engine == engine]
    named = [w for w in known if w.name == model]
    wanted = known[0].name if model == "auto" and not named else model
    en_get, zh_get = how_to_get((named or known)[0])
    en_there = f" There are: {', '.join(here)}." if here else ""
    zh_there = f"现有：{'、'.join(here)}。" if here else ""
    return MissingWeights(
        en=f"The {engine} weights {wanted!r} are not on this machine, and nothing is downloaded "
        f"unasked.{en_there} {en_get}",
        zh=f"本机没有 {engine} 的权重“{wanted}”，程序不会擅自下载。{zh_there}{zh_get}",
    )


def how_to_get(*weights: Weights) -> tuple[str, str]:
    """What to do to have these weights, in English and Chinese: a command, or what a person
    must do by hand (`Weights.gated`)."""
    commands = [c for w in weights if (c := pull_command(w.name, w.engine)) is not None]
    if not commands:
        return by_hand(weights[0])
    both = " && ".join(commands)
    return (
        f"On a machine with a network, `{both}` fetches weights into $OBSERVER_MODELS; the "
        "folder can be carried.",
        f"在可以联网的机器上，`{both}` 会把权重下载到 $OBSERVER_MODELS，该文件夹可以拷贝。",
    )


def require(library: str, engine: str, extra: str) -> None:
    """Raise EngineError when the library of an optional engine is not installed."""
    if find_spec(library) is None:
        raise EngineError(
            en=f"The engine {engine} needs a library that is not installed: "
            f'pip install "observer[{extra}]".',
            zh=f'引擎 {engine} 所需的库尚未安装：pip install "observer[{extra}]"。',
        )


def digest(path: Path) -> str:
    """What a version says of the weights in a folder: the beginning of their sha256."""
    largest = max(
        (p for p in path.rglob("*") if p.suffix in WEIGHT_FILES), key=lambda p: p.stat().st_size
    )
    return f"sha256:{sha256_of(largest)[:12]}"
