"""The teacher's questions: how many, of what form, demand, 四何 kind and openness.

The labels carry probabilities, so counts carry intervals: each utterance is an independent
event, and the number of them that happen follows the Poisson-binomial distribution. A label
with probability p leaves ``(1 − p) / (k − 1)`` for each of the other k − 1 codes.
"""

from dataclasses import dataclass

from observer.discourse import Label
from observer.indicators import Indicator, Missing
from observer.indicators.basis import NO_LABELS, Basis, absent, figure
from observer.reliability import poisson_binomial_interval
from observer.taxonomies import OPENNESS, QUESTION_DEMAND, QUESTION_FORM, SIHE, VERSION, Taxonomy
from observer.timeline import Role
from observer.transcript import Utterance

RULES = "questions/1"
_INTERVAL = "ci95=Poisson-binomial"
_NO_LENGTH = Missing("The length of the lesson is not known.", "不知道这节课的长度。")
_NO_QUESTIONS = Missing("No such question was found.", "没有找到这样的提问。")
_UNREAD = Missing("This side of the questions was not read.", "这一方面还没有判读。")

FORMS = {"questions_total": "real", "questions_tag": "tag", "questions_self": "self"}
KINDS: tuple[tuple[str, Taxonomy], ...] = (
    ("questions_demand", QUESTION_DEMAND),
    ("questions_sihe", SIHE),
    ("questions", OPENNESS),
)


def indicators(basis: Basis) -> list[Indicator]:
    """Counts by form, per minute, by kind, and the share of open questions."""
    reading = _Reading(basis)
    found = [reading.form(name, code) for name, code in FORMS.items()]
    found.append(reading.per_minute())
    for stem, taxonomy in KINDS:
        found += [reading.kind(f"{stem}_{c.code}", taxonomy, c.code) for c in taxonomy.codes]
    return [*found, reading.open_share()]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One teacher utterance with its labels and the chance that it is the teacher's."""

    utterance: Utterance
    labels: dict[str, Label]
    teacher: float

    def chance(self, taxonomy: Taxonomy, code: str) -> float:
        """Probability that the utterance has `code`; 0 when it was not read."""
        label = self.labels.get(taxonomy.name)
        if label is None:
            return 0.0
        if label.code == code:
            return label.probability
        return (1 - label.probability) / (len(taxonomy.codes) - 1)

    def code(self, taxonomy: Taxonomy) -> str | None:
        """The code it was given."""
        label = self.labels.get(taxonomy.name)
        return None if label is None else label.code


class _Reading:
    """The teacher's utterances as the labeller read them."""

    def __init__(self, basis: Basis) -> None:
        self.basis = basis
        labels: dict[str, dict[str, Label]] = {}
        for label in basis.material.discourse.labels:
            labels.setdefault(label.utterance, {})[label.taxonomy] = label
        self.asked = [
            _Asked(u, labels[u.id], 1.0 if u.role_probability is None else u.role_probability)
            for u in basis.spoken
            if u.role is Role.TEACHER and u.id in labels
        ]
        self.real = [a for a in self.asked if a.code(QUESTION_FORM) == "real"]
        self.why = basis.no_talk()
        if self.why is None and not basis.material.discourse.codes(QUESTION_FORM.name):
            self.why = NO_LABELS

    def form(self, name: str, code: str) -> Indicator:
        """Number of the teacher's utterances of one form."""
        how = f"#{{form = {code}}}; {_INTERVAL}; taxonomies/{VERSION}; {RULES}"
        if self.why is not None:
            return absent(name, "count", how, self.why)
        ids = [a.utterance.id for a in self.asked if a.code(QUESTION_FORM) == code]
        chances = [a.teacher * a.chance(QUESTION_FORM, code) for a in self.asked]
        return _count(name, len(self.asked), ids, chances, how)

    def per_minute(self) -> Indicator:
        """Real questions per minute of lesson."""
        name, unit = "questions_per_minute", "per minute"
        total, minutes = self.form("questions_total", "real"), self.basis.minutes
        how = f"#{{form = real}} / min; {self.basis.by}; {_INTERVAL}; {RULES}"
        why = self.why or (_NO_LENGTH if minutes is None else None)
        if why is not None or minutes is None or total.value is None:
            return absent(name, unit, how, why or _NO_LENGTH)
        low, high = total.low or 0.0, total.high or 0.0
        return figure(
            name,
            unit,
            total.value / minutes,
            total.n,
            how,
            interval=(low / minutes, high / minutes),
            evidence=total.evidence,
        )

    def kind(self, name: str, taxonomy: Taxonomy, code: str) -> Indicator:
        """Number of real questions of one kind."""
        how = f"#{{real, {taxonomy.name} = {code}}}; {_INTERVAL}; taxonomies/{VERSION}; {RULES}"
        why = self._unread(taxonomy)
        if why is not None:
            return absent(name, "count", how, why)
        ids = [a.utterance.id for a in self.real if a.code(taxonomy) == code]
        chances = [
            a.teacher * a.chance(QUESTION_FORM, "real") * a.chance(taxonomy, code)
            for a in self.real
        ]
        return _count(name, len(self.real), ids, chances, how)

    def open_share(self) -> Indicator:
        """Open questions among the real ones that were read for openness."""
        name = "questions_open_share"
        read = [a for a in self.real if a.code(OPENNESS) is not None]
        how = f"open / (open + closed); {_INTERVAL}; taxonomies/{VERSION}; {RULES}"
        why = self._unread(OPENNESS) or (None if read else _NO_QUESTIONS)
        if why is not None:
            return absent(name, "share", how, why)
        ids = [a.utterance.id for a in read if a.code(OPENNESS) == "open"]
        low, high = poisson_binomial_interval([a.chance(OPENNESS, "open") for a in read])
        n = len(read)
        interval = (min(low, len(ids)) / n, max(high, len(ids)) / n)
        return figure(name, "share", len(ids) / n, n, how, interval=interval, evidence=ids)

    def _unread(self, taxonomy: Taxonomy) -> Missing | None:
        """Why a kind cannot be counted: nothing was read, or not in this taxonomy."""
        if self.why is None and self.real and all(a.code(taxonomy) is None for a in self.real):
            return _UNREAD
        return self.why


def _count(name: str, n: int, ids: list[str], chances: list[float], how: str) -> Indicator:
    low, high = poisson_binomial_interval(chances)
    interval = (float(min(low, len(ids))), float(max(high, len(ids))))
    return figure(name, "count", len(ids), n, how, interval=interval, evidence=ids)
