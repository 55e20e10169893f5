"""Imported entries cut into one utterance per sentence: the unit that labels and waits need.

A printed lesson record or a subtitle file holds whole turns. What a sentence gets of its turn's
time depends on what is there: word times say it exactly, the voice activity inside the turn
says where pauses are, without either it is the share of characters.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from observer.alignment import align, speaking_time
from observer.formats.assembly import ImportedTranscript
from observer.formats.cues import Note
from observer.gale_church import AlignmentCosts
from observer.sentences import punctuated, sentence_ends, sentences
from observer.splitting import RoleVotes, texts_of_parts
from observer.timeline import RoleSpan, Seconds, Span, intersection, union
from observer.transcript import Transcript, Utterance

LONG_UTTERANCE: Seconds = 20.0
"""Text without any mark is cut (at pauses between its words) only when it lasts longer."""

SAME_WORDS = 0.2
"""Words whose letters are this share fewer or more than the text's do not tell where it is cut."""

WITHIN = AlignmentCosts(skip_utterance=1e4)
"""Inside one turn every sentence is somewhere; untranscribed talk of others may lie there too."""


def in_sentences(
    imported: ImportedTranscript,
    speech: Sequence[Span] = (),
    timeline: Sequence[RoleSpan] = (),
) -> ImportedTranscript:
    """The import with one utterance per sentence; ids are written anew if any was cut.

    Speaker, role and its probability go to every sentence of an entry. `speech` is the voice
    activity of the recording and `timeline` its roles, both empty without one. Times:

    - none: none; align the result to the recording;
    - words: cut between words;
    - exact, no words: the sentences are laid over the speech inside the entry (`align`), without
      speech over its length by `speaking_time`; inner borders are approximate;
    - approximate, with a recording: the entry's start stays with its first sentence as an
      anchor for the alignment, ends and the other sentences wait for it without times.
    """
    transcript = imported.transcript
    heard = _Sound(union(speech), RoleVotes(timeline))
    pieces = [_cut(u, transcript.language, heard) for u in transcript]
    found = [u for p in pieces for u in p]
    cut = sum(len(p) > 1 for p in pieces)
    if not cut:
        return imported.with_transcript(transcript.with_utterances(found))
    numbered = [replace(u, id=f"u{i}") for i, u in enumerate(found, 1)]
    return replace(
        imported,
        transcript=transcript.with_utterances(numbered),
        notes=(*imported.notes, _note(cut, len(transcript), len(numbered))),
    )


def _note(cut: int, entries: int, count: int) -> Note:
    return Note(
        "cut_into_sentences",
        f"{cut} of {entries} entries held several sentences and were cut: {count} utterances.",
        f"{entries} 条中有 {cut} 条含多个句子，已按句拆分，共 {count} 句。",
    )


@dataclass(frozen=True, slots=True)
class _Sound:
    """What the recording tells, made ready for asking about one stretch."""

    speech: list[Span]
    """Disjoint and in order."""
    roles: RoleVotes

    def within(self, span: Span) -> tuple[list[Span], list[RoleSpan]]:
        """The speech and the roles of a stretch, cut to it."""
        first = bisect_left(self.speech, span.start, key=lambda s: s.end)
        last = bisect_left(self.speech, span.end, key=lambda s: s.start)
        cut = (
            replace(t, start=max(t.start, span.start), end=min(t.end, span.end))
            for t in self.roles.within(span)
            if t.span.overlap(span) > 0
        )
        return intersection(self.speech[first:last], [span]), list(cut)


def _cut(utterance: Utterance, language: str, heard: _Sound) -> list[Utterance]:
    """The utterance as one or several."""
    texts = sentences(utterance.text, language)
    span = utterance.span
    rough = utterance.approximate and bool(heard.speech) and not utterance.words
    if span is None or rough:
        return _untimed(utterance, texts)
    if len(texts) < 2:
        return _at_pauses(utterance, language)
    if utterance.words and (counts := _words_of(utterance, texts)) is not None:
        return _by_words(utterance, texts, counts)
    return _with_spans(utterance, texts, _shares(utterance, span, texts, heard))


def _at_pauses(utterance: Utterance, language: str) -> list[Utterance]:
    """Minutes of words without a mark, cut where the speaker paused; all else stays whole."""
    span, words = utterance.span, utterance.words
    if span is None or span.duration <= LONG_UTTERANCE or punctuated(utterance.text):
        return [utterance]
    ends = sentence_ends(words, language)
    if len(ends) < 2:
        return [utterance]
    texts = texts_of_parts(utterance.text, words, [0, *ends[:-1]])
    return _by_words(utterance, texts, [b - a for a, b in pairwise([0, *ends])])


def _untimed(utterance: Utterance, texts: Sequence[str]) -> list[Utterance]:
    """Sentences without times; a start that there was stays with the first."""
    if len(texts) < 2:
        return [replace(utterance, end=None)]
    first = replace(utterance, text=texts[0], end=None, words=())
    return [first, *(replace(first, text=text, start=None) for text in texts[1:])]


def _words_of(utterance: Utterance, texts: Sequence[str]) -> list[int] | None:
    """How many words each sentence has, by counting letters; None where that does not tell.

    Letters are counted, not compared: recognisers write numbers and cases their own way.
    """
    said = list(accumulate(_letters(w.text) for w in utterance.words))
    wanted = list(accumulate(_letters(t) for t in texts))
    if abs(said[-1] - wanted[-1]) > SAME_WORDS * wanted[-1]:
        return None
    scale = said[-1] / wanted[-1] if wanted[-1] else 0.0
    edges = [0]
    for letters in wanted[:-1]:
        nearest = min(range(len(said)), key=lambda i: abs(said[i] - letters * scale))
        edges.append(nearest + 1)
    edges.append(len(said))
    counts = [b - a for a, b in pairwise(edges)]
    return counts if min(counts) > 0 else None


def _letters(text: str) -> int:
    return sum(letter.isalnum() for letter in text)


def _by_words(utterance: Utterance, texts: Sequence[str], counts: Sequence[int]) -> list[Utterance]:
    """Cut between words; the outer ends stay those of the utterance."""
    edges = list(accumulate(counts, initial=0))
    parts = [utterance.words[a:b] for a, b in pairwise(edges)]
    pieces = [
        replace(utterance, text=text, words=words, start=words[0].start, end=words[-1].end)
        for text, words in zip(texts, parts, strict=True)
    ]
    pieces[0] = replace(pieces[0], start=utterance.start)
    pieces[-1] = replace(pieces[-1], end=utterance.end)
    return pieces


def _with_spans(
    utterance: Utterance, texts: Sequence[str], spans: Sequence[Span]
) -> list[Utterance]:
    """One piece a span, approximate; words that did not fit the text go by their middle."""
    edges = [float("-inf"), *(s.start for s in spans[1:]), float("inf")]
    return [
        replace(
            utterance,
            text=text,
            start=span.start,
            end=span.end,
            approximate=True,
            words=tuple(w for w in utterance.words if a <= (w.start + w.end) / 2 < b),
        )
        for text, span, (a, b) in zip(texts, spans, pairwise(edges), strict=True)
    ]


def _shares(utterance: Utterance, span: Span, texts: Sequence[str], heard: _Sound) -> list[Span]:
    """Where each sentence lies in `span`; the first begins and the last ends with it."""
    bare = [Utterance(f"u{i}", text, role=utterance.role) for i, text in enumerate(texts)]
    talk, roles = heard.within(span)
    laid = [u.span for u in align(Transcript("und", tuple(bare)), talk, roles, WITHIN)]
    found = [s for s in laid if s is not None and s.duration > 0]
    if len(found) < len(texts) or any(a.end > b.start for a, b in pairwise(found)):
        found = _by_length(span, texts)
    inner = [x for a, b in pairwise(found) for x in (a.end, b.start)]
    inner = [min(max(x, span.start), span.end) for x in inner]  # align rounds
    edges = [span.start, *inner, span.end]
    return [Span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _by_length(span: Span, texts: Sequence[str]) -> list[Span]:
    """The span divided as the sentences' usual speaking times are."""
    sums = list(accumulate((speaking_time(t) for t in texts), initial=0.0))
    edges = [span.start + span.duration * s / sums[-1] for s in sums]
    return [Span(round(a, 3), round(max(a, b), 3)) for a, b in pairwise([*edges[:-1], span.end])]
