"""Exchanges: the teacher's question, the students' answer, what the teacher makes of it.

Read from roles and labels only, so a transcript without times will do. After Sinclair and
Coulthard (1975) with the follow-up and discussion variants used in Chinese classroom research:
IR · IRE · IRIRE (追问, the teacher asks on from the answer) · IDRE (discussion, then the answer).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from observer.discourse import Discourse, Exchange
from observer.timeline import Role, RoleSpan, Seconds, Span, intersection, of_role, total
from observer.transcript import Utterance

PATIENCE = 3
"""More teacher utterances in a row without question or feedback than this end an exchange."""
DISCUSSION: Seconds = 5.0
"""Group talk of at least this long between question and answer is a discussion."""
_ANSWERS = (Role.STUDENT, Role.CHORAL)
_EVALUATES = ("praise", "negate", "repeat")


def find_exchanges(discourse: Discourse, timeline: Sequence[RoleSpan] = ()) -> tuple[Exchange, ...]:
    """Every answered question as an exchange, in order, with ids x1, x2 …

    An exchange opens with a real teacher question that is not a managing one. A student or
    choral utterance answers it; each further answer after the teacher has spoken is another
    round. Feedback (affirming, correcting, repeating) evaluates; a probing utterance asks on
    within the same exchange; the next real question, or more than `PATIENCE` utterances of
    telling, end it. Questions without an answer are no exchanges. Group talk before the
    first answer, by its utterances or by `DISCUSSION` seconds on the timeline, makes an IDRE.
    Where several kinds fit, follow-up goes before discussion.
    """
    moves = _moves(discourse)
    groups = of_role(timeline, Role.GROUP)
    found: list[_Chain] = []
    chain: _Chain | None = None
    for utterance, move in moves:
        if move == "question" or (move == "probe" and not (chain and chain.rounds)):
            found += _kept(chain)
            chain = _Chain([utterance])
        elif chain is not None and not chain.take(utterance, move, groups):
            found += _kept(chain)
            chain = None
    found += _kept(chain)
    return tuple(c.exchange(f"x{i}") for i, c in enumerate(found, 1))


def _moves(discourse: Discourse) -> list[tuple[Utterance, str]]:
    """Each utterance with what it does: question, probe, evaluate, tell, answer, discuss."""
    form, demand = discourse.codes("question_form"), discourse.codes("question_demand")
    feedback = discourse.codes("feedback")
    moves = []
    for utterance in discourse.transcript:
        if utterance.role in _ANSWERS:
            moves.append((utterance, "answer"))
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
                moves.append((utterance, "evaluate"))
            else:
                moves.append((utterance, "manage" if asks else "tell"))
    return moves


@dataclass(slots=True)
class _Chain:
    """An exchange while it is being read."""

    utterances: list[Utterance]
    kept: int = 1
    """Utterances up to the last one that belongs to the exchange."""
    rounds: int = 0
    answered: bool = False
    """Whether the last move was an answer."""
    probed: bool = False
    followed: bool = False
    discussed: bool = False
    evaluated: bool = False
    idle: int = 0

    def take(self, utterance: Utterance, move: str, groups: Sequence[Span]) -> bool:
        """Read on by one utterance; False when the exchange was over before it."""
        if move == "tell":
            self.idle += 1
            if self.idle > PATIENCE:
                return False
            self.answered = False
            self.utterances.append(utterance)
            return True
        self.idle = 0
        self.utterances.append(utterance)
        if move == "answer":
            self._answer(utterance, groups)
        elif move == "discuss":
            self.discussed |= self.rounds == 0
        else:
            self.answered = False
            self.probed |= move == "probe"
            self.evaluated |= move == "evaluate" and self.rounds > 0
        if self.rounds and move in ("answer", "evaluate"):
            self.kept = len(self.utterances)
        return True

    def _answer(self, answer: Utterance, groups: Sequence[Span]) -> None:
        if self.rounds == 0 and not self.discussed:
            self.discussed = _group_talk(self.utterances[0], answer, groups) >= DISCUSSION
        if not self.answered:
            self.rounds += 1
        self.followed |= self.probed
        self.answered = True

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
