"""Recognition by sherpa-onnx: SenseVoice and Paraformer, the most accurate Mandarin on a CPU.

On far-field Mandarin (WenetSpeech meeting) their published character error rates are a third of
Whisper's (FireRedASR and Qwen3-ASR model cards), and they need a fraction of its time. Windows,
cleaning and sentences are those of the other engines. The extra `sherpa` installs the library;
models are folders on this machine (`observer models pull sense-voice-small`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.asr_engine import WindowTranscriber
from models.asr_windows import Window
from models.engine_folders import digest, folders, require
from models.whisper_decoding import HEARD
from models.whisper_words import TimedWord
from models.window_text import WindowText, transcript_of
from observer.engines import Note, OnProgress
from observer.errors import EngineError
from observer.media import Audio
from observer.timeline import Seconds
from observer.transcript import Transcript

NEEDED: Final = ("tokens.txt",)
BEST_FIRST: Final = ("sense-voice-small", "paraformer-zh")
LONGEST_TOKEN: Final[Seconds] = 0.4
"""A token ends where the next begins, or after this: the models tell beginnings only."""
_LANGUAGES: Final = {"sense_voice": ("zh", "yue", "en", "ja", "ko"), "paraformer": ("zh",)}
VOTERS: Final = 6
"""Windows, the fullest of the lesson, that vote for its language (SenseVoice)."""


class SherpaTranscriber(WindowTranscriber):
    """SenseVoice or Paraformer from a folder with ``model.onnx`` and ``tokens.txt``.

    SenseVoice sets marks itself; Paraformer's text gets them from pauses and particles. It has
    no prompt, so hot words cannot be given. The wheel computes on a CPU; "cuda" needs a build of
    sherpa-onnx for it. With no language asked for, SenseVoice's fullest windows vote; Paraformer
    is Mandarin.
    """

    name = "sherpa-onnx"
    needed = NEEDED
    best_first = BEST_FIRST

    def _version(self) -> list[str]:
        require("sherpa_onnx", self.name, "sherpa")
        library = f"sherpa-onnx {version_of('sherpa-onnx')}"
        return [library, self.weights.name, digest(self.weights)]

    @cached_property
    def kind(self) -> str:
        """ "sense_voice" or "paraformer", told by the tokens."""
        tokens = (self.weights / "tokens.txt").read_text("utf-8", errors="replace")
        return "sense_voice" if "<|zh|>" in tokens else "paraformer"

    def _recognised(
        self, audio: Audio, parts: Sequence[Window], language: str | None, on_progress: OnProgress
    ) -> Transcript:
        self._check(language)
        spoken = language or self._voted(audio, parts)
        text = WindowText(spoken)
        recognizer = self._recognizer(spoken)

        def recognised() -> Iterator[tuple[Window, Any, list[TimedWord]]]:
            for done, part in enumerate(parts, 1):
                yield part, HEARD, _timed(_decode(recognizer, audio, part), part)
                on_progress(done / len(parts))

        transcript = transcript_of(text, recognised(), self.name)
        self.notes, self.dropped = (*self.notes, *text.notes()), tuple(text.dropped)
        return transcript

    def _check(self, language: str | None) -> None:
        known = _LANGUAGES[self.kind]
        if language is not None and language not in known:
            raise EngineError(
                en=f"{self.weights.name} does not know the language {language!r}, only "
                f"{', '.join(known)}. Choose --asr whisper or faster-whisper.",
                zh=f"{self.weights.name} 不支持语言“{language}”，仅支持 {'、'.join(known)}。"
                "请改用 --asr whisper 或 faster-whisper。",
            )

    def _voted(self, audio: Audio, parts: Sequence[Window]) -> str:
        """The language most of the fullest windows are heard in; ties go to the fuller one."""
        if self.kind == "paraformer":
            return "zh"
        recognizer = self._recognizer("")
        fullest = sorted(parts, key=lambda p: -sum(s.duration for s in p.speech))[:VOTERS]
        heard = [_decode(recognizer, audio, part).lang.strip("<|>") for part in fullest]
        votes = Counter(code for code in heard if code in _LANGUAGES["sense_voice"])
        language = votes.most_common(1)[0][0] if votes else "zh"
        n, most = len(heard), votes[language]
        self.notes = (
            Note(
                en=f"Language {language!r}: heard in {most} of {n} windows.",
                zh=f"语言“{language}”：{n} 个片段中有 {most} 个。",
            ),
        )
        return language

    def _recognizer(self, language: str) -> Any:
        """Kept for the next lesson. The language is a property of the loaded SenseVoice, so that
        the one that votes and the last one that was voted for are two."""
        key = "" if self.kind == "paraformer" else language
        if key not in self._loaded:
            for other in self._loaded.keys() - {""}:
                del self._loaded[other]
            self._loaded[key] = self._load(key)
        return self._loaded[key]

    @cached_property
    def _loaded(self) -> dict[str, Any]:
        return {}

    def _load(self, language: str) -> Any:
        require("sherpa_onnx", self.name, "sherpa")
        import sherpa_onnx

        settings = {
            "tokens": str(self.weights / "tokens.txt"),
            "num_threads": self.threads,
            "provider": "cuda" if self.device.startswith("cuda") else "cpu",
        }
        path = str(self._file())
        try:
            if self.kind == "paraformer":
                return sherpa_onnx.OfflineRecognizer.from_paraformer(path, **settings)
            return sherpa_onnx.OfflineRecognizer.from_sense_voice(
                path, language=language, use_itn=True, **settings
            )
        except (RuntimeError, ValueError) as cause:
            first_line = (str(cause).splitlines() or [type(cause).__name__])[0][:200]
            raise EngineError(
                en=f"{self.weights.name} cannot be loaded by sherpa-onnx ({first_line}). "
                "`observer models check` tells whether its files are whole.",
                zh=f"sherpa-onnx 无法载入 {self.weights.name}（{first_line}）。"
                "可用 `observer models check` 检查文件是否完整。",
            ) from cause

    def _file(self) -> Path:
        """model.int8.onnx or model.onnx, else the only .onnx file there."""
        for name in ("model.int8.onnx", "model.onnx"):
            if (self.weights / name).is_file():
                return self.weights / name
        found = sorted(self.weights.glob("*.onnx"))
        if len(found) == 1:
            return found[0]
        raise EngineError(
            en=f"{self.weights.name} holds no model.int8.onnx or model.onnx.",
            zh=f"{self.weights.name} 中没有 model.int8.onnx 或 model.onnx。",
        )


def installed(folder: Path | None) -> list[Path]:
    """Folders of models there are, best first."""
    return [p for p in folders("sherpa-onnx", folder, NEEDED, BEST_FIRST) if any(p.glob("*.onnx"))]


def _decode(recognizer: Any, audio: Audio, part: Window) -> Any:
    stream = recognizer.create_stream()
    stream.accept_waveform(Audio.RATE, np.ascontiguousarray(audio.read(part.heard)))
    recognizer.decode_stream(stream)
    return stream.result


def _timed(result: Any, part: Window) -> list[TimedWord]:
    """Tokens as words with times from the start of the sound; blanks before Latin words.

    SenseVoice marks the beginning of a word by a blank, Paraformer one that goes on by "@@".
    """
    tokens, starts = list(result.tokens), [float(t) for t in result.timestamps]
    if len(starts) != len(tokens):
        raise EngineError(
            en="This model tells no times, without which waits and turns cannot be measured. Use "
            "sense-voice-small or paraformer-zh (`observer models list`).",
            zh="该模型不提供时间信息，无法测量等待和轮次。请使用 sense-voice-small 或 "
            "paraformer-zh（见 `observer models list`）。",
        )
    sure = [float(np.exp(p)) for p in result.ys_log_probs]
    words: list[TimedWord] = []
    goes_on = False
    for i, token in enumerate(tokens):
        after = starts[i + 1] if i + 1 < len(tokens) else part.heard.duration
        end = max(starts[i], min(after, starts[i] + LONGEST_TOKEN))
        text = token.removesuffix("@@").replace("▁", " ")
        if text.isascii() and "@@" in "".join(tokens) and not goes_on:
            text = " " + text
        goes_on = token.endswith("@@")
        probability = sure[i] if len(sure) == len(tokens) else None
        words.append(TimedWord(text, starts[i], end, probability))
    return words
