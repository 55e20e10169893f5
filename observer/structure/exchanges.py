"""Exchanges: the teacher's question, the students' answer, what the teacher makes of it.

Read from roles and labels only, so a transcript without times will do. After Sinclair and
Coulthard (1975) with the follow-up and discussion variants used in Chinese classroom research:
IR · IRE · IRIRE (追问, the teacher asks on from the answer) · IDRE (discussion, then the answer).

What counts as the same question decides where one exchange ends and the next opens. In Sinclair
and Coulthard the next initiation bounds an exchange. What they call bound exchanges (the
teacher re-initiates after a wrong answer, or lists further answers to one question) stays
inside here, because depth (对话深度) counts the rounds on one question; so does asking on from
the answer, which makes IRIRE. Any other real question is a new exchange, however close it
follows, and feedback that accepts the answer closes the question until the teacher asks on or
calls on another.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from observer.discourse import Discourse, Exchange
from observer.timeline import Role, RoleSpan, Seconds, Span, intersection, of_role, total
from observer.transcript import Utterance

PATIENCE = 3
"""More teacher utterances in a row without question or feedback than this end an exchange …"""
PATIENCE_AFTER = 1
"""… and more than this once the question was answered."""
CALL = 4
"""A teacher utterance of at most so many characters or words that neither asks nor judges calls
on somebody (a name, “you, please”); a longer one tells."""
ELLIPTICAL = 3
"""A question of at most so many characters or words after a correction asks the same again …"""
SAME = 0.6
"""… and so does one that shares at least this much of its units, or the first question's."""
DISCUSSION: Seconds = 5.0
"""Group talk of at least this long between question and answer is a discussion."""
_ANSWERS = {Role.STUDENT: "answer", Role.CHORAL: "chorus"}
_EVALUATES = {"praise": "affirm", "repeat": "affirm", "negate": "negate"}


def find_exchanges(discourse: Discourse, timeline: Sequence[RoleSpan] = ()) -> tuple[Exchange, ...]:
    """Every answered question as an exchange, in order, with ids x1, x2 …

    An exchange opens with a real teacher question that is not a managing one. A student or
    choral utterance answers it; each further answer after the teacher has spoken is another
    round. Feedback (affirming, correcting, repeating) evaluates. Inside the exchange stay: a
    probing utterance (追问, tied to the answer), the same question again after a correction
    (`ELLIPTICAL`, `SAME`), and a managing question (“who else?”) or a bare call (`CALL`) right
    after an answer or its evaluation. It ends with any other real question, with more than
    `PATIENCE` (`PATIENCE_AFTER`) utterances of telling, with a tag question after an answer,
    with a chorus that answers a tag question, and where students speak after the teacher
    affirmed and nobody was called on: a class that reads aloud what it was told to read
    answers no question. Questions without an answer are no exchanges. Group talk before the
    first answer, by its utterances or by `DISCUSSION` seconds on the timeline, makes an IDRE.
    Where several kinds fit, follow-up goes before discussion.
    """
    moves = _moves(discourse)
    groups = of_role(timeline, Role.GROUP)
    found: list[_Chain] = []
    chain: _Chain | None = None
    for utterance, move in moves:
        again = move == "question" and chain is not None and chain.asks_again(utterance)
        opens = move == "question" or (move == "probe" and not (chain and chain.rounds))
        if opens and not again:
            found += _kept(chain)
            chain = _Chain([utterance])
        elif chain is not None and not chain.take(utterance, move, groups):
            found += _kept(chain)
            chain = None
    found += _kept(chain)
    return tuple(c.exchange(f"x{i}") for i, c in enumerate(found, 1))


def _moves(discourse: Discourse) -> list[tuple[Utterance, str]]:
    """Each utterance with what it does: question, probe, manage, affirm, negate, tag, tell, call,
    answer, chorus, discuss."""
    form, demand = discourse.codes("question_form"), discourse.codes("question_demand")
    feedback = discourse.codes("feedback")
    moves = []
    for utterance in discourse.transcript:
        if utterance.role in _ANSWERS:
            moves.append((utterance, _ANSWERS[utterance.role]))
        elif utterance.role is Role.GROUP:
            moves.append((utterance, "discuss"))
        elif utterance.role is Role.TEACHER:
            code = feedback.get(utterance.id, "none")
            asks = form.get(utterance.id) == "real"
            manages = demand.get(utterance.id) == "manage"
            if code == "probe" and not manages:
                moves.append((utterance, "probe"))
            elif asks and not manages:
                moves.append((utterance, "question"))
            elif code in _EVALUATES:
                moves.append((utterance, _EVALUATES[code]))
            elif form.get(utterance.id) == "tag":
                moves.append((utterance, "tag"))
            elif asks:
                moves.append((utterance, "manage"))
            else:
                moves.append((utterance, "call" if len(_units(utterance)) <= CALL else "tell"))
    return moves


_UNIT = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3400-\u9fff\uf900-\ufaff]+")


def _units(utterance: Utterance) -> list[str]:
    """Its characters of Chinese script and words of other scripts."""
    return _UNIT.findall(utterance.text.lower())


@dataclass(slots=True)
class _Chain:
    """An exchange while it is being read."""

    utterances: list[Utterance]
    kept: int = 1
    """Utterances up to the last one that belongs to the exchange."""
    rounds: int = 0
    last: str = "question"
    """The last move."""
    idle: int = 0
    """Utterances of telling since the last other move."""
    affirmed: bool = False
    """Whether the answer was accepted and nobody was asked or called on since."""
    corrected: bool = False
    """Whether the answer was found wrong and no other has come since."""
    tagged: bool = False
    probed: bool = False
    followed: bool = False
    discussed: bool = False
    evaluated: bool = False

    def take(self, utterance: Utterance, move: str, groups: Sequence[Span]) -> bool:
        """Read on by one utterance; False when the exchange was over before it."""
        if self._over(move):
            return False
        self.utterances.append(utterance)
        if move in _ANSWERS.values():
            self._answer(utterance, groups)
        self.idle = self.idle + 1 if move in ("tell", "call", "tag") else 0
        if move in ("affirm", "negate", "probe", "manage", "call"):
            self.affirmed = move == "affirm"
        if move in ("affirm", "negate", "probe", "manage", *_ANSWERS.values()):
            self.corrected = move == "negate"
        self.tagged |= move == "tag"
        self.discussed |= move == "discuss" and self.rounds == 0
        self.probed |= move == "probe"
        self.evaluated |= move in _EVALUATES.values() and self.rounds > 0
        if self.rounds and move in (*_ANSWERS.values(), *_EVALUATES.values()):
            self.kept = len(self.utterances)
        self.last = move
        return True

    def _over(self, move: str) -> bool:
        """Whether `move` no longer belongs to the question."""
        if move in ("tell", "call"):
            return self.idle >= (PATIENCE_AFTER if self.rounds else PATIENCE)
        if move == "chorus" and self.tagged:
            return True
        if not self.rounds:
            return False
        if move in _ANSWERS.values():
            return self.affirmed
        return move == "tag" or (move == "manage" and self.idle > 0)

    def asks_again(self, question: Utterance) -> bool:
        """Whether `question`, after a correction, is the first one over again."""
        if not self.corrected or not self.rounds:
            return False
        new, first = set(_units(question)), set(_units(self.utterances[0]))
        shared = len(new & first)
        elliptical = 0 < len(new) <= ELLIPTICAL
        return elliptical or 0 < SAME * min(len(new), len(first)) <= shared

    def _answer(self, answer: Utterance, groups: Sequence[Span]) -> None:
        if self.rounds == 0 and not self.discussed:
            self.discussed = _group_talk(self.utterances[0], answer, groups) >= DISCUSSION
        if self.last not in _ANSWERS.values():
            self.rounds += 1
        self.followed |= self.probed

    def exchange(self, name: str) -> Exchange:
        """The finished exchange."""
        kind = "IRE" if self.evaluated else "IR"
        if self.followed:
            kind = "IRIRE"
        elif self.discussed:
            kind = "IDRE"
        return Exchange(name, kind, tuple(u.id for u in self.utterances[: self.kept]), self.rounds)


def _kept(chain: _Chain | None) -> list[_Chain]:
    return [chain] if chain is not None and chain.rounds else []


def _group_talk(question: Utterance, answer: Utterance, groups: Sequence[Span]) -> Seconds:
    """Seconds of group talk between the two; 0 without times."""
    if question.end is None or answer.start is None or answer.start <= question.end:
        return 0.0
    return total(intersection(groups, [Span(question.end, answer.start)]))
