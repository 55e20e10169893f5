"""English recognition by pocketsphinx, whose small model is inside its wheel.

It needs no weights and no network, and suits clear synthetic or read speech only: measured word
error rates are about 10–20 % there and about 70 % in a simulated classroom. Reports that use it
say so (`low_accuracy`).
"""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version as version_of
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from models.asr_windows import Window, windows
from models.cleaning import Dropped
from models.sentences import punctuate
from observer.engines import Note, OnProgress, ignore_progress
from observer.errors import EngineError
from observer.media import Audio
from observer.sentences import sentence_ends
from observer.timeline import Seconds, Span
from observer.transcript import Transcript, Utterance, Word, join_text

_FRAME: Final[Seconds] = 0.01
_ACTIVE: Final = 3000
"""Hidden Markov models searched per frame at most (pocketsphinx's own 30 000 never binds). Three
times faster at the same word error rate; 2000 costs 3 points (docs/decisions/0004)."""
_TURN: Final[Seconds] = 0.03
"""After each window, for the other threads of this process: the decoder holds Python's lock as long
as it searches (5 s for 15 s of speech), and whoever looks whether the work is still wanted needs
the lock several times for one look."""
_UNFIT: Final = re.compile(
    r"(?:mother)?fuck|(?:bull)?shit|bitch|bastard|asshole|cocksucker|dickhead|whore|cunt|nigger|rapist"
    r"|(?:ass|bloody|hell|crap|crappy|damn|damned|goddamn|goddamned|fags?|faggot|sluts?|cocks?|dicks?"
    r"|piss|pissed|pissing|porn|rape|raped)(?:'s)?$"
)
"""Words left out of the vocabulary: this recogniser guesses often, and a wrong guess must not put
swear words into a child's mouth. Said in earnest they are missed, which the report can bear."""
_FILLER: Final = re.compile(r"^(?:<.*>|\[.*\]|\+\+.*\+\+)$")
_VARIANT: Final = re.compile(r"\(\d+\)$")


class PocketsphinxTranscriber:
    """The recogniser that is always there, for English."""

    name = "pocketsphinx"
    low_accuracy = True

    def __init__(self) -> None:
        self.version = f"pocketsphinx {version_of('pocketsphinx')}, en-us, rules 3"
        self.notes: tuple[Note, ...] = ()
        self.dropped: tuple[Dropped, ...] = ()

    def transcribe(
        self,
        audio: Audio,
        speech: Sequence[Span],
        language: str | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Transcript:
        """Sentences, split at pauses, with words, times and confidences.

        Raises EngineError for a language other than English; None is taken for English.
        """
        if language is not None and language.lower().split("-")[0] not in ("en", "auto", "und"):
            raise EngineError(
                en=f"pocketsphinx recognises English only, not {language!r}. Give Whisper weights "
                "(--asr whisper), import a transcript (--transcript), or use --asr none.",
                zh=f"pocketsphinx 只能识别英语，不支持“{language}”。请提供 Whisper 权重"
                "（--asr whisper）、导入转写文本（--transcript），或使用 --asr none。",
            )
        parts = windows(audio, speech, longest=15.0, join=0.6)
        sentences: list[tuple[Word, ...]] = []
        decoder = _decoder() if parts else None
        for done, part in enumerate(parts, 1):
            words = list(_recognise(decoder, audio, part))
            for first, end in pairwise([0, *sentence_ends(words, "en")]):
                sentences.append(punctuate(words[first:end], "en"))
            on_progress(done / len(parts))
            time.sleep(_TURN)
        on_progress(1.0)
        utterances = (
            Utterance(f"u{n}", join_text(w.text for w in s), s[0].start, s[-1].end, words=s)
            for n, s in enumerate(sentences, 1)
        )
        return Transcript("en", tuple(utterances), self.name)


def _decoder() -> Any:
    """The bundled model. Cepstral means are taken per window, not carried along: the words of a
    window then do not depend on what was heard before it. `_ACTIVE` bounds the search."""
    from pocketsphinx import Decoder, get_model_path

    vocabulary = Path(get_model_path("en-us/cmudict-en-us.dict")).read_text("utf-8")
    with TemporaryDirectory() as scratch:
        fit = Path(scratch, "fit.dict")
        fit.write_text("".join(fit_words(vocabulary.splitlines(keepends=True))), "utf-8")
        return Decoder(
            samprate=Audio.RATE, cmn="batch", maxhmmpf=_ACTIVE, loglevel="FATAL", dict=str(fit)
        )


def fit_words(entries: Iterable[str]) -> list[str]:
    """The entries of a pronouncing dictionary whose words are fit for a classroom report."""
    return [entry for entry in entries if not _UNFIT.match(entry.split(maxsplit=1)[0])]


def _recognise(decoder: Any, audio: Audio, part: Window) -> Iterator[Word]:
    """Words of one window, without fillers, inside the window and in order."""
    heard = part.heard
    pcm = np.round(audio.read(heard) * 32768.0).astype(np.int16)
    decoder.start_utt()
    decoder.process_raw(pcm.tobytes(), no_search=False, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return
    low = part.start
    for segment in decoder.seg():
        if _FILLER.match(segment.word):
            continue
        start = min(max(heard.start + segment.start_frame * _FRAME, low), part.end)
        end = min(max(heard.start + (segment.end_frame + 1) * _FRAME, start), part.end)
        low = end
        yield Word(
            _VARIANT.sub("", segment.word),
            round(start, 3),
            round(end, 3),
            round(min(1.0, segment.prob), 4),
        )
