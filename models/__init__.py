"""Machine-learning engines behind the Protocols of `observer.engines`.

Each table maps a name, as chosen on the command line, to ``"module:Class"``; nothing is
imported before an engine is asked for.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from observer.errors import UnknownEngine

VADS: Mapping[str, str] = {"silero": "models.vad:SileroVad"}
DIARIZERS: Mapping[str, str] = {
    "ge2e": "models.diarization:Ge2eDiarizer",
    "sherpa-onnx": "models.diarization_sherpa:SherpaDiarizer",
    "pyannote": "models.diarization_pyannote:PyannoteDiarizer",
}
ROLES: Mapping[str, str] = {"acoustic": "models.roles:AcousticRoles"}
ROLE_CUES: Mapping[str, str] = {"words": "models.role_cues:WordCues"}
TRANSCRIBERS: Mapping[str, str] = {
    "whisper": "models.asr_whisper:WhisperTranscriber",
    "faster-whisper": "models.asr_faster_whisper:FasterWhisperTranscriber",
    "sherpa-onnx": "models.asr_sherpa:SherpaTranscriber",
    "funasr": "models.asr_funasr:FunasrTranscriber",
    "pocketsphinx": "models.asr_pocketsphinx:PocketsphinxTranscriber",
    "replay": "models.scripted:ReplayTranscriber",
}
LABELLERS: Mapping[str, str] = {
    "trained": "models.labeller:TrainedLabeller",
    "rules": "models.questions:RuleLabeller",
}


def load(table: Mapping[str, str], name: str, **settings: Any) -> Any:
    """Build the engine called `name` with its settings.

    Raises UnknownEngine, which lists the names there are.
    """
    if name not in table:
        known = ", ".join(sorted(table))
        raise UnknownEngine(
            en=f"There is no engine called {name!r}. Known: {known}.",
            zh=f"没有名为“{name}”的引擎。可用：{known}。",
        )
    module, _, factory = table[name].partition(":")
    return getattr(import_module(module), factory)(**settings)
