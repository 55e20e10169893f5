"""Counts of labelled utterances: corrected for known confusions where those were measured.

Where the labeller's confusions are known (observer.confusion) the value is the inferred true
number and `uncorrected` what was counted; elsewhere the count stands as found and its interval
comes from the labels' probabilities as independent events (Poisson-binomial). A person's
correction (source "teacher") is certain in both. An unclear label counts as found nowhere.
"""

from collections.abc import Collection, Sequence
from functools import cached_property
from statistics import mean

import numpy as np

from observer.confusion import CHAINS, NONE, UNCLEAR, Confusion, Floats, true_counts
from observer.discourse import Label
from observer.indicators import Indicator, Missing
from observer.indicators.basis import Basis, absent, figure
from observer.reliability import poisson_binomial_interval, wilson
from observer.taxonomies import TAXONOMIES, VERSION
from observer.timeline import Role
from observer.transcript import Utterance

TEACHER_SOURCE = "teacher"
"""Source of a label that a person has set."""
TRANSFERRED = "transferred"
"""End of the source of labels whose model was not validated in the lesson's language."""
NO_LENGTH = Missing("The length of the lesson is not known.", "不知道这节课的长度。")
UNREAD = Missing(
    "The labeller does not read this in the language of the lesson.",
    "当前的判读器在这节课的语言里不判读这一项。",
)

Labelled = tuple[Utterance, Label]


class Reading:
    """One taxonomy's labels on the utterances of some roles.

    `within` restricts it to utterances for which a chance is given (real questions, say): the
    others are `NONE` to a confusion that knows that code, and outside everything else.
    """

    def __init__(
        self,
        basis: Basis,
        taxonomy: str,
        roles: Collection[Role],
        within: dict[str, float] | None = None,
    ) -> None:
        self.basis, self.taxonomy = basis, TAXONOMIES[taxonomy]
        self.within = within
        labels = basis.labels(taxonomy)
        self.side = [u for u in basis.spoken if u.role in roles]
        self.labelled: list[Labelled] = [
            (u, labels[u.id])
            for u in self.side
            if u.id in labels and (within is None or u.id in within)
        ]
        self.confusion: Confusion | None = self._applicable(basis.confusion(taxonomy))

    def _applicable(self, confusion: Confusion | None) -> Confusion | None:
        if confusion is None:
            return None
        own = [x for _, x in self.labelled if x.source == confusion.source]
        known = all(confusion.column(x.code, x.unclear) is not None for x in own)
        return confusion if own and known else None

    # -- what was found ------------------------------------------------------------------

    def clear(self, *codes: str) -> list[Labelled]:
        """The utterances that were found to have one of the codes."""
        return [(u, x) for u, x in self.labelled if x.code in codes and not x.unclear]

    @property
    def unclear(self) -> list[Labelled]:
        """The utterances on which the labeller abstains."""
        return [(u, x) for u, x in self.labelled if x.unclear]

    def how(self, *codes: str) -> str:
        """What stands in a method beside the formula, for counts of these codes."""
        corrected = self._corrects(codes)
        parts = ["corrected; ci95=hierarchical" if corrected else "ci95=Poisson-binomial"]
        if self.unclear:
            parts.append(f"unclear = {len(self.unclear)}")
        if self.transferred:
            parts.append("transferred, unvalidated")
        return "; ".join([*parts, f"taxonomies/{VERSION}"])

    def _corrects(self, codes: Collection[str]) -> bool:
        """Whether counts of all these codes are corrected."""
        return self.confusion is not None and all(self.confusion.sure_of(c) for c in codes)

    @property
    def transferred(self) -> bool:
        """Whether any of it comes from a model that was not validated in this language."""
        return any(x.source.endswith(TRANSFERRED) for _, x in self.labelled)

    def chance(self, utterance: Utterance, label: Label, code: str) -> float:
        """Probability that it is said by this side, is within, and has the code."""
        side = 1.0 if utterance.role_probability is None else utterance.role_probability
        inside = 1.0 if self.within is None else self.within[utterance.id]
        place = self.taxonomy.names.index(code)
        return side * inside * float(self.basis.chances(label)[place])

    # -- counts --------------------------------------------------------------------------

    @cached_property
    def draws(self) -> tuple[tuple[str, ...], Floats, Floats] | None:
        """(codes, true counts, the same with mistaken roles), (draws, k); None: not measured."""
        confusion = self.confusion
        if confusion is None:
            return None
        read: dict[str, int] = {}
        rest: list[Labelled] = []
        for utterance, label in self.labelled:
            if label.source != confusion.source:
                rest.append((utterance, label))
                continue
            code = UNCLEAR if label.unclear and UNCLEAR in confusion.predicted else label.code
            read[code] = read.get(code, 0) + 1
        if NONE in confusion.predicted and NONE not in self.taxonomy.names:
            read[NONE] = len(self.side) - len(self.labelled)
        seed = self.basis.material.seed
        truth = true_counts(confusion, read, blur=self.basis.blur, seed=seed)
        rng = np.random.default_rng([seed, 11])
        for i, code in enumerate(confusion.codes):
            if rest and code in self.taxonomy.names:
                sure = np.array([self._weight(x, code) for _, x in rest])
                truth[:, i] += (rng.random((CHAINS, len(rest))) < sure).sum(axis=1)
        doubt = 1 - mean(
            1.0 if u.role_probability is None else u.role_probability for u, _ in self.labelled
        )
        lean = np.maximum(0.0, 1 + rng.standard_normal((CHAINS, 1)) * doubt)
        return confusion.codes, truth, truth * lean

    def _weight(self, label: Label, code: str) -> float:
        if label.source == TEACHER_SOURCE:
            return float(label.code == code)
        return float(self.basis.chances(label)[self.taxonomy.names.index(code)])

    def number(self, *codes: str) -> tuple[float, float, float, float | None]:
        """(value, low, high, uncorrected): how many utterances have one of the codes."""
        found = len(self.clear(*codes))
        if self.draws is None or not self._corrects(codes):
            sure = [sum(self.chance(u, x, c) for c in codes) for u, x in self.labelled]
            low, high = poisson_binomial_interval([min(1.0, p) for p in sure])
            return float(found), float(min(low, found)), float(max(high, found)), None
        names, truth, doubted = self.draws
        columns = [names.index(c) for c in codes if c in names]
        value = float(truth[:, columns].sum(axis=1).mean())
        low, high = np.percentile(doubted[:, columns].sum(axis=1), [2.5, 97.5])
        return value, min(float(low), value), max(float(high), value), float(found)

    def count(self, name: str, code: str, formula: str, rules: str, n: int) -> Indicator:
        """The number of utterances with one code."""
        value, low, high, raw = self.number(code)
        return figure(
            name,
            "count",
            value,
            n,
            f"{formula}; {self.how(code)}; {rules}",
            interval=(low, high),
            evidence=[u.id for u, _ in self.clear(code)],
            uncorrected=raw,
        )

    def rate(
        self, name: str, code: str, formula: str, rules: str, per: float, unit: str
    ) -> Indicator:
        """How often one code comes in so many minutes of lesson."""
        how = f"{formula}; {self.basis.by}; {self.how(code)}; {rules}"
        if self.basis.minutes is None:
            return absent(name, unit, how, NO_LENGTH)
        scale = per / self.basis.minutes
        value, low, high, raw = self.number(code)
        return figure(
            name,
            unit,
            value * scale,
            len(self.labelled),
            how,
            interval=(low * scale, high * scale),
            evidence=[u.id for u, _ in self.clear(code)],
            uncorrected=None if raw is None else raw * scale,
        )

    def share(self, name: str, code: str, formula: str, rules: str, empty: Missing) -> Indicator:
        """One code among all that were read and are clear."""
        how = f"{formula}; {self.how(code)}; {rules}"
        read = self.clear(*self.taxonomy.names)
        if not read:
            return absent(name, "share", how, empty)
        ids = [u.id for u, _ in self.clear(code)]
        raw = len(ids) / len(read)
        if self.draws is None or not self._corrects((code,)):
            place = self.taxonomy.names.index(code)
            sure = [float(self.basis.chances(x)[place]) for _, x in read]
            low, high = poisson_binomial_interval(sure)
            ends = (min(low / len(read), raw), max(high / len(read), raw))
            return figure(name, "share", raw, len(read), how, interval=ends, evidence=ids)
        names, truth, doubted = self.draws
        within = [names.index(c) for c in self.taxonomy.names if c in names]
        place = names.index(code)
        value = float(truth[:, place].sum() / max(1.0, truth[:, within].sum()))
        whole = np.maximum(1.0, doubted[:, within].sum(axis=1))
        low_, high_ = np.percentile(doubted[:, place] / whole, [2.5, 97.5])
        ends = (min(float(low_), value), max(float(high_), value))
        return figure(
            name, "share", value, len(read), how, interval=ends, evidence=ids, uncorrected=raw
        )


def weighted_share(
    name: str,
    cases: Sequence[tuple[bool, float]],
    method: str,
    evidence: Sequence[str],
) -> Indicator:
    """A share of cases, each (is it one, how sure it is a case at all).

    The interval is Wilson's with the sum of the probabilities for n: what is less sure to be a
    case carries less.
    """
    hits, n = sum(hit for hit, _ in cases), len(cases)
    effective = max(1.0, sum(p for _, p in cases))
    interval = wilson(min(1.0, hits / n) * effective, effective)
    return figure(name, "share", hits / n, n, method, interval=interval, evidence=evidence)
