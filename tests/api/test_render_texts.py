"""The page's words: both languages complete, nothing left over, charts with their words."""

import json
import re
from pathlib import Path

import pytest
from altair.utils.schemapi import validate_jsonschema
from altair.vegalite.v6.schema.core import load_schema
from jsonschema import ValidationError

from api.render import drawings
from api.render.texts import clock, texts
from api.render.timeline import lanes, row_length, score
from observer.errors import Language
from observer.observation import Observation
from observer.timeline import Role, RoleSpan
from tests.observation_factory import english_lesson, mandarin_lesson

API = Path(__file__).parent.parent.parent / "api"
PREFIXED = tuple(
    "role. sound. language. engine. input. setting. source. exchange. waits. figure. chart. "
    "family.".split()
)
"""Families whose keys are put together from codes."""


def entries(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((API / "locale" / f"{language}.json").read_text("utf-8"))
    return found


def test_both_languages_have_the_same_keys_and_gaps() -> None:
    zh, en = entries("zh"), entries("en")
    assert zh.keys() == en.keys()
    for key in zh:
        gaps = [sorted(re.findall(r"\{(\w+)\}", side[key])) for side in (zh, en)]
        assert gaps[0] == gaps[1], key
        assert zh[key].strip()
        assert en[key].strip()


def test_no_text_is_unused_and_none_is_missing() -> None:
    pages = API / "templates"  # those in service/ have words of their own: test_pages
    files = [*(API / "render").glob("*.py"), *pages.glob("*.j2"), *(pages / "report").rglob("*.j2")]
    files += list((API / "static" / "report").rglob("*.js"))
    source = "\n".join(f.read_text("utf-8") for f in files)
    quoted = set(re.findall(r"[\"']([a-z0-9_]+(?:\.[A-Za-z0-9_]+)*)[\"']", source))
    keys = entries("zh").keys()
    unused = {k for k in keys if k not in quoted and not k.startswith(PREFIXED)}
    assert unused == set()
    asked = set(re.findall(r"\b(?:t|text|fill)\(\s*[\"']([a-z0-9_.]+[a-z0-9_])[\"'][,)\s]", source))
    assert asked - keys == set()


def test_every_role_has_a_name() -> None:
    for language in ("zh", "en"):
        assert {f"role.{r.value}" for r in Role} <= entries(language).keys()


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (73.9, "1:13"), (3599, "59:59"), (3727, "1:02:07")]
)
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("minutes", "rows"), [(0.1, 1), (2, 1), (4, 2), (15, 2), (40, 4), (45, 5), (90, 6), (600, 6)]
)
def test_a_lesson_fills_at_most_six_rows(minutes: float, rows: int) -> None:
    """40 min: four rows of 10; 45 min: five of 9; ten hours: six of 100 minutes."""
    length = row_length(minutes * 60)
    assert -(-minutes * 60 // length) == rows


def test_score_places_roles_and_moments() -> None:
    """
    0        30        60 s     one row of 60 s: the teacher's path begins at 0 and is half of
    TTTTTTTTTTSSSSS.....        10,000 units wide, the student's begins at 5,000, 2,500 wide.
    """
    spans = [RoleSpan(0, 30, Role.TEACHER, 1), RoleSpan(30, 45, Role.STUDENT, 1)]
    drawn = score(spans, 60, [], [], texts("en"))
    assert lanes(spans) == (Role.TEACHER, Role.STUDENT)
    assert 'class="lane teacher" d="M0 0h5000v1h-5000z"' in drawn
    assert 'class="lane student" d="M5000 0h2500v1h-2500z"' in drawn
    assert drawn.count("score-row") == 1


@pytest.mark.parametrize("language", ["zh", "en"])
def test_charts_show_digits_and_words_and_say_them(language: Language) -> None:
    """A missing font once made all chart text vanish: the drawing must hold its text."""
    lesson = mandarin_lesson(minutes=8)
    assert lesson.recording is not None
    text = texts(language)
    drawn = drawings.all_drawings(lesson, lesson.recording.duration, text)
    names = ["shares", "st-curve", "rt-ch", "waits", "question-demand", "sihe", "answered-by"]
    names += ["teacher-moves", "instruction", "feedback"]
    assert [d.id for d in drawn] == names
    for drawing in drawn:
        shown = re.findall(r"<text[^>]*>([^<]+)</text>", drawing.static)
        assert any(re.search(r"\d", t) for t in shown), drawing.id
        assert re.search(r"\d", drawing.words), drawing.id
    letters = "".join(re.findall(r"<text[^>]*>([^<]+)</text>", drawn[2].static))
    assert ("混合型" if language == "zh" else "mixed") in letters
    figure = lesson.indicator("teacher_share_of_speech")
    assert figure.value is not None
    assert f"{100 * figure.value:.0f}%" in drawn[0].words


@pytest.mark.parametrize("lesson", [mandarin_lesson(minutes=4), english_lesson()])
def test_specs_fit_vega_lites_schema(lesson: Observation) -> None:
    """Altair does not look while it draws: see `api.render.chart_style`."""
    schema = load_schema()
    for drawing in drawings.all_drawings(lesson, 240, texts("en")):
        validate_jsonschema(drawing.spec, schema)
    with pytest.raises(ValidationError):
        validate_jsonschema({**drawing.spec, "layer": [{"mark": "no mark"}]}, schema)


def test_specs_have_the_colours_of_the_page() -> None:
    known = re.findall(r"(--[\w-]+):", (API / "static" / "report.css").read_text("utf-8"))
    for drawing in drawings.all_drawings(mandarin_lesson(minutes=4), 240, texts("en")):
        spec = json.dumps(drawing.spec)
        assert "var(--ink)" in spec
        assert set(re.findall(r"var\(([^)]*)\)", spec)) <= set(known)
        assert not re.search(r"#[0-9a-f]{3}", spec)
