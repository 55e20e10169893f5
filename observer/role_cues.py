"""Who speaks, by sound and words together: log-odds of both are added, stretch by stretch.

The sound holds one voice for the teacher's; the words tell how much each utterance sounds like a
teacher's or a student's (`observer.engines.RoleCues`). Two questions:

1. *Is it the right voice?* With x an utterance's log-odds by its words and m the probability, by
   sound alone, that the voice held for the teacher's speaks it, the slope of x over m,
   ``b = cov(m, x) / var(m)``, is about `contrast` for the right voice, ``−contrast · share`` for
   another (share of the others' talk that is the teacher's), and 0 where words tell nothing; each
   with variance ``between² + within² / (n · var(m))``. Bayes' rule gives the new doubt (`Swap`);
   from one half on the roles are exchanged.
2. *Whose is this stretch?* The k utterances in it add ``Σx / √k`` to the log-odds of the sound
   (sentences of one turn resemble each other; exponent and unit slope are measured:
   benchmarks/role_cues.py), less what all utterances of the lesson have too much.

A role that a transcript declares is evidence for question 1 and stays as it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, floor, log, pi, sqrt

from observer.engines import CueEvidence, Note, Swap
from observer.splitting import RoleVotes
from observer.timeline import Role, RoleSpan, Seconds
from observer.transcript import Transcript, Utterance

SIDES = (Role.TEACHER, Role.STUDENT)
LEAST_SWAP, LEAST_ENROLLED = 0.02, 0.005
"""Doubt of the voice that words must overcome where the diarizer has less, and where it was given
the teacher's voice. Judgements."""
SURE = 0.99
"""A sound that is surer than this is not believed more where the words speak against it."""
INSIDE = 0.6
"""Share of an utterance that must lie in a stretch for its words to count there."""
MOST_SWAP = 0.49
"""Beyond this no role would be left."""
FEWEST = 6
"""Utterances from which on the voices are compared."""
DECLARED = CueEvidence((), contrast=1.0, between=0.25, within=0.5, level=0.0, trust=0.98)
"""How declared roles (1 teacher, 0 student) follow the voices: labels are people's words, but
their times are rough. Judgements."""
TOLD = 0.05
"""Doubts of the whole lesson from here on are told, as in the diarizer's notes."""


@dataclass(frozen=True, slots=True)
class JoinedRoles:
    """A timeline after its words were heard."""

    timeline: list[RoleSpan]
    swap: Swap
    notes: tuple[Note, ...]


def join_cues(
    timeline: Sequence[RoleSpan],
    swap: Swap,
    transcript: Transcript,
    evidence: CueEvidence,
    *,
    enrolled: bool = False,
) -> JoinedRoles:
    """The timeline, and the doubt who the teacher is, in the light of the words.

    `transcript` has the times and roles that the timeline gave it, `evidence` belongs to its
    utterances. Bounds of stretches stay, so do choirs, groups, playback and silence. `enrolled`:
    a person gave the teacher's voice, so words may doubt it, but exchange nobody.
    """
    stretches = [item for item in timeline if item.role in SIDES]
    main = [_main(item, swap.probability) for item in stretches]
    heard = _heard(stretches, main, transcript, evidence.log_odds)
    least = LEAST_ENROLLED if enrolled else LEAST_SWAP
    known, trust = _who(heard, Swap(max(swap.probability, least), swap.share), evidence)
    doubt = swap.probability if known is None else known
    turned = doubt > 0.5 and swap.share >= 0.5 and not enrolled
    teacher = _by_words(main, heard, evidence, trust, swap.share if turned else None)
    left = Swap(min(doubt, MOST_SWAP), swap.share)
    if turned:
        left = Swap(min(1 - doubt, MOST_SWAP), _former(stretches, teacher))
    found = {
        id(item): _with(item, p, left.probability)
        for item, p in zip(stretches, teacher, strict=True)
    }
    after = [found.get(id(item), item) for item in timeline]
    changed = [a for a, b in zip(after, timeline, strict=True) if a.role is not b.role]
    notes = _notes(swap.probability, left.probability, turned, changed)
    return JoinedRoles(after, left, tuple(notes))


def _main(item: RoleSpan, swap: float) -> float:
    """Probability, by sound, that the voice held for the teacher's speaks here.

    Without the doubt of the whole lesson, which the span's probability holds, too.
    """
    error = (1 - item.probability - swap) / (1 - 2 * swap) if swap < 0.499 else 1 - SURE
    right = min(1.0, max(0.5, 1 - error))
    return right if item.role is Role.TEACHER else 1 - right


def _with(item: RoleSpan, teacher: float, swap: float) -> RoleSpan:
    """The stretch with its likelier role, the doubt of the whole lesson in its probability."""
    role, own = (Role.TEACHER, teacher) if teacher >= 0.5 else (Role.STUDENT, 1 - teacher)
    return replace(item, role=role, probability=own * (1 - swap) + (1 - own) * swap)


@dataclass(frozen=True, slots=True)
class _Utterance:
    """An utterance laid over the stretches."""

    main: float
    stretch: int | None
    """The stretch that holds most of it; None when several share it."""
    log_odds: float | None
    role: Role | None
    """As declared; None where sound and words decide."""


def _heard(
    stretches: Sequence[RoleSpan],
    main: Sequence[float],
    transcript: Transcript,
    log_odds: Sequence[float | None],
) -> list[_Utterance]:
    """The utterances of which most is one side's talk."""
    votes = RoleVotes(stretches)
    places = {id(item): i for i, item in enumerate(stretches)}
    found = []
    for utterance, odds in zip(transcript, log_odds, strict=True):
        span = utterance.span
        if span is None or span.duration <= 0 or (_declared(utterance) and utterance.approximate):
            continue
        under = [(places[id(t)], span.overlap(t.span)) for t in votes.within(span)]
        covered = sum(seconds for _, seconds in under)
        if covered < INSIDE * span.duration:
            continue
        mean = sum(main[i] * seconds for i, seconds in under) / covered
        place, most = max(under, key=lambda pair: pair[1])
        own = place if most >= INSIDE * span.duration else None
        role = utterance.role if _declared(utterance) else None
        if role is None or role in SIDES:
            found.append(_Utterance(mean, own, odds, role))
    return found


def _declared(utterance: Utterance) -> bool:
    return utterance.role is not None and utterance.role_probability is None


def _who(
    heard: Sequence[_Utterance], swap: Swap, evidence: CueEvidence
) -> tuple[float | None, float]:
    """(probability of the wrong voice, that the words tell roles); None where nothing tells."""
    declared = [(h.main, float(h.role is Role.TEACHER)) for h in heard if h.role is not None]
    spoken = [(h.main, h.log_odds) for h in heard if h.role is None and h.log_odds is not None]
    doubt, trust, told = swap.probability, evidence.trust, False
    for pairs, how in ((declared, DECLARED), (spoken, evidence)):
        if (slope := _Slope.of(pairs)) is not None:
            doubt, trust = slope.posterior(doubt, swap.share, how)
            told = True
    return doubt if told else None, trust


@dataclass(frozen=True, slots=True)
class _Slope:
    """How steeply the words' evidence rises with the main voice."""

    value: float
    information: float
    """n · var(m)."""

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]]) -> "_Slope | None":
        """From (m, x) of each utterance; None for few, or where one voice says nearly all."""
        n = len(pairs)
        if n < FEWEST:
            return None
        m, x = (sum(p[k] for p in pairs) / n for k in (0, 1))
        spread = sum((a - m) ** 2 for a, _ in pairs)
        if spread < 1.0:
            return None
        return cls(sum((a - m) * (b - x) for a, b in pairs) / spread, spread)

    def posterior(self, doubt: float, share: float, how: CueEvidence) -> tuple[float, float]:
        """(probability that the wrong voice was chosen, that the words tell roles here).

        A slope steeper than `contrast` counts as that: no lesson proves more than a usual one.
        """
        slope = min(how.contrast, max(-how.contrast, self.value))
        variance = how.between**2 + how.within**2 / self.information
        right, wrong, nothing = (
            exp(-((slope - center) ** 2) / (2 * variance)) / sqrt(2 * pi * variance)
            for center in (how.contrast, -how.contrast * share, 0.0)
        )
        told = (1 - doubt) * right + doubt * wrong
        whole = how.trust * told + (1 - how.trust) * nothing
        if whole <= 0:
            return doubt, 0.0
        swapped = doubt * (how.trust * wrong + (1 - how.trust) * nothing)
        return swapped / whole, how.trust * told / whole


def _by_words(
    main: Sequence[float],
    heard: Sequence[_Utterance],
    evidence: CueEvidence,
    trust: float,
    turned: float | None,
) -> list[float]:
    """Probability of the teacher in each stretch, given who the teacher is.

    `turned`: share of the others' talk that is the teacher's after an exchange; None without.
    """
    before = [m if turned is None else (1 - m) * turned for m in main]
    own: dict[int, list[float]] = {}
    for h in heard:
        if h.stretch is not None and h.log_odds is not None and h.role is None:
            own.setdefault(h.stretch, []).append(h.log_odds)
    rest = [x - evidence.contrast * (before[i] - 0.5) for i, said in own.items() for x in said]
    level = _shrunk(rest, evidence)
    return [_updated(p, [x - level for x in own.get(i, ())], trust) for i, p in enumerate(before)]


def _shrunk(rest: Sequence[float], how: CueEvidence) -> float:
    """What the words of all utterances have too much, shrunk as its own spread suggests."""
    if not rest or how.level <= 0:
        return 0.0
    noise = how.within**2 / len(rest)
    return sum(rest) / len(rest) * how.level**2 / (how.level**2 + noise)


def _updated(teacher: float, log_odds: Sequence[float], trust: float) -> float:
    """Bayes' rule, where the words tell nothing of roles with probability 1 − trust."""
    if not log_odds:
        return teacher
    ratio = exp(min(30.0, max(-30.0, sum(log_odds) / sqrt(len(log_odds)))))
    blank = (1 - trust) * (ratio + 1) / 2
    known = min(SURE, max(1 - SURE, teacher))
    words = log((trust * ratio + blank) / (trust + blank))
    both = 1 / (1 + exp(-log(known / (1 - known)) - words))
    if abs(words) < 1e-9 or (words > 0) == (teacher > both):
        return teacher
    return both


def _former(stretches: Sequence[RoleSpan], teacher: Sequence[float]) -> float:
    """Share of what is now the students' talk that was the teacher's before an exchange."""
    now = [item for item, p in zip(stretches, teacher, strict=True) if p < 0.5]
    former = _seconds(item for item in now if item.role is Role.TEACHER)
    return former / _seconds(now) if now else 1.0


def _seconds(items: Iterable[RoleSpan]) -> Seconds:
    return sum(item.duration for item in items)


_NOTES = {
    "exchanged": Note(
        "Words speak against the sound: the voice first held for the teacher's answers, and the "
        "others ask, direct and evaluate (or the transcript's labels say so). Teacher and "
        "students were exchanged (probability {sure} %).",
        "话语内容（或转写文本的标注）与声音的判断相反：最初被当作教师的声音在作答，另一方在提问、"
        "组织和评价。已将师生身份对调（把握 {sure} %）。",
    ),
    "against": Note(
        "Words speak against the sound, or do not tell teacher and students apart: who is the "
        "teacher is uncertain here (probability {sure} %). Give the teacher's voice, or check the "
        "one that was given (--teacher-voice, --teacher-at).",
        "话语内容与声音的判断不一致，或无法区分师生：“谁是教师”并不确定（把握 {sure} %）。"
        "请用 --teacher-voice 或 --teacher-at 指明教师的声音；如已提供，请核对。",
    ),
    "agree": Note(
        "Who asks, directs, evaluates and answers agrees with the voice that was taken for the "
        "teacher's (probability now {sure} %).",
        "从谁在提问、组织、评价和作答来看，与声音所判断的教师一致（现把握 {sure} %）。",
    ),
    "stretches": Note(
        "In {count} stretches ({seconds} s) the sound was unsure and the words spoke for the "
        "other role; they were given to it.",
        "有 {count} 段（共 {seconds} 秒）声音判断不确定，而话语内容支持另一身份，已按后者归类。",
    ),
}


def _notes(before: float, after: float, turned: bool, changed: Sequence[RoleSpan]) -> list[Note]:
    """What to tell; doubts under `TOLD` are left to the intervals."""
    keys = ["exchanged"] if turned else []
    if not turned and after >= TOLD and after > before:
        keys.append("against")
    elif not turned and before >= TOLD and after < before:
        keys.append("agree")
    if changed and not turned:
        keys.append("stretches")
    told = {
        "sure": floor(100 * (1 - after)),
        "count": len(changed),
        "seconds": round(_seconds(changed)),
    }
    return [Note(_NOTES[k].en.format(**told), _NOTES[k].zh.format(**told)) for k in keys]
