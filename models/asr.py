"""`--asr auto`: the best recogniser that is installed and has its weights on this machine."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from models.languages import primary_language
from models.whisper_weights import ALIASES, BEST_FIRST, GIGABYTES, Checkpoint, installed

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

    `folder` is the models folder (`whisper_weights.weights_folder`). Whisper comes first, with
    the best checkpoint there is; on a CPU large-v3-turbo goes before the larger ones, which
    take several times the lesson's length. Without weights English has pocketsphinx.
    """
    code = primary_language(language)
    fitting = [c for c in installed(folder) if code == "en" or not c.english_only]
    if fitting:
        return _whisper(fitting, folder, gpu=_gpu(device))
    if code == "en" and find_spec("pocketsphinx") is not None:
        return _pocketsphinx()
    return _nothing(code)


def _gpu(device: str) -> bool:
    if device != "auto":
        return device.startswith("cuda")
    import torch

    return torch.cuda.is_available()


def _whisper(fitting: list[Checkpoint], folder: Path | None, *, gpu: bool) -> Choice:
    best = fitting[0]
    if not gpu:
        best = next((c for c in fitting if not _too_large(c.name)), best)
    settings: dict[str, object] = {"model": str(best.path), "folder": folder}
    en = f"Whisper with {best.name}, the best weights on this machine for this recording."
    zh = f"使用 Whisper（{best.name}）：本机适用于该录音的最佳权重。"
    if not gpu and best is not fitting[0]:
        en += f" {fitting[0].name} is more accurate but too slow without a GPU."
        zh += f"{fitting[0].name} 更准确，但没有 GPU 时太慢。"
    elif _rank(best.name) > _rank(_BEST_ON_CPU):
        en += f" {_advice_en()}"
        zh += _advice_zh()
    return Choice("whisper", en, zh, settings)


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
    return Choice(
        "none",
        f"No recogniser on this machine can read {spoken_en}: talk is measured, words are not. "
        f"{_advice_en()} A transcript can be given with --transcript.{hint_en}",
        f"本机没有可用于{spoken_zh}的识别器：只统计说话时间，不产生文字。{_advice_zh()}"
        f"也可用 --transcript 提供转写文本。{hint_zh}",
    )


def _advice_en() -> str:
    """Never names the folder itself: reasons go into observation.json, which travels."""
    size = GIGABYTES[_BEST_ON_CPU]
    return f"Better: put Whisper's {_BEST_ON_CPU}.pt ({size} GB) into $OBSERVER_MODELS."


def _advice_zh() -> str:
    size = GIGABYTES[_BEST_ON_CPU]
    return f"更好的做法：把 Whisper 的 {_BEST_ON_CPU}.pt（{size} GB）放进 $OBSERVER_MODELS。"
