"""The fixture lessons hold the exchanges their scripts mark: found with true labels and by rule.

The feedback rules were written with these two scripts in view, so this guards against changes;
how the rules fare elsewhere is what models/cards/questions_rules.md measures.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from models.questions import RuleLabeller
from observer.discourse import Discourse, Label
from observer.structure import find_exchanges
from observer.timeline import Role, RoleSpan
from observer.transcript import Transcript, Utterance

LESSONS = Path(__file__).parents[2] / "fixtures" / "lessons"


@pytest.fixture(params=["en_fractions", "zh_triangle"])
def truth(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((LESSONS / f"{request.param}.json").read_text("utf-8"))
    return found


def spoken(truth: dict[str, Any]) -> Transcript:
    return Transcript(
        truth["lang"][:2],
        tuple(
            Utterance(u["id"], u["text"], u["start"], u["end"], role=Role(u["role"]))
            for u in truth["utterances"]
        ),
    )


def groups(truth: dict[str, Any]) -> tuple[RoleSpan, ...]:
    segments = [s for s in truth["segments"] if s["kind"] == "groupwork"]
    segments.sort(key=lambda s: s["start"])
    return tuple(RoleSpan(s["start"], s["end"], Role.GROUP, 1.0) for s in segments)


def found(truth: dict[str, Any], labels: tuple[Label, ...]) -> list[dict[str, Any]]:
    return [
        {"kind": x.kind, "utterances": list(x.utterances), "rounds": x.rounds}
        for x in find_exchanges(Discourse(spoken(truth), labels), groups(truth))
    ]


def test_true_labels_give_the_true_exchanges(truth: dict[str, Any]) -> None:
    labels = tuple(
        Label(u["id"], taxonomy, code, 1.0, "script")
        for u in truth["utterances"]
        for taxonomy, code in u["labels"].items()
    )
    assert found(truth, labels) == truth["exchanges"]


def test_the_rules_give_the_same_exchanges(truth: dict[str, Any]) -> None:
    labels = tuple(RuleLabeller().label(spoken(truth)))
    assert found(truth, labels) == truth["exchanges"]


def test_feedback_by_rule_differs_only_where_praise_repeats(truth: dict[str, Any]) -> None:
    """“Great, four long strips.” affirms and repeats: the script says repeat, the rules praise."""
    read = {
        x.utterance: x.code for x in RuleLabeller().label(spoken(truth)) if x.taxonomy == "feedback"
    }
    for utterance in truth["utterances"]:
        true, by_rule = utterance["labels"].get("feedback"), read.get(utterance["id"], "none")
        if true is not None and true != by_rule:
            assert (true, by_rule) == ("repeat", "praise"), utterance["text"]
