"""`--asr auto`: the best recogniser that is installed and has its weights on this machine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from models.engine_folders import folders
from models.languages import primary_language
from models.weights_store import pull_command
from models.whisper_weights import ALIASES, BEST_FIRST, GIGABYTES, installed

_BEST_ON_CPU = "large-v3-turbo"
"""Above it a lesson takes several times its own length on one core."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which recogniser was taken, with which settings, why, and what would be better."""

    name: str
    """A name of `models.TRANSCRIBERS`, or "none"."""
    reason_en: str
    reason_zh: str
    settings: dict[str, object] = field(default_factory=dict)


def choose(language: str | None, folder: Path | None = None, *, device: str = "auto") -> Choice:
    """The recogniser for a recording in `language` (None: not known). Never downloads.

    `folder` is the models folder (`whisper_weights.weights_folder`). For Mandarin the engines of
    the FunASR family come first where they have weights (their published error rates on far-field
    Mandarin are a third of Whisper's): funasr on a GPU, sherpa-onnx on a CPU. Then Whisper with
    the best checkpoint the device can carry, through CTranslate2 where there is a model for it.
    Without weights English has pocketsphinx.
    """
    code, gpu = primary_language(language), _gpu(device)
    engines: list[Callable[[str | None, Path | None, bool], Choice | None]] = [_whisper]
    if code == "zh":
        engines.insert(0, _funasr if gpu else _sherpa)
    for engine in engines:
        choice = engine(code, folder, gpu)
        if choice is not None:
            return choice
    if code == "en" and find_spec("pocketsphinx") is not None:
        return _pocketsphinx()
    return _nothing(code)


def _gpu(device: str) -> bool:
    if device != "auto":
        return device.startswith("cuda")
    import torch

    return torch.cuda.is_available()


def _funasr(_code: str | None, folder: Path | None, _gpu: bool) -> Choice | None:
    from models import asr_funasr

    there = asr_funasr.installed(folder) if find_spec("funasr") else []
    if not there:
        return None
    return Choice(
        "funasr",
        f"funasr with {there[0].name}: on far-field Mandarin its published character error rate "
        "is about a third of Whisper's.",
        f"使用 funasr（{there[0].name}）：在远场普通话上公布的字错率约为 Whisper 的三分之一。",
        {"model": str(there[0]), "folder": folder},
    )


def _sherpa(_code: str | None, folder: Path | None, _gpu: bool) -> Choice | None:
    from models import asr_sherpa

    there = asr_sherpa.installed(folder) if find_spec("sherpa_onnx") else []
    if not there:
        return None
    return Choice(
        "sherpa-onnx",
        f"sherpa-onnx with {there[0].name}: on far-field Mandarin the published character error "
        "rate of its family is about a third of Whisper's, and a CPU carries it easily.",
        f"使用 sherpa-onnx（{there[0].name}）：该系列模型在远场普通话上公布的字错率"
        "约为 Whisper 的三分之一，且 CPU 即可轻松运行。",
        {"model": str(there[0]), "folder": folder},
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """Whisper weights that are there, in one format or the other."""

    name: str
    path: Path
    engine: str


def _whispers(code: str | None, folder: Path | None) -> list[_Found]:
    """Fitting ones, best first; of the same model CTranslate2's, which is faster, goes first."""
    from models.asr_faster_whisper import NEEDED

    found = [_Found(c.name, c.path, "whisper") for c in installed(folder)]
    if find_spec("ctranslate2") is not None:
        converted = folders("faster-whisper", folder, NEEDED, BEST_FIRST)
        found = [_Found(p.name, p, "faster-whisper") for p in converted] + found
    fitting = [f for f in found if code == "en" or not f.name.endswith(".en")]
    return sorted(fitting, key=lambda f: _rank(f.name))


def _whisper(code: str | None, folder: Path | None, gpu: bool) -> Choice | None:
    fitting = _whispers(code, folder)
    if not fitting:
        return None
    first = fitting[0]
    best = first if gpu else next((f for f in fitting if not _too_large(f.name)), first)
    en = f"Whisper with {best.name}, the best weights on this machine for this recording."
    zh = f"使用 Whisper（{best.name}）：本机适用于该录音的最佳权重。"
    if best.engine == "faster-whisper":
        en += " CTranslate2 computes it, which is faster."
        zh += "由 CTranslate2 计算，速度更快。"
    if not gpu and best.name != first.name:
        en += f" {first.name} is more accurate but too slow without a GPU."
        zh += f"{first.name} 更准确，但没有 GPU 时太慢。"
    elif _rank(best.name) > _rank(_BEST_ON_CPU):
        en += f" {_advice_en()}"
        zh += _advice_zh()
    if code == "zh":
        en, zh = f"{en} {_mandarin_en(gpu)}", zh + _mandarin_zh(gpu)
    return Choice(best.engine, en, zh, {"model": str(best.path), "folder": folder})


def _too_large(name: str) -> bool:
    return _rank(name) >= 0 and name != _BEST_ON_CPU and GIGABYTES[_official(name)] > 3


def _official(name: str) -> str:
    return ALIASES.get(name.removesuffix(".en"), name.removesuffix(".en"))


def _rank(name: str) -> int:
    """Place among OpenAI's models, best 0; -1 for a checkpoint of somebody else's."""
    return BEST_FIRST.index(_official(name)) if _official(name) in BEST_FIRST else -1


def _pocketsphinx() -> Choice:
    return Choice(
        "pocketsphinx",
        "pocketsphinx, the small English recogniser that needs no weights; its words are "
        f"unreliable in real classrooms. {_advice_en()}",
        "使用 pocketsphinx（无需权重的小型英语识别器）；在真实课堂中其文字不可靠。" + _advice_zh(),
    )


def _nothing(code: str | None) -> Choice:
    spoken_en = f"the language {code!r}" if code else "a recording whose language is not known"
    spoken_zh = f"语言“{code}”" if code else "语言未知的录音"
    hint_en = "" if code else " For English, --language en brings pocketsphinx in."
    hint_zh = "" if code else "若为英语，可用 --language en 启用 pocketsphinx。"
    if code == "zh":
        hint_en, hint_zh = f" {_mandarin_en(gpu=False)}", _mandarin_zh(gpu=False)
    return Choice(
        "none",
        f"No recogniser on this machine can read {spoken_en}: talk is measured, words are not. "
        f"{_advice_en()} A transcript can be given with --transcript.{hint_en}",
        f"本机没有可用于{spoken_zh}的识别器：只统计说话时间，不产生文字。{_advice_zh()}"
        f"也可用 --transcript 提供转写文本。{hint_zh}",
    )


def _advice_en() -> str:
    """Never names the folder itself: reasons go into observation.json, which travels."""
    size, command = GIGABYTES[_BEST_ON_CPU], pull_command(_BEST_ON_CPU)
    return (
        f"Better: `{command}` puts Whisper's {_BEST_ON_CPU}.pt ({size} GB) into $OBSERVER_MODELS."
    )


def _advice_zh() -> str:
    size, command = GIGABYTES[_BEST_ON_CPU], pull_command(_BEST_ON_CPU)
    return (
        f"更好的做法：用 `{command}` 把 Whisper 的 {_BEST_ON_CPU}.pt（{size} GB）"
        "放进 $OBSERVER_MODELS。"
    )


def _mandarin(gpu: bool) -> str | None:
    name, engine = ("paraformer-large", "funasr") if gpu else ("sense-voice-small", "sherpa-onnx")
    return pull_command(name, engine)


def _mandarin_en(gpu: bool) -> str:
    return f"More accurate in Mandarin: `{_mandarin(gpu)}`."


def _mandarin_zh(gpu: bool) -> str:
    return f"普通话更准确的选择：`{_mandarin(gpu)}`。"
