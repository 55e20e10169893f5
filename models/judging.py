"""A sentence as the models read it by itself: their probabilities in place of the rules'.

Mandarin question labels are taken as predicted, but for what `rare` rules find. No English
classroom corpus codes these, so they are derived: whether something is asked from the model's
question head (trained on the transcribers' question marks), reasoning against recall from the
two pressing moves, and the rest (tags, spoken prompts, managing, creating, judging, 四何) from the
rules, which only subdivide what the model leaves open.
"""

from collections.abc import Mapping
from dataclasses import replace

from models.predictions import Row
from models.rules import load_rules
from models.rules.reading import Reading, Sentence, read_kinds

DERIVED = "derived"
"""Ends the source of a label that no corpus codes: its probability is not validated."""

FORM = "question_form"
_MOVES = ("keep_together", "get_relate", "restate", "revoice", "press_accuracy", "press_reasoning")


def judged(sentence: Sentence | None, rows: Mapping[str, Row]) -> Sentence | None:
    """The sentence as the models read it by itself; as the rules did where they say nothing."""
    if sentence is None:
        return None
    if sentence.language == "en" and "question" in rows:
        form = _english_form(sentence, rows["question"])
        kinds = _english_kinds(sentence, form, rows.get("teacher_move"))
    elif FORM in rows:
        form = reading_of(rows[FORM], sentence.readings[FORM], sentence)
        kinds = _kinds(sentence, form, rows)
    else:
        return sentence
    return replace(sentence, readings={FORM: form, **kinds})


def _kinds(sentence: Sentence, form: Reading, rows: Mapping[str, Row]) -> dict[str, Reading]:
    if form.code != "real":
        return {}
    by_rule, rare = _kinds_by_rule(sentence, form), load_rules(sentence.language).rare
    kinds: dict[str, Reading] = {}
    for taxonomy in ("question_demand", "sihe", "openness"):
        if taxonomy in rows and not (taxonomy in by_rule and by_rule[taxonomy].rule in rare):
            kinds[taxonomy] = reading_of(rows[taxonomy], by_rule.get(taxonomy), sentence)
        elif taxonomy in by_rule:
            kinds[taxonomy] = by_rule[taxonomy]
    if "question_demand" in kinds and kinds["question_demand"].code == "manage":
        kinds.pop("sihe", None)
    return kinds


def _kinds_by_rule(sentence: Sentence, form: Reading) -> Mapping[str, Reading]:
    """As the rules read them already, or now, where they took it for no real question."""
    if sentence.readings[FORM].code == "real":
        return sentence.readings
    return read_kinds(sentence.text, form, load_rules(sentence.language))


def reading_of(row: Row, by_rule: Reading | None, sentence: Sentence) -> Reading:
    """The likeliest code; the rule and its words stay where it agrees."""
    code, probability = row.best
    if by_rule is not None and by_rule.code == code:
        return replace(by_rule, probability=probability, source=row.source)
    return Reading(code, "", probability, 0, len(sentence.text), row.source)


def _english_form(sentence: Sentence, asks: Row) -> Reading:
    """none, real, tag or self, from P(asks) and the rules.

    A tag by rule shares P(asks) with real by the rule's precision; a self-answer likewise. A
    spoken prompt (“Tell us how.”) carries no mark and is real if either says so.
    """
    by_rule, p = sentence.readings["question_form"], asks.of("yes")
    chances = {"none": 1 - p, "real": p, "tag": 0.0, "self": 0.0}
    if by_rule.code in ("tag", "self"):
        chances |= {by_rule.code: p * by_rule.probability, "real": p * (1 - by_rule.probability)}
    elif by_rule.rule.startswith("prompt."):
        real = 1 - (1 - p) * (1 - by_rule.probability)
        chances |= {"real": real, "none": 1 - real}
    return _reading(chances, by_rule, sentence, asks.source)


def _english_kinds(sentence: Sentence, form: Reading, moves: Row | None) -> dict[str, Reading]:
    """Demand, 四何 (by the rules) and openness of a real question; by rule alone without moves."""
    if form.code != "real":
        return {}
    by_rule = _kinds_by_rule(sentence, form)
    if moves is None:
        return {k: v for k, v in by_rule.items() if k != FORM}
    m = {code: moves.of(code) for code in _MOVES}
    source = f"{moves.source}-{DERIVED}"
    found = {k: v for k, v in by_rule.items() if k != FORM}
    demand = _reading(_demand(by_rule["question_demand"], m), by_rule["question_demand"],
                      sentence, source)  # fmt: skip
    found["question_demand"] = demand
    openness = _reading(_openness(by_rule["openness"], m), by_rule["openness"], sentence, source)
    found["openness"] = openness
    if demand.code == "manage":
        found.pop("sihe", None)
    elif "sihe" not in found:
        found["sihe"] = Reading("what", "sihe.what", 0.5, form.start, form.end)
    return found


def _demand(by_rule: Reading, m: Mapping[str, float]) -> dict[str, float]:
    """Pressing for reasoning is reason, for accuracy recall; repeating an answer as a question
    asks to recall, relating to another's idea judges it. What keeps everyone together manages
    or asks something small: the rules say which. Where they know a managing, creating or
    judging question by its words, it takes its rule's precision of those."""
    chances = dict.fromkeys(("manage", "recall", "reason", "create", "judge"), 0.0)
    chances["reason"] = m["press_reasoning"]
    chances["recall"] = m["press_accuracy"] + m["restate"] + m["revoice"]
    chances["judge"] = m["get_relate"]
    chances[by_rule.code] += m["keep_together"] * by_rule.probability
    chances["recall" if by_rule.code == "manage" else "manage"] += m["keep_together"] * (
        1 - by_rule.probability
    )
    left = 1 - sum(m.values())
    chances[by_rule.code] += left * by_rule.probability
    other = "reason" if by_rule.code == "recall" else "recall"
    chances[other] += left * (1 - by_rule.probability)
    if by_rule.code in ("manage", "create", "judge"):
        for code in ("recall", "reason"):
            taken = chances[code] * by_rule.probability
            chances[code] -= taken
            chances[by_rule.code] += taken
    return chances


def _openness(by_rule: Reading, m: Mapping[str, float]) -> dict[str, float]:
    """Pressing for reasoning and relating leave the answer open, pressing for accuracy mostly
    closes it; what presses for neither is as its words say."""
    p = by_rule.probability if by_rule.code == "open" else 1 - by_rule.probability
    sure = m["press_reasoning"] + m["get_relate"]
    left = 1 - sure - m["press_accuracy"]
    opened = min(1.0, sure + max(0.0, left) * p + m["press_accuracy"] * p / 2)
    return {"open": opened, "closed": 1 - opened}


def _reading(
    chances: Mapping[str, float], by_rule: Reading, sentence: Sentence, source: str
) -> Reading:
    """The likeliest code; the rule and its words stay where the rule agrees."""
    code = max(chances, key=lambda c: chances[c])
    probability = min(1.0, max(0.0, chances[code]))
    if by_rule.code == code:
        return Reading(code, by_rule.rule, probability, by_rule.start, by_rule.end, source)
    return Reading(code, "", probability, 0, len(sentence.text), source)
