"""What was decoded in a window into sentences on the lesson's clock; what is dropped is kept."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from models.asr_windows import Window, trimmed
from models.cleaning import Dropped, Reason, doubt, loops
from models.sentences import punctuate
from models.whisper_decoding import Decoded
from models.whisper_words import TimedWord
from models.word_pieces import assemble
from observer.engines import Note
from observer.sentences import sentence_ends
from observer.timeline import Span
from observer.transcript import Transcript, Utterance, Word, join_text

if TYPE_CHECKING:
    from whisper.tokenizer import Tokenizer


class WindowText:
    """Reads window after window of one lesson, and remembers what it dropped and why."""

    def __init__(
        self,
        language: str,
        prompt: str | None = None,
        tokenizer: "Tokenizer | None" = None,
        text_limit: int | None = None,
    ) -> None:
        """`text_limit`: tokens of text that a window can hold at most; None: any number."""
        self.language = language
        self.prompt = prompt
        self.tokenizer = tokenizer
        self.text_limit = text_limit
        self.dropped: list[Dropped] = []
        self._windows = self._retried = self._cut = 0

    def sentences(
        self, part: Window, decoded: Decoded, timed: Sequence[TimedWord]
    ) -> Iterator[tuple[Word, ...]]:
        """The sentences of one window that are to be believed, in order, times in `part`."""
        self._windows += 1
        self._retried += decoded.temperature > 0
        self._cut += self.text_limit is not None and len(decoded.tokens) >= self.text_limit
        if decoded.silent:
            if self.tokenizer is not None:
                text = self.tokenizer.decode(list(decoded.tokens)).strip()
                self._drop(part.span, text, Reason.NO_SPEECH)
            return
        placed = self._placed(part, timed)
        if self._invented(part, decoded, placed):
            return
        raw = self._without_loops(placed)
        words = [_trim(word, part.speech) for word in raw]
        for first, end in pairwise([0, *sentence_ends(words, self.language)]):
            span = Span(raw[first].start, raw[end - 1].end)
            sentence = words[first:end]
            reason = self._doubt(part, decoded, sentence, span)
            if reason is None:
                yield punctuate(sentence, self.language)
            else:
                self._drop(span, join_text(w.text for w in sentence), reason)

    def _doubt(
        self, part: Window, decoded: Decoded, words: Sequence[Word], span: Span
    ) -> Reason | None:
        return doubt(
            join_text(w.text for w in words),
            span,
            part.speech,
            confidence=_mean_confidence(words),
            no_speech=decoded.no_speech,
            prompt=self.prompt,
        )

    def _invented(self, part: Window, decoded: Decoded, words: Sequence[Word]) -> bool:
        """Whether the whole window is one stock phrase, which pauses would cut into innocence."""
        if not words:
            return False
        reason = self._doubt(part, decoded, words, part.span)
        if reason not in (Reason.STOCK_PHRASE, Reason.PROMPT_ECHO):
            return False
        self._drop(part.span, join_text(w.text for w in words), reason)
        return True

    def _placed(self, part: Window, timed: Sequence[TimedWord]) -> list[Word]:
        """Words on the lesson's clock, inside the window and in order."""
        placed: list[Word] = []
        for word in assemble(timed, self.language):
            low = placed[-1].end if placed else part.start
            start = min(max(part.heard.start + word.start, low), part.end)
            end = min(max(part.heard.start + word.end, start), part.end)
            sure = None if word.probability is None else round(word.probability, 4)
            placed.append(Word(word.text, start, end, sure))
        return placed

    def _without_loops(self, words: list[Word]) -> list[Word]:
        gone: set[int] = set()
        for loop in loops([w.text for w in words]):
            span = Span(words[loop.start].start, words[loop.stop - 1].end)
            text = join_text(w.text for w in words[loop.start : loop.stop])
            self._drop(span, text, Reason.REPETITION)
            gone.update(loop)
        return [w for i, w in enumerate(words) if i not in gone]

    def _drop(self, span: Span, text: str, reason: Reason) -> None:
        if text:
            self.dropped.append(Dropped(round(span.start, 3), round(span.end, 3), text, reason))

    def notes(self) -> list[Note]:
        """What a reader should know about the windows so far."""
        notes: list[Note] = []
        if self._retried:
            notes.append(
                Note(
                    en=f"{self._retried} of {self._windows} windows were decoded at a higher "
                    "temperature: their words are less sure.",
                    zh=f"{self._windows} 个片段中有 {self._retried} 个经提高温度重新解码，"
                    "其文字较不可靠。",
                )
            )
        if self._cut:
            notes.append(
                Note(
                    en=f"{self._cut} windows filled Whisper's text limit: their ends may lack.",
                    zh=f"{self._cut} 个片段达到 Whisper 的文本上限，结尾可能缺失。",
                )
            )
        return [*notes, *self._drop_notes()]

    def _drop_notes(self) -> Iterator[Note]:
        """One note per reason: the first case, and how many more there are."""
        for reason, count in sorted(Counter(d.reason for d in self.dropped).items()):
            shown = next(d for d in self.dropped if d.reason == reason).note
            more = count - 1
            yield Note(
                en=shown.en + (f" {more} more like it." if more else ""),
                zh=shown.zh + (f"同类另有 {more} 处。" if more else ""),
            )


def _mean_confidence(words: Sequence[Word]) -> float:
    """1 where the engine tells none: then only the speech around a phrase can speak against it."""
    known = [w.confidence for w in words if w.confidence is not None]
    return sum(known) / len(known) if known else 1.0


def transcript_of(
    text: WindowText,
    recognised: Iterable[tuple[Window, Decoded, Sequence[TimedWord]]],
    source: str,
) -> Transcript:
    """The sentences of all windows, numbered u1, u2 …, as a transcript from `source`."""
    sentences = [sentence for window in recognised for sentence in text.sentences(*window)]
    utterances = (
        Utterance(f"u{n}", join_text(w.text for w in s), s[0].start, s[-1].end, words=s)
        for n, s in enumerate(sentences, 1)
    )
    return Transcript(text.language, tuple(utterances), source)


def _trim(word: Word, speech: Sequence[Span]) -> Word:
    span = trimmed(Span(word.start, word.end), speech)
    return replace(word, start=round(span.start, 3), end=round(span.end, 3))
