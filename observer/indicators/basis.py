"""What the figures of one lesson rest on: the voices in time, and how they might be wrong."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from observer.confusion import BLUR, MOST_BLUR, Confusion, chances
from observer.discourse import Label
from observer.engines import NO_SWAP
from observer.indicators import Indicator, Material, Missing
from observer.reliability import Floats, simulated_interval
from observer.role_errors import LEAST_ERROR, RoleDraws, draw_roles
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role, RoleSpan, Seconds
from observer.transcript import Utterance

STUDENTS = (Role.STUDENT, Role.CHORAL, Role.GROUP)
SHOWN = 20
"""At most so many spans stand as evidence beside a figure about time: the longest ones."""
TRANSCRIPT_EDGES = 4.0
"""How much rougher the times of a transcript are than those of voice activity."""

NO_TIMES = Missing(
    "There are no times: this needs a recording, or a transcript with times.",
    "没有时间信息：需要录音，或带时间的文字稿。",
)
NO_RECORDING = Missing(
    "This can only be heard in the recording, and there is none.",
    "只有录音里才听得出来，而这里没有录音。",
)
NO_SPEECH = Missing("No speech was found.", "没有听到说话声。")
NO_WORDS = Missing(
    "There are no words: this needs a transcript.", "没有文字：需要语音识别或一份文字稿。"
)
NO_ROLES = Missing(
    "The transcript does not say who speaks: mark the teacher and the students.",
    "文字稿没有标明说话人：请标出教师和学生。",
)
NO_LABELS = Missing("The questions were not read by any labeller.", "还没有对提问进行判读。")


class Basis:
    """A lesson's material with its timeline; simulated alternatives come when first asked for.

    Without a recording the times are those of a transcript, through the timeline handed in or
    straight from the utterances; `source` says so and every method that uses times names it.
    """

    def __init__(self, material: Material) -> None:
        self.material = material
        self.timeline: tuple[RoleSpan, ...] = material.timeline
        self.span_ids: tuple[str, ...] = tuple(f"t{i}" for i in range(len(material.timeline)))
        self.duration: Seconds = material.duration or 0.0
        self.source = "recording" if material.timeline else "none"
        if material.timeline and material.duration is None:
            self.source = "transcript"
            self.duration = max(s.end for s in material.timeline)
        elif not material.timeline:
            self._take_transcript_times()

    def _take_transcript_times(self) -> None:
        timed = [
            (u, u.span, u.role)
            for u in self.material.discourse.transcript
            if u.span is not None and u.role is not None
        ]
        if not timed:
            return
        self.source = "transcript"
        self.timeline = tuple(
            RoleSpan(s.start, s.end, role, 1.0 if (p := u.role_probability) is None else p)
            for u, s, role in timed
        )
        self.span_ids = tuple(u.id for u, _, _ in timed)
        self.duration = self.material.duration or max(s.end for _, s, _ in timed)

    @cached_property
    def draws(self) -> RoleDraws:
        """The timeline as found and as it might be (observer.role_errors)."""
        return draw_roles(
            self.timeline,
            self.duration,
            widening=self.material.widening,
            swap=self.material.swap if self.source == "recording" else NO_SWAP,
            seed=self.material.seed,
            edge_scale=TRANSCRIPT_EDGES if self.source == "transcript" else 1.0,
            least_error=LEAST_ERROR if self.source == "recording" else (0.0, 0.0),
        )

    @property
    def timed(self) -> bool:
        """Whether there are voices in time."""
        return self.source != "none" and self.duration > 0

    @property
    def by(self) -> str:
        """Where the times come from, for a method."""
        return f"times={self.source}"

    def longest(self, *roles: Role) -> tuple[str, ...]:
        """Ids of the longest spans of `roles` in order of time, `SHOWN` at most."""
        chosen = [i for i, s in enumerate(self.timeline) if s.role in roles and s.duration > 0]
        chosen.sort(key=lambda i: (-self.timeline[i].duration, i))
        return tuple(self.span_ids[i] for i in sorted(chosen[:SHOWN]))

    @property
    def minutes(self) -> float | None:
        """Length of the lesson in minutes; None when it is unknown."""
        return self.duration / 60 if self.duration > 0 else None

    @cached_property
    def spoken(self) -> tuple[Utterance, ...]:
        """Utterances whose role is known."""
        return tuple(u for u in self.material.discourse.transcript if u.role is not None)

    @cached_property
    def _labels(self) -> dict[str, dict[str, Label]]:
        found: dict[str, dict[str, Label]] = {}
        for label in self.material.discourse.labels:
            found.setdefault(label.taxonomy, {})[label.utterance] = label
        return found

    def labels(self, taxonomy: str) -> Mapping[str, Label]:
        """Utterance id → its label in one taxonomy, unclear ones too."""
        return self._labels.get(taxonomy, {})

    def confusion(self, taxonomy: str) -> Confusion | None:
        """What the labeller mistakes for what in this taxonomy and language; None: not measured."""
        known, language = self.material.confusions, self.material.discourse.transcript.language
        return known.get(f"{taxonomy}.{language}", known.get(taxonomy))

    def chances(self, label: Label) -> Floats:
        """(k,) probability of each code of the label's taxonomy."""
        names = TAXONOMIES[label.taxonomy].names
        return chances(label, names, self.confusion(label.taxonomy))

    @cached_property
    def blur(self) -> float:
        """Share of the readings that recognition errors have made worthless (observer.confusion);
        0 where the words are a person's or carry no confidence."""
        sure = [w.confidence for u in self.spoken for w in u.words if w.confidence is not None]
        return min(MOST_BLUR, BLUR * (1 - sum(sure) / len(sure))) if sure else 0.0

    def no_talk(self) -> Missing | None:
        """Why nothing can be said of who said what, or None when it can."""
        if not len(self.material.discourse.transcript):
            return NO_WORDS
        return None if self.spoken else NO_ROLES


def figure(
    name: str,
    unit: str,
    value: float,
    n: int,
    method: str,
    *,
    interval: tuple[float, float] | None = None,
    evidence: Iterable[str] = (),
    uncorrected: float | None = None,
) -> Indicator:
    """An indicator with a value, rounded to six decimals so that equal inputs give equal bytes."""
    low, high = (None, None) if interval is None else (round(float(x), 6) for x in interval)
    counted = None if uncorrected is None else round(float(uncorrected), 6)
    found = round(float(value), 6)
    return Indicator(name, unit, found, n, method, low, high, tuple(evidence), uncorrected=counted)


def absent(name: str, unit: str, method: str, why: Missing, n: int = 0) -> Indicator:
    """An indicator without a value, and the reason."""
    return Indicator(name, unit, None, n, method, missing=why)


def simulated(
    name: str,
    unit: str,
    values: Floats,
    n: int,
    method: str,
    evidence: Sequence[str],
    undefined: Missing = NO_SPEECH,
) -> Indicator:
    """An indicator from observed (`values[0]`) and simulated values; nan means undefined."""
    if np.isnan(values[0]):
        return absent(name, unit, method, undefined)
    interval = simulated_interval(values)
    return figure(name, unit, float(values[0]), n, method, interval=interval, evidence=evidence)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """``top / bottom``, nan where the denominator is zero."""
    out = np.full(np.broadcast(top, bottom).shape, np.nan)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) > 0)
    return out
