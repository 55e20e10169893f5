"""The composition root: engines by name, from `models`, for the domain's pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import models
from models.asr import choose
from observer.engines import Diarizer, Transcriber
from observer.errors import Language
from observer.job import Engines


@dataclass(frozen=True, slots=True)
class EngineNames:
    """Which engines to take; the defaults are what a new user gets."""

    asr: str = "auto"
    """"auto", "none", or a name of `models.TRANSCRIBERS`."""
    vad: str = "silero"
    diarizer: str = "ge2e"
    """A name of `models.DIARIZERS`."""
    roles: str = "acoustic"
    labeller: str = "trained"
    """A name of `models.LABELLERS`."""
    model: str | None = None
    """Weights: a file or folder, or a name to be found in the weights folder."""
    device: str = "auto"
    threads: int = 1
    hot_words: tuple[str, ...] = ()
    """Names and terms of the lesson, for engines that can be told (`TAKES_HOT_WORDS`)."""


FROM_WEIGHTS = frozenset({"whisper", "faster-whisper", "sherpa-onnx", "funasr"})
DIARIZERS_FROM_WEIGHTS = frozenset({"sherpa-onnx", "pyannote"})
TAKES_HOT_WORDS = frozenset({"whisper", "faster-whisper", "funasr"})


class Loaded:
    """The last engine of each kind, its weights in memory, for jobs that come one after another.

    It goes when another is asked for; engines load their weights when they are first used, so that
    two are never in memory. A lesson that needs none of the kind leaves it there. Hot words are no
    part of what is asked for: each job sets its own.
    """

    def __init__(self) -> None:
        self._engines: dict[int, tuple[object, Any]] = {}

    def engine(self, table: Mapping[str, str], name: str, **settings: object) -> Any:
        """As `models.load`."""
        wanted, found = (name, settings), self._engines.get(id(table))
        if found is None or found[0] != wanted:
            self._engines[id(table)] = found = (wanted, models.load(table, name, **settings))
        return found[1]


def build(
    names: EngineNames,
    *,
    language: str | None,
    report_language: Language,
    weights: Path | None,
    has_transcript: bool,
    loaded: Loaded | None = None,
) -> Engines:
    """The engines of a job, those of the job before among them where they are in `loaded`.

    Raises UnknownEngine, MissingWeights.
    """
    loaded = loaded or Loaded()
    transcriber, reason = None, ""
    if has_transcript and names.asr == "auto":
        reason = {"en": "a transcript was given", "zh": "已提供转写文本"}[report_language]
    elif names.asr != "none":
        transcriber, reason = _transcriber(names, language, report_language, weights, loaded)
    threads = {"threads": names.threads}
    return Engines(
        vad=loaded.engine(models.VADS, names.vad, **threads),
        diarizer=_diarizer(names, weights, loaded),
        roles=loaded.engine(models.ROLES, names.roles),
        labeller=loaded.engine(models.LABELLERS, names.labeller, **_weights_of(names, weights)),
        transcriber=transcriber,
        cues=loaded.engine(models.ROLE_CUES, "words"),
        reason=reason,
    )


def _diarizer(names: EngineNames, weights: Path | None, loaded: Loaded) -> Diarizer:
    """The diarizer; its weights are looked for now, so that nobody waits to hear they lack."""
    settings: dict[str, object] = {"threads": names.threads}
    if names.diarizer in DIARIZERS_FROM_WEIGHTS:
        settings |= {"folder": weights, "device": names.device}
    engine: Diarizer = loaded.engine(models.DIARIZERS, names.diarizer, **settings)
    _ = engine.version
    return engine


def _weights_of(names: EngineNames, weights: Path | None) -> dict[str, object]:
    """Settings of a labeller that has weights; those in the user's folder go first."""
    return {"own": weights, "threads": names.threads} if names.labeller == "trained" else {}


def _transcriber(
    names: EngineNames,
    language: str | None,
    report_language: Language,
    weights: Path | None,
    loaded: Loaded,
) -> tuple[Transcriber | None, str]:
    """The transcriber and why it was taken; an engine named by the user is never replaced."""
    settings: dict[str, object] = {}
    reason = {"en": "as asked for", "zh": "按用户指定"}[report_language]
    name = names.asr
    if name == "auto":
        choice = choose(language, weights, device=names.device)
        name, settings = choice.name, dict(choice.settings)
        reason = choice.reason_zh if report_language == "zh" else choice.reason_en
    if name == "none":
        return None, reason
    if name in FROM_WEIGHTS:
        settings = {"folder": weights, "device": names.device, "threads": names.threads, **settings}
        if names.model is not None:
            settings["model"] = names.model
    engine = loaded.engine(models.TRANSCRIBERS, name, **settings)
    if name in TAKES_HOT_WORDS:
        engine.hot_words = names.hot_words
    found: Transcriber = engine
    return found, reason
