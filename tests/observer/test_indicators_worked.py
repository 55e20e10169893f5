"""The worked examples: the program must give the numbers that were worked out by hand."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from observer.discourse import Discourse, Label
from observer.indicators import Indicator, Material, measure
from observer.indicators.st import curve
from observer.structure import find_exchanges, find_waits
from observer.timeline import Role, RoleSpan, Span, complement
from observer.transcript import Transcript, Utterance

WORKED = Path(__file__).parents[2] / "fixtures" / "worked"
EXAMPLES = sorted(p.stem for p in WORKED.glob("*.json"))
LETTERS = {
    "T": Role.TEACHER,
    "S": Role.STUDENT,
    "C": Role.CHORAL,
    "G": Role.GROUP,
    "M": Role.MEDIA,
}


def example(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((WORKED / f"{name}.json").read_text(encoding="utf-8"))
    return data


def timeline(data: dict[str, Any]) -> tuple[RoleSpan, ...]:
    spans = [RoleSpan(a, b, LETTERS[role], 0.97) for a, b, role in data.get("spans", [])]
    for track in data.get("tracks", []):
        at = 0
        for letter, run in groupby(track.replace(" ", "")):
            length = len(list(run))
            if letter in LETTERS:
                spans.append(RoleSpan(at, at + length, LETTERS[letter], 0.97))
            at += length
        assert at == data["duration"], "a track covers the lesson"
    if spans:
        silent = complement([s.span for s in spans], Span(0, data["duration"]))
        spans += [RoleSpan(s.start, s.end, Role.SILENCE, 1.0) for s in silent]
    return tuple(sorted(spans, key=lambda s: (s.start, s.end)))


def material(data: dict[str, Any]) -> Material:
    said = tuple(
        Utterance(name, text, start, end, role=Role(role))
        for name, role, start, end, text in data["utterances"]
    )
    labels = tuple(Label(u, taxonomy, code, 1.0, "hand") for u, taxonomy, code in data["labels"])
    discourse, heard = Discourse(Transcript(data["language"], said), labels), timeline(data)
    return Material(
        duration=data["duration"],
        timeline=heard,
        discourse=discourse,
        exchanges=find_exchanges(discourse, heard),
        waits=find_waits(heard, discourse),
        interval=data["interval"],
    )


def measured(name: str) -> dict[str, Indicator]:
    return {i.name: i for i in measure(material(example(name)))}


@pytest.mark.parametrize("name", EXAMPLES)
def test_values_are_those_worked_out_by_hand(name: str) -> None:
    found = measured(name)
    values = {key: found[key].value for key in example(name)["expected"]}
    assert values == pytest.approx(example(name)["expected"], abs=1e-6)


@pytest.mark.parametrize("name", EXAMPLES)
def test_intervals_are_those_worked_out_by_hand(name: str) -> None:
    found = measured(name)
    for key, bounds in example(name).get("intervals", {}).items():
        assert [found[key].low, found[key].high] == pytest.approx(bounds, abs=1e-4), key


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_figure_without_a_value_says_why_in_both_languages(name: str) -> None:
    for item in measured(name).values():
        if item.value is None:
            assert item.missing is not None
            assert item.missing.en.isascii()
            assert not item.missing.zh.isascii()


def test_every_wait_is_listed_with_its_bounds_and_reason() -> None:
    data = example("waits")
    found = [[w.kind, w.start, w.end, w.after, w.before, w.excluded] for w in material(data).waits]
    assert found == data["waits"]
    assert [w.id for w in material(data).waits] == [f"w{i}" for i in range(1, 13)]


def test_every_exchange_is_found_with_its_rounds() -> None:
    data = example("exchanges")
    found = [[x.kind, list(x.utterances), x.rounds] for x in material(data).exchanges]
    assert found == data["exchanges"]


def test_curve_ends_where_the_samples_add_up() -> None:
    data = example("st")
    points = curve(timeline(data), data["duration"], data["interval"])
    assert len(points) == 13
    assert (points[0].teacher_minutes, points[0].student_minutes) == (0, 0)
    last = points[-1]
    assert [last.teacher_minutes, last.student_minutes] == data["curve_end"]


def test_the_type_comes_with_its_probability() -> None:
    found = measured("st")
    chances = {t: found[f"st_type_{t}"].value for t in ("practice", "lecture", "dialogue", "mixed")}
    assert sum(c for c in chances.values() if c is not None) == pytest.approx(1)
    # Rt .42 and Ch .58 lie far inside the region of dialogue; twelve samples leave some doubt.
    assert chances["dialogue"] is not None
    assert 0.5 < chances["dialogue"] < 1
