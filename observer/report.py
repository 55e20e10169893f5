"""Claims and the report: short sentences, each with evidence that plays.

A claim without evidence is refused. Claims are invitations, never verdicts; nothing is said
about a single child, no composite score, no ranking. The wording is data
(:mod:`observer.phrases`), the rules stand in :mod:`observer.claims`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from observer.discretion import gives_verdict, names_person
from observer.errors import InvalidReport, Language
from observer.timeline import Role, Span

if TYPE_CHECKING:
    from observer.observation import Observation


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the report."""

    id: str
    text: str
    evidence: tuple[str, ...]
    """Ids as in Indicator.evidence; never empty in a valid report."""
    indicator: str
    """Name of the indicator that the sentence rests on."""


@dataclass(frozen=True, slots=True)
class Report:
    """An observation as it is told; `validate` keeps its promises."""

    observation: "Observation"

    def validate(self) -> None:
        """Raise InvalidReport for the first claim that breaks a rule.

        Each claim needs text, an id of its own, an indicator that has a value, and evidence
        that exists and, where the lesson was timed, can be played; it names no student, gives
        no score and no rank.
        """
        seen: set[str] = set()
        places = self.observation.places()
        timed = any(span is not None for span in places.values())
        valued = {i.name for i in self.observation.indicators if i.value is not None}
        speakers = _student_speakers(self.observation)
        for claim in self.observation.claims:
            _refuse_bad_identity(claim, seen)
            _refuse_bad_evidence(claim, places, timed)
            if claim.indicator not in valued:
                raise InvalidReport(
                    en=f"Claim {claim.id} rests on “{claim.indicator}”, which has no value: "
                    "leave the claim out.",
                    zh=f"论断 {claim.id} 依据的指标“{claim.indicator}”没有数值：请删去该论断。",
                )
            _refuse_persons(claim, speakers)
            seen.add(claim.id)


def claims(observation: "Observation", language: Language) -> tuple[Claim, ...]:
    """What may be said of this lesson, the weightiest first; empty when nothing was measured."""
    # The rules know Observation, which knows Claim: they are met only here, when asked.
    from observer.claims import tell

    return tell(observation, language)


# -- what a report refuses ---------------------------------------------------------------


def _student_speakers(observation: "Observation") -> tuple[str, ...]:
    """Speaker labels of students in the transcript, which may be names."""
    found = {u.speaker for u in observation.transcript if u.role is Role.STUDENT and u.speaker}
    return tuple(sorted(found))


def _refuse_bad_identity(claim: Claim, seen: set[str]) -> None:
    if not claim.text.strip():
        raise InvalidReport(
            en=f"Claim {claim.id} says nothing: give it a sentence or leave it out.",
            zh=f"论断 {claim.id} 没有内容：请补写或删去。",
        )
    if claim.id in seen:
        raise InvalidReport(
            en=f"Two claims are called {claim.id}: give each its own id.",
            zh=f"有两条论断都叫 {claim.id}：请使用不同的编号。",
        )


def _refuse_bad_evidence(claim: Claim, places: dict[str, Span | None], timed: bool) -> None:
    if not claim.evidence:
        raise InvalidReport(
            en=f"Claim {claim.id} has no evidence: add what proves it or leave it out.",
            zh=f"论断 {claim.id} 没有证据：请补上证据或删去。",
        )
    unknown = [e for e in claim.evidence if e not in places]
    if unknown:
        raise InvalidReport(
            en=f"Claim {claim.id} points at {', '.join(unknown)}, which this lesson does not hold.",
            zh=f"论断 {claim.id} 引用的证据 {'、'.join(unknown)} 在本课中不存在。",
        )
    mute = [e for e in claim.evidence if places[e] is None]
    if timed and mute:
        raise InvalidReport(
            en=f"Claim {claim.id} points at {', '.join(mute)}, which has no time and cannot be "
            "played.",
            zh=f"论断 {claim.id} 引用的证据 {'、'.join(mute)} 没有时间，无法回放。",
        )


def _refuse_persons(claim: Claim, speakers: Sequence[str]) -> None:
    if names_person(claim.text, speakers):
        raise InvalidReport(
            en=f"Claim {claim.id} names a student: say it of the class, or leave it out.",
            zh=f"论断 {claim.id} 点到了具体学生：请改为描述全班，或删去。",
        )
    if gives_verdict(claim.text):
        raise InvalidReport(
            en=f"Claim {claim.id} scores or ranks: a report describes and asks.",
            zh=f"论断 {claim.id} 含有评分或排名：报告只描述和提问。",
        )
