"""English: what sentences of our own must be read as, with and without punctuation."""

import pytest

from models.questions import RuleLabeller
from models.rules import VERSION, load_rules
from models.rules.reading import first_reading, read
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

EN = load_rules("en")
T, S = Role.TEACHER, Role.STUDENT


def form(text: str) -> str:
    return read(text, EN)["question_form"].code


def lesson(*spoken: tuple[Role | None, str]) -> dict[str, dict[str, str]]:
    """Utterance id ("1", "2" …) → taxonomy → code."""
    utterances = tuple(Utterance(str(i), t, role=r) for i, (r, t) in enumerate(spoken, 1))
    found: dict[str, dict[str, str]] = {}
    for label in RuleLabeller().label(Transcript("en", utterances)):
        found.setdefault(label.utterance, {})[label.taxonomy] = label.code
    return found


@pytest.mark.parametrize("table", ["form", "sihe", "demand", "openness", "feedback"])
def test_every_rule_catches_its_own_example(table: str) -> None:
    for rule in EN.tables[table]:
        if table == "form":
            reading = read(rule.example, EN)["question_form"]
        else:
            reading = first_reading(EN.tables[table], EN.folded(rule.example))
        assert reading.code == rule.code, (rule.name, rule.example, reading)


@pytest.mark.parametrize("mark", ["", ".", "?"])
@pytest.mark.parametrize(
    "text",
    [
        "What is the perimeter of this shape",
        "How did you work that out",
        "Why does the ice float",
        "So how many sides has it got",
        "Do you agree with his answer",
        "Okay, can anyone find another way",
        "Which of these is a prime number",
        "Does the plant need light",
        "If I take away three, how many do we have",
        "So the answer is what",
    ],
)
def test_real_questions_with_and_without_a_mark(text: str, mark: str) -> None:
    assert form(text + mark) == "real"


@pytest.mark.parametrize(
    "text",
    ["So both sides are equal, right?", "Does that make sense?", "Okay?", "It melts, doesn't it?"],
)
def test_tags(text: str) -> None:
    assert form(text) == "tag"


@pytest.mark.parametrize(
    "text",
    [
        "Open your books at page nine.",
        "What we did yesterday was long division.",  # wh opens a clause, not a question
        "That is why the ice floats.",
        "I know what you mean.",
        "When you finish, put your pencil down.",
        "What a lovely drawing!",
        "You told us how many there are.",
    ],
)
def test_statements_with_question_words(text: str) -> None:
    assert form(text) == "none"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("You add the two, right?", "tag"),
        ("Is that right?", "real"),  # the content, not a tag
        ("Why does it sink? Because it is denser than water.", "self"),
        ("Why does it sink?", "real"),
        ("Tell us how you found it.", "real"),  # a demand without a question
        ("Let me tell you how I found it.", "none"),
    ],
)
def test_minimal_pairs(text: str, code: str) -> None:
    assert form(text) == code


@pytest.mark.parametrize(
    ("text", "sihe", "demand", "openness"),
    [
        ("Why do we need the same denominator?", "why", "reason", "open"),
        ("How do you know it is a square?", "why", "reason", "open"),  # asks for evidence
        ("How did you solve it?", "how", "reason", "open"),
        ("How many corners are there?", "what", "recall", "closed"),
        ("What would happen if we doubled it?", "whatif", "reason", "open"),
        ("Do you agree with Sam?", "what", "judge", "closed"),
    ],
)
def test_kinds(text: str, sihe: str, demand: str, openness: str) -> None:
    readings = read(text, EN)
    assert readings["sihe"].code == sihe
    assert readings["question_demand"].code == demand
    assert readings["openness"].code == openness


def test_managing_questions_have_no_sihe() -> None:
    readings = read("Can everybody hear me?", EN)
    assert readings["question_demand"].code == "manage"
    assert "sihe" not in readings


def test_elliptical_question_inherits() -> None:
    labels = lesson((T, "Why is this angle bigger?"), (S, "It is obtuse."), (T, "What about this?"))
    assert labels["3"]["sihe"] == "why"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("Excellent.", "praise"),
        ("That's right.", "praise"),
        ("Not quite, try again.", "negate"),
        ("Twelve sheep.", "repeat"),
        ("How do you know?", "probe"),
        ("Why?", "probe"),
        ("Why are there twelve sheep left?", "probe"),  # takes up the student's words
        ("Why is the sky blue in the evening?", "none"),  # why, but not of this answer
        ("Do you agree with this way, and why?", "none"),  # hands the answer on
        ("That is a good reason.", "praise"),
        ("That is a wonderful idea.", "praise"),
        ("Thank you, that was very clear.", "praise"),
        ("Twelve white sheep.", "repeat"),  # the whole answer with one word more
        ("Let us move on to the next one.", "none"),
    ],
)
def test_feedback(reply: str, code: str) -> None:
    labels = lesson((T, "How many sheep are left?"), (S, "Twelve sheep"), (T, reply))
    assert labels["3"]["feedback"] == code


@pytest.mark.parametrize("told", ["Here is one half.", "Good morning, everyone."])
def test_telling_is_no_question(told: str) -> None:
    assert form(told) == "none"


def test_praise_of_a_students_question_is_praise() -> None:
    labels = lesson((S, "Why do the parts have to be equal?"), (T, "That is a good question."))
    assert labels["2"]["feedback"] == "praise"


def test_an_echoed_no_is_no_correction() -> None:
    assert lesson((S, "No."), (T, "No."))["2"]["feedback"] != "negate"


def test_curly_quotes_are_straight_quotes() -> None:
    assert form("What’s the rule") == form("What's the rule") == "real"


def test_mandarin_inside_english() -> None:
    assert lesson((T, "这个词是什么意思？"))["1"]["question_form"] == "real"


def test_rules_file_is_complete() -> None:
    assert EN.version == VERSION
    for table, rules in EN.tables.items():
        assert rules[-1].match.pattern == "", table
        assert len({r.name for r in rules}) == len(rules)
