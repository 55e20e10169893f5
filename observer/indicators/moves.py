"""Talk moves, uptake, focusing, instructional acts, and feedback on what students say.

Talk moves (Suresh et al., LREC 2022), uptake and focusing are read in English; instructional
acts (DialogID) in Mandarin; of the teacher's moves those that overlap and question labels show
are transferred to Mandarin without validation, and every figure of theirs says so. Feedback
comes by rules in both languages.
"""

from observer.indicators import Indicator, Missing
from observer.indicators.basis import NO_LABELS, Basis, absent, figure
from observer.indicators.reading import UNREAD, Reading, weighted_share
from observer.taxonomies import FOCUSING, INSTRUCTION, STUDENT_MOVE, TEACHER_MOVE, UPTAKE
from observer.timeline import Role
from observer.transcript import Utterance

RULES = "moves/1"
PER = 10.0
"""Minutes to which rates refer."""
_RATE = "per 10 minutes"
_NO_REPLIES = Missing(
    "No reply of the teacher to a student was read.", "没有判读到教师对学生发言的回应。"
)
_NO_TURNS = Missing(
    "No words of the teacher after a student were read for feedback.",
    "没有判读到学生发言之后教师的反馈。",
)
_KINDS = {
    "praise_only": "praise alone",
    "repeat": "repeat",
    "follow_up": "probe",
    "correct": "negate",
    "none": "none",
}
"""Indicator → what the teacher's turn holds."""


def indicators(basis: Basis) -> list[Indicator]:
    """Moves as counts and rates, uptake and focusing shares, instruction, feedback."""
    why = basis.no_talk() or (None if basis.material.discourse.labels else NO_LABELS)
    teacher = Reading(basis, TEACHER_MOVE.name, (Role.TEACHER,))
    students = Reading(basis, STUDENT_MOVE.name, (Role.STUDENT, Role.CHORAL))
    found = [*_moves(teacher, why), *_moves(students, why)]
    found.append(_unclear("moves_unclear", (teacher, students), why))
    for taxonomy in (UPTAKE, FOCUSING):
        reading = Reading(basis, taxonomy.name, (Role.TEACHER,))
        codes = [c for c in taxonomy.names if taxonomy is UPTAKE or c != "none"]
        found += [_share(reading, code, why) for code in codes]
    acts = Reading(basis, INSTRUCTION.name, (Role.TEACHER,))
    found += [_count(acts, code, why) for code in INSTRUCTION.names if code != "none"]
    found.append(_unclear("instruction_unclear", (acts,), why))
    return found + _feedback(basis, why)


def _unread(reading: Reading, code: str | None = None) -> Missing | None:
    """Why nothing can be said of a code: the taxonomy, or this code of it, is not read here."""
    if not reading.labelled:
        return UNREAD
    carried = {x.code for _, x in reading.labelled}
    return UNREAD if reading.transferred and code is not None and code not in carried else None


def _moves(reading: Reading, why: Missing | None) -> list[Indicator]:
    found = []
    for code in reading.taxonomy.names:
        if code == "none":
            continue
        found.append(_count(reading, code, why))
        name = f"{reading.taxonomy.name}_{code}_per_10_min"
        formula = f"10 · #{{{reading.taxonomy.name} = {code}}} / min"
        lacking = why or _unread(reading, code)
        found.append(
            absent(name, _RATE, f"{formula}; {RULES}", lacking)
            if lacking is not None
            else reading.rate(name, code, formula, RULES, PER, _RATE)
        )
    return found


def _count(reading: Reading, code: str, why: Missing | None) -> Indicator:
    name = f"{reading.taxonomy.name}_{code}"
    formula = f"#{{{reading.taxonomy.name} = {code}}}"
    lacking = why or _unread(reading, code)
    if lacking is not None:
        return absent(name, "count", f"{formula}; {RULES}", lacking)
    return reading.count(name, code, formula, RULES, len(reading.labelled))


def _share(reading: Reading, code: str, why: Missing | None) -> Indicator:
    name = f"{reading.taxonomy.name}_{code}_share"
    formula = f"n({code}) / n(read)"
    lacking = why or _unread(reading)
    if lacking is not None:
        return absent(name, "share", f"{formula}; {RULES}", lacking)
    return reading.share(name, code, formula, RULES, _NO_REPLIES)


def _unclear(name: str, readings: tuple[Reading, ...], why: Missing | None) -> Indicator:
    method = f"#{{unclear}}; {RULES}"
    labelled = sum(len(r.labelled) for r in readings)
    if why is not None or not labelled:
        return absent(name, "count", method, why or UNREAD)
    ids = [u.id for r in readings for u, _ in r.unclear]
    return figure(name, "count", len(ids), labelled, method, evidence=ids)


# -- feedback ----------------------------------------------------------------------------


def _feedback(basis: Basis, why: Missing | None) -> list[Indicator]:
    """What the teacher's turn after a student's makes of it; several kinds may come together."""
    turns = [] if why is not None else _replies(basis)
    found = []
    for key, what in _KINDS.items():
        name = f"feedback_{key}_share"
        method = f"n({what}) / n(S then T read); ci95=Wilson, weighted; {RULES}"
        if why is not None or not turns:
            found.append(absent(name, "share", method, why or _NO_TURNS))
            continue
        cases = [(_is(key, codes), sure) for _, codes, sure in turns]
        ids = [first for first, codes, _ in turns if _is(key, codes)]
        found.append(weighted_share(name, cases, method, ids))
    return found


def _is(key: str, codes: frozenset[str]) -> bool:
    if key == "praise_only":
        return codes == {"praise"}
    if key == "none":
        return not codes
    return {"repeat": "repeat", "follow_up": "probe", "correct": "negate"}[key] in codes


def _replies(basis: Basis) -> list[tuple[str, frozenset[str], float]]:
    """(first utterance that shows it, codes but none, how sure) of every turn after a student's
    that was read for feedback."""
    labels = basis.labels("feedback")
    found = []
    last: Role | None = None
    turn: list[Utterance] = []
    for utterance in (*basis.spoken, None):
        role = None if utterance is None else utterance.role
        if role is not Role.TEACHER and turn:
            read = [(u, labels[u.id]) for u in turn if u.id in labels]
            clear = [(u, x) for u, x in read if not x.unclear]
            if clear:
                told = [(u, x) for u, x in clear if x.code != "none"] or clear[:1]
                codes = frozenset(x.code for _, x in clear if x.code != "none")
                sure = min(x.probability for _, x in told)
                found.append((told[0][0].id, codes, sure))
            turn = []
        if utterance is None:
            break
        if role is Role.TEACHER and (turn or last in (Role.STUDENT, Role.CHORAL)):
            turn.append(utterance)
        last = role
    return found
