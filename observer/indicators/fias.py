"""FIAS: how often each of Flanders' ten categories was coded, and the indices of their matrix.

The categories come from observer.structure.categories by the rules of observer.fias. Intervals
are those of simulated lessons: other roles (observer.role_errors), other labels as far as their
probabilities leave room, and another start of the three-second sampling.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from observer.fias import (
    CATEGORIES,
    LEFT_OUT,
    Floats,
    denominator,
    indices,
    transition_matrix,
)
from observer.indicators import Indicator, Missing
from observer.indicators.basis import (
    NO_LABELS,
    NO_TIMES,
    SHOWN,
    STUDENTS,
    Basis,
    absent,
    simulated,
)
from observer.structure.categories import Codes, Coding, Sample
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role

RULES = "fias/1"
DRAWS: Final = 100
UNREAD: Final = 0.2
"""Where more of the voices than this has no words, nothing is coded."""
READ: Final = (
    "question_form",
    "feedback",
    "instruction",
    "teacher_move",
    "student_move",
    "uptake",
)
"""The taxonomies that the rules read."""

_FORMULAS: Final[dict[str, tuple[str, str, tuple[int, ...]]]] = {
    "tt": ("share", "(n1 + … + n7) / N", ()),
    "pt": ("share", "(n8 + n9) / N", ()),
    "sc": ("share", "n10 / N", ()),
    "indirect_direct": ("ratio", "(n1 + n2 + n3 + n4) / (n5 + n6 + n7)", (1, 2, 3, 4)),
    "revised_indirect_direct": ("ratio", "(n1 + n2 + n3) / (n6 + n7)", (1, 2, 3, 6)),
    "trr": ("share", "(n1 + n2 + n3) / (n1 + n2 + n3 + n6 + n7)", (1, 2, 3, 6)),
    "tqr": ("share", "n4 / (n4 + n5)", (4,)),
    "pir": ("share", "n9 / (n8 + n9)", (9,)),
    "trr89": ("share", "TRR in rows 8, 9", (1, 2, 3, 6)),
    "tqr89": ("share", "TQR in rows 8, 9", (4,)),
    "ccr_cross": ("share", "Σ m_ij, i ∈ {4, 5} ∨ j ∈ {4, 5}, / N", (4, 5)),
    "ccr_share": ("share", "(n4 + n5) / N", (4, 5)),
    "ssr": ("share", "Σ m_ii / N", ()),
    "pssr": ("share", "(m_88 + m_99) / (n8 + n9)", (8, 9)),
    "constructive": ("share", "Σ m_ij, i, j in {1, 2, 3}, / N", (1, 2, 3)),
    "vicious": ("share", "Σ m_ij, i in {7, 8}, j in {6, 7}, / N", (6,)),
}
"""Index → unit, formula, categories whose words are its evidence."""
_OUT: Final = tuple(x.code for x in LEFT_OUT)
_TOO_SHORT = Missing("The lesson is shorter than three seconds.", "这节课不足三秒。")
_NOT_READ = Missing(
    "More than a fifth of the voices has no words, so what they say cannot be coded.",
    "超过五分之一的人声没有文字，无法判断在说什么。",
)
_NO_TONE = Missing(
    "It rests on category 7 (criticises), which words without their tone do not show.",
    "它以第 7 类（批评）为主，而只看文字、听不出语气，无法编码。",
)


def indicators(basis: Basis) -> list[Indicator]:
    """The ten tallies, then every index; each with a reason where it has no value."""
    why = _why_none(basis)
    if why is not None:
        return _nothing(why)
    coding = Coding(basis.timeline, basis.material.discourse, basis.duration)
    if coding.intervals < 1:
        return _nothing(_TOO_SHORT)
    if coding.unread() > UNREAD:
        return _nothing(_NOT_READ)
    return _Figures(basis, coding).all()


def _why_none(basis: Basis) -> Missing | None:
    """Why nothing can be coded, or None when it can."""
    if not basis.timed:
        return NO_TIMES
    if (why := basis.no_talk()) is not None:
        return why
    return None if basis.material.discourse.codes("question_form") else NO_LABELS


def _nothing(why: Missing) -> list[Indicator]:
    found = [absent(f"fias_n{k}", "count", _tally(k), why) for k in CATEGORIES]
    return found + [
        absent(f"fias_{name}", unit, f"{formula}; {RULES}", why)
        for name, (unit, formula, _) in _FORMULAS.items()
    ]


def _tally(k: int) -> str:
    return f"n{k} = Σ_j m_{k}j; {RULES}"


class _Figures:
    """One lesson coded as found and as it might have been."""

    def __init__(self, basis: Basis, coding: Coding) -> None:
        self.basis, self.coding = basis, coding
        self.samples: tuple[Sample, ...] = coding.samples
        found = transition_matrix([s.code for s in self.samples])
        self.matrices = np.concatenate([found[None], self._drawn()])
        self.how = f"N = {len(self.samples) + 1}; {self._unclear()}{basis.by}; ci95=simulated"

    def all(self) -> list[Indicator]:
        """The tallies and the indices, in the order of the catalogue."""
        tallies = self.matrices.sum(axis=-1).astype(float)
        found = [self._count(k, tallies[:, k - 1]) for k in CATEGORIES]
        values = indices(self.matrices)
        return found + [self._index(name, values[name]) for name in _FORMULAS]

    def _count(self, k: int, values: Floats) -> Indicator:
        name, method = f"fias_n{k}", f"n{k} = Σ_j m_{k}j; {self.how}; {RULES}"
        if k in _OUT:
            return absent(name, "count", method, _left_out(k))
        return simulated(name, "count", values, len(self.samples), method, self._proof((k,)))

    def _index(self, name: str, values: Floats) -> Indicator:
        unit, formula, codes = _FORMULAS[name]
        key, n = f"fias_{name}", len(self.samples)
        method = f"{formula}; {self.how}; {RULES}"
        if name == "vicious" and 7 in _OUT:
            return absent(key, unit, method, _NO_TONE, n)
        proof = self._proof(codes) if codes else self._stretches(name)
        return simulated(key, unit, values, n, method, proof, undefined=_undefined(name))

    def _proof(self, codes: Iterable[int]) -> tuple[str, ...]:
        """Utterances that have one of the categories, in order of time, `SHOWN` at most."""
        said = [s.utterance for s in self.samples if s.code in codes and s.utterance is not None]
        if said or 10 not in codes:
            return tuple(dict.fromkeys(said))[:SHOWN]
        return self.basis.longest(Role.SILENCE, Role.GROUP)

    def _stretches(self, name: str) -> tuple[str, ...]:
        roles = {"tt": (Role.TEACHER,), "pt": STUDENTS[:2], "sc": (Role.SILENCE, Role.GROUP)}
        return self.basis.longest(*roles.get(name, (Role.TEACHER, Role.STUDENT)))

    def _unclear(self) -> str:
        """How many utterances no label could be found for that is sure enough."""
        unsure = {
            x.utterance
            for x in self.basis.material.discourse.labels
            if x.unclear and x.taxonomy in READ
        }
        return f"unclear = {len(unsure)}; " if unsure else ""

    # -- simulated lessons ---------------------------------------------------------------

    def _drawn(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
        """(d, 10, 10) matrices of lessons with other roles, labels and starts of sampling."""
        rng = np.random.default_rng([self.basis.material.seed, 7])
        said = self.coding.categories(self._labels(rng))
        draws = self.basis.draws
        rows = np.linspace(1, len(draws.lengths) - 1, DRAWS).astype(np.intp)
        place = np.searchsorted(draws.cuts, self.coding.middles, side="right") - 1
        place = np.clip(place, 0, draws.heard.shape[2] - 1)
        phases = rng.integers(0, 3, DRAWS) if self.coding.intervals > 1 else np.zeros(DRAWS, int)
        matrices = [
            transition_matrix(
                self.coding.drawn(
                    draws.heard[:, row][:, place], said[i % len(said)], int(phases[i])
                )
            )
            for i, row in enumerate(rows)
        ]
        return np.stack(matrices)

    def _labels(self, rng: np.random.Generator) -> dict[str, Codes]:
        """Taxonomy → (d, U) codes drawn by the labels' probabilities; -1 where nothing was read."""
        ids = [u.id for u in self.basis.material.discourse.transcript]
        place = {name: i for i, name in enumerate(ids)}
        found: dict[str, Codes] = {}
        for taxonomy in READ:
            labels = [
                x
                for x in self.basis.material.discourse.labels
                if x.taxonomy == taxonomy and x.utterance in place
            ]
            if not labels:
                continue
            names = TAXONOMIES[taxonomy].names
            chances = np.stack([self.basis.chances(x) for x in labels])
            reached = np.cumsum(chances, axis=1)[None]
            drawn = (rng.random((DRAWS, len(labels), 1)) > reached).sum(axis=2)
            codes = np.full((DRAWS, len(ids)), -1, dtype=np.int8)
            codes[:, [place[x.utterance] for x in labels]] = np.minimum(drawn, len(names) - 1)
            found[taxonomy] = codes
        return found


def _left_out(code: int) -> Missing:
    reason = next(x for x in LEFT_OUT if x.code == code)
    return Missing(reason.en.replace("“", '"').replace("”", '"'), reason.zh)


def _undefined(name: str) -> Missing:
    """Why an index has no value: nothing stands below the fraction line."""
    codes = [str(k) for k in denominator(name)]
    return Missing(
        f"Nothing was coded {' or '.join(codes)}, so there is nothing to divide by"
        + (" after the students." if name.endswith("89") else "."),
        ("学生发言之后" if name.endswith("89") else "")
        + f"没有 {'、'.join(codes)} 类编码，分母为零。",
    )
