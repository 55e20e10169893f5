"""The teacher's questions: how many, of what form, demand, 四何 kind and openness.

Counts are corrected for the labeller's known confusions where they were measured, and carry the
intervals of observer.indicators.reading. Utterances whose form is unclear are counted apart.
"""

from observer.indicators import Indicator, Missing
from observer.indicators.basis import NO_LABELS, Basis, absent, figure
from observer.indicators.reading import NO_LENGTH, Reading
from observer.taxonomies import OPENNESS, QUESTION_DEMAND, QUESTION_FORM, SIHE, Taxonomy
from observer.timeline import Role

RULES = "questions/2"
_NO_QUESTIONS = Missing("No such question was found.", "没有找到这样的提问。")
_UNREAD = Missing("This side of the questions was not read.", "这一方面还没有判读。")

FORMS = {"questions_total": "real", "questions_tag": "tag", "questions_self": "self"}
KINDS: tuple[tuple[str, Taxonomy], ...] = (
    ("questions_demand", QUESTION_DEMAND),
    ("questions_sihe", SIHE),
    ("questions", OPENNESS),
)


def indicators(basis: Basis) -> list[Indicator]:
    """Counts by form, per minute, by kind, the share of open ones, and those left unclear."""
    form = Reading(basis, QUESTION_FORM.name, (Role.TEACHER,))
    why = basis.no_talk()
    if why is None and not basis.labels(QUESTION_FORM.name):
        why = NO_LABELS
    found = [_form(form, name, code, why) for name, code in FORMS.items()]
    found.append(_per_minute(form, why))
    place = QUESTION_FORM.names.index("real")
    real = {u.id: float(basis.chances(x)[place]) for u, x in form.clear("real")}
    for stem, taxonomy in KINDS:
        kinds = Reading(basis, taxonomy.name, (Role.TEACHER,), real)
        unread = why or (_UNREAD if real and not kinds.labelled else None)
        found += [
            _kind(kinds, f"{stem}_{c.code}", c.code, len(real), unread) for c in taxonomy.codes
        ]
    return [*found, _open_share(kinds, unread), _unclear(form, why)]


def _form(form: Reading, name: str, code: str, why: Missing | None) -> Indicator:
    """Number of the teacher's utterances of one form."""
    formula = f"#{{form = {code}}}"
    if why is not None:
        return absent(name, "count", f"{formula}; {RULES}", why)
    return form.count(name, code, formula, RULES, len(form.labelled))


def _per_minute(form: Reading, why: Missing | None) -> Indicator:
    """Real questions per minute of lesson."""
    name, unit, formula = "questions_per_minute", "per minute", "#{form = real} / min"
    why = why or (NO_LENGTH if form.basis.minutes is None else None)
    if why is not None:
        return absent(name, unit, f"{formula}; {form.basis.by}; {RULES}", why)
    return form.rate(name, "real", formula, RULES, 1.0, unit)


def _kind(kinds: Reading, name: str, code: str, n: int, why: Missing | None) -> Indicator:
    """Number of real questions of one kind."""
    formula = f"#{{real, {kinds.taxonomy.name} = {code}}}"
    if why is not None:
        return absent(name, "count", f"{formula}; {RULES}", why)
    return kinds.count(name, code, formula, RULES, n)


def _open_share(openness: Reading, why: Missing | None) -> Indicator:
    """Open questions among the real ones that were read for openness."""
    name, formula = "questions_open_share", "open / (open + closed)"
    if why is not None:
        return absent(name, "share", f"{formula}; {RULES}", why)
    return openness.share(name, "open", formula, RULES, _NO_QUESTIONS)


def _unclear(form: Reading, why: Missing | None) -> Indicator:
    """Utterances of which the labeller does not know whether they ask."""
    name, how = "questions_unclear", f"#{{form unclear}}; {RULES}"
    if why is not None:
        return absent(name, "count", how, why)
    ids = [u.id for u, _ in form.unclear]
    return figure(name, "count", len(ids), len(form.labelled), how, evidence=ids)
