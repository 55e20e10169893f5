"""Categories: what each three seconds of a lesson are in Flanders' interaction analysis.

From the role timeline (who is heard) and the labels (what the words are read as), by the rules of
``observer/fias.toml``. Each interval gets the category that fills most of it. What is simulated
for the intervals of the figures, other voices and other labels, goes the same way.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from observer.discourse import Discourse, Label
from observer.fias import DOUBT, INTERVAL, RULES, Floats
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role, RoleSpan, Seconds
from observer.transcript import Utterance

NEAR: Final[Seconds] = 3.0
"""A voice without words takes the category of words of its side that are at most so far off."""
SHORT: Final = 4
"""A teacher's remark of at most so many characters or words keeps the floor as it was."""
STEP: Final[Seconds] = 1.0
"""Sampling may start at each of these within the first interval, in simulated lessons."""

_SIDES = (Role.TEACHER, Role.STUDENT, Role.CHORAL, Role.GROUP, Role.MEDIA)
_UNIT = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3400-\u9fff\uf900-\ufaff]+")
_NONE = -1
_WORDS: Final = {
    rule.name: {
        "zh": re.compile(rule.words_zh),
        "en": re.compile(rule.words_en, re.IGNORECASE),
    }
    for rule in RULES
    if rule.words_zh
}

Codes = NDArray[np.int8]
Heard = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded interval."""

    start: Seconds
    end: Seconds
    code: int
    utterance: str | None
    """Whose words fill most of it, as far as they have this category."""


class Coding:
    """A timed lesson made ready for coding, once as found and again for simulated labels."""

    def __init__(
        self, timeline: Sequence[RoleSpan], discourse: Discourse, duration: Seconds
    ) -> None:
        self.timeline, self.duration = timeline, duration
        self.utterances: tuple[Utterance, ...] = discourse.transcript.utterances
        self.intervals = int(duration / INTERVAL + 1e-9)
        self._labels: dict[tuple[str, str], Label] = {
            (x.utterance, x.taxonomy): x for x in discourse.labels
        }
        language = discourse.transcript.language
        self._language = "zh" if language in ("zh", "cmn", "yue") else "en"

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The lesson as found, one sample every `INTERVAL`; a shorter rest is left out."""
        said = self.categories({})
        seconds, filled = self._seconds(self.heard(), said[0], 0, places=True)
        codes = strongest(seconds)
        ids = [u.id for u in self.utterances]
        found = []
        for i, code in enumerate(codes.tolist()):
            inside = filled.get((i, code), {})
            best = max(inside, key=lambda u: (inside[u], -u), default=None)
            name = None if best is None else ids[best]
            found.append(Sample(i * INTERVAL, (i + 1) * INTERVAL, code, name))
        return tuple(found)

    def drawn(self, heard: Heard, said: Codes, phase: int) -> Codes:
        """(n,) codes with these voices (5, pieces), utterance categories (U,) and start."""
        return strongest(self._seconds(heard, said, phase)[0])

    # -- what each utterance is ----------------------------------------------------------

    def categories(self, drawn: Mapping[str, NDArray[np.int8]]) -> Codes:
        """(d, U) category of every utterance; `drawn` has (d, U) codes of some taxonomies.

        A taxonomy's codes are places in its list, -1 where nothing was read. Taxonomies that
        are not drawn stand as they were found, where an unclear label counts as none.
        """
        if not self.utterances:
            return np.zeros((1, 0), dtype=np.int8)
        depth = max((len(x) for x in drawn.values()), default=1)

        def having(taxonomy: str, *codes: str) -> Heard:
            known = drawn.get(taxonomy, self.found(taxonomy)[None, :])
            return np.isin(known, [TAXONOMIES[taxonomy].names.index(c) for c in codes])

        roles = [u.role for u in self.utterances]
        students = np.array([r in (Role.STUDENT, Role.CHORAL) for r in roles])
        answered = np.append(students[1:], False)
        asks = having("question_form", "real") | (having("question_form", "tag") & answered)
        asks = asks | having("feedback", "probe")
        asks = asks | having("teacher_move", "press_accuracy", "press_reasoning", "get_relate")
        praises = having("feedback", "praise") | having("instruction", "commending")
        uses = having("feedback", "repeat") | having("teacher_move", "restate", "revoice")
        uses = uses | having("uptake", "high")
        directs = having("instruction", "guidance", "note_taking", "repeating")
        directs = directs | self._saying("directs")
        shape = (depth, len(roles))
        conditions = [self._saying("feeling"), asks, praises, uses, directs]
        wide = [np.broadcast_to(c, shape) for c in conditions]
        teacher = np.select(wide, [1, 4, 2, 3, 6], default=5)
        back = having("question_form", "real") | having("student_move", "ask")
        alone = np.array([r is Role.STUDENT for r in roles])
        initiated = alone & (back | ~self._prompted(teacher))
        said = np.where(students, np.where(initiated, 9, 8), teacher)
        return np.asarray(said, dtype=np.int8)

    def found(self, taxonomy: str) -> NDArray[np.int8]:
        """(U,) the codes of one taxonomy as places in its list; -1 without a clear label."""
        names = TAXONOMIES[taxonomy].names
        labels = (self._labels.get((u.id, taxonomy)) for u in self.utterances)
        return np.array(
            [_NONE if x is None or x.unclear else names.index(x.code) for x in labels],
            dtype=np.int8,
        )

    def _saying(self, rule: str) -> Heard:
        """(U,) whether the words themselves make the rule hold."""
        patterns = _WORDS[rule]
        return np.array(
            [patterns[self._script(u.text)].search(u.text.strip()) is not None
             for u in self.utterances],
            dtype=bool,
        )  # fmt: skip

    def _script(self, text: str) -> str:
        return "zh" if self._language == "zh" or re.search(r"[\u4e00-\u9fff]", text) else "en"

    def _prompted(self, teacher: NDArray[np.integer]) -> Heard:
        """(d, U) whether a student who speaks there was asked or told to."""
        open_ = np.zeros(len(teacher), dtype=bool)
        asked, told = open_.copy(), open_.copy()
        found = np.zeros(teacher.shape, dtype=bool)
        last: Role | None = None
        for i, utterance in enumerate(self.utterances):
            if utterance.role is Role.TEACHER:
                if last is not Role.TEACHER:
                    asked, told = np.zeros_like(open_), np.zeros_like(open_)
                kind = teacher[:, i]
                asked = asked | np.isin(kind, (4, 6))
                short = len(_UNIT.findall(utterance.text)) <= SHORT
                told = told | ((kind == 5) & (not short))
            elif last is Role.TEACHER:
                open_ = asked | (open_ & ~told)
            found[:, i] = open_
            last = utterance.role or last
        return found

    # -- from utterances to intervals ----------------------------------------------------

    @cached_property
    def _edges(self) -> Floats:
        """Every moment at which a voice, an utterance or a possible interval begins or ends."""
        ends = [s.start for s in self.timeline] + [s.end for s in self.timeline]
        for utterance in self.utterances:
            if utterance.start is not None and utterance.end is not None:
                ends += [utterance.start, utterance.end]
        grid = np.arange(0.0, self.duration + STEP, STEP)
        every = np.unique(np.round(np.concatenate([np.array(ends), grid]), 6))
        return every[(every >= 0) & (every <= self.intervals * INTERVAL)]

    @cached_property
    def middles(self) -> Floats:
        """(p,) the middle of each piece between two edges, seconds."""
        return (self._edges[:-1] + self._edges[1:]) / 2

    def heard(self) -> Heard:
        """(5, p) whether teacher, student, chorus, group and playback are heard in each piece."""
        heard = np.zeros((len(_SIDES), len(self.middles)), dtype=bool)
        for span in self.timeline:
            if span.role in _SIDES:
                first, last = np.searchsorted(self.middles, [span.start, span.end])
                heard[_SIDES.index(span.role), first:last] = True
        return heard

    @cached_property
    def _words(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(p,) for teacher and students: whose words fill a piece, or lie nearest; -1 if none."""
        return self._nearest(Role.TEACHER), self._nearest(Role.STUDENT, Role.CHORAL)

    def _nearest(self, *roles: Role) -> NDArray[np.intp]:
        found = np.full(len(self.middles), _NONE)
        gap = np.full(len(self.middles), np.inf)
        for i, u in enumerate(self.utterances):
            if u.role in roles and u.start is not None and u.end is not None:
                away = np.maximum(np.maximum(u.start - self.middles, self.middles - u.end), 0.0)
                nearer = (away <= NEAR) & ((away < gap) | ((away == 0) & (gap == 0)))
                found[nearer], gap[nearer] = i, away[nearer]
        return found

    def unread(self) -> float:
        """Share of the teacher's and students' voices that has no words near it; 0 if none."""
        heard, lengths = self.heard(), np.diff(self._edges)
        teacher, students = self._words
        alone = heard[1] | heard[2]
        voiced = lengths[heard[0]].sum() + lengths[alone].sum()
        mute = lengths[heard[0] & (teacher < 0)].sum() + lengths[alone & (students < 0)].sum()
        return float(mute / voiced) if voiced else 0.0

    def _seconds(
        self, heard: Heard, said: Codes, phase: int, *, places: bool = False
    ) -> tuple[Floats, dict[tuple[int, int], dict[int, float]]]:
        """(n, 10) seconds of each category in each interval, and whose words they are."""
        lengths = np.diff(self._edges)
        place = np.floor((self.middles - phase * STEP) / INTERVAL).astype(np.intp)
        n = self.intervals - (phase > 0)
        teacher, students = self._words
        kinds = (
            (heard[0], np.where(teacher >= 0, _at(said, teacher, 5), 5), teacher),
            (heard[1], np.where(students >= 0, _at(said, students, 8), 8), students),
            (heard[2] & ~heard[1], np.full(len(place), 8), students),
            (heard[3], np.full(len(place), 10), None),
            (heard[4], np.full(len(place), 5), None),
            (~heard.any(axis=0), np.full(len(place), 10), None),
        )
        seconds = np.zeros(max(n, 0) * 10)
        whose: dict[tuple[int, int], dict[int, float]] = {}
        inside = (place >= 0) & (place < n)
        for mask, codes, words in kinds:
            at = np.flatnonzero(mask & inside)
            cells = place[at] * 10 + codes[at] - 1
            seconds += np.bincount(cells, weights=lengths[at], minlength=len(seconds))
            if places and words is not None:
                for i in at[words[at] >= 0].tolist():
                    cell = whose.setdefault((int(place[i]), int(codes[i])), {})
                    cell[int(words[i])] = cell.get(int(words[i]), 0.0) + float(lengths[i])
        return seconds.reshape(-1, 10), whose


def _at(said: Codes, words: NDArray[np.intp], other: int) -> NDArray[np.int64]:
    """The category of each piece's words; `other` where the words are of the other side."""
    sides = (1, 2, 3, 4, 5, 6, 7) if other == 5 else (8, 9)
    codes = said[words].astype(np.int64) if len(said) else np.full(len(words), other)
    return np.where(np.isin(codes, sides), codes, other)


def strongest(seconds: Floats) -> Codes:
    """(n,) the category with most seconds in each row of (n, 10); doubt goes to `DOUBT`."""
    order = np.array(DOUBT) - 1
    rounded = np.round(seconds[:, order], 6)
    return np.asarray(np.array(DOUBT)[rounded.argmax(axis=1)], dtype=np.int8)
