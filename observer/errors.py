"""Everything that can go wrong, as one tree; each error says what to do, in both languages.

ObserverError                       exit code 1
├── RecordingError              3   the recording cannot be observed
│   ├── MissingRecording            no such file
│   ├── UnreadableRecording         a directory, no permission, empty, or not a media file
│   ├── NoAudioTrack                a video without sound
│   └── UnobservableRecording       decoded, but silent or too short to measure anything
├── TranscriptError             4   a transcript that cannot be read; names the line
├── EngineError                 5   a model or engine is missing or failed
│   ├── UnknownEngine               no engine of that name; lists the known ones
│   └── MissingWeights              the engine's weights are not on this machine
├── OutputError                 6   the results cannot be written (disk full, no permission)
├── InvalidReport               7   a report broke its own rules (a claim without evidence …)
└── UsageError                  2   settings that contradict each other
"""

from typing import ClassVar, Literal

Language = Literal["zh", "en"]


class ObserverError(Exception):
    """A failure told to a person: `en` and `zh` both say what happened and what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh

    def text(self, language: Language) -> str:
        """The message in `language`."""
        return self.zh if language == "zh" else self.en

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.en, self.zh))


def _rebuild(kind: type[ObserverError], en: str, zh: str) -> ObserverError:
    """Unpickle an error; exceptions with keyword-only arguments cannot do it themselves."""
    return kind(en=en, zh=zh)


class UsageError(ObserverError):
    """Settings that contradict each other."""

    exit_code = 2


class RecordingError(ObserverError):
    """The recording cannot be observed."""

    exit_code = 3


class MissingRecording(RecordingError):
    """There is no such file."""


class UnreadableRecording(RecordingError):
    """A directory, a file without read permission, an empty file, or not a media file."""


class NoAudioTrack(RecordingError):
    """A video without sound."""


class UnobservableRecording(RecordingError):
    """The recording decodes, but is silent or too short to measure anything."""


class TranscriptError(ObserverError):
    """A transcript that cannot be read; the message names the line."""

    exit_code = 4


class EngineError(ObserverError):
    """A model or an engine is missing or failed."""

    exit_code = 5


class UnknownEngine(EngineError):
    """No engine of that name; the message lists the known ones."""


class MissingWeights(EngineError):
    """The engine's weights are not on this machine; the message says how to get them."""


class OutputError(ObserverError):
    """The results cannot be written."""

    exit_code = 6


class InvalidReport(ObserverError):
    """A report broke its own rules."""

    exit_code = 7
