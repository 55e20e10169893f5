"""Reports rendered beforehand: they are what would be rendered now, or they are not used."""

import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from api import kept_pages, lesson_report
from api.kept_pages import kept_page, page_name
from api.rerender_cli import outdated, renew
from api.tables import Run, Share
from tests.furnished import Furnished, furnish
from tests.service_site import client_of, site_in

Kept = tuple[Furnished, Run]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """A lesson whose report is kept."""
    site = site_in(tmp_path)
    recording = tmp_path / "lesson.wav"
    with wave.open(str(recording), "wb") as out:
        out.setparams((1, 1, 8000, 0, "NONE", ""))
        out.writeframes(bytes(8000 * 8))
    full = furnish(site, recording)
    lesson_report.forget_pages()
    with site.database.system("test: to the leader of another school") as session:
        session.add(Share(lesson_id=full.lesson.id, user_id=full.people.neighbour.id))
    assert outdated(site) == [run_of(full).id], "of the lesson's runs only this one has a report"
    yield full, run_of(full)
    lesson_report.forget_pages()
    site.jobs.close()
    site.database.close()


def run_of(full: Furnished) -> Run:
    with full.site.database.system("test: the run") as session:
        return session.exec(select(Run).where(Run.lesson_id == full.lesson.id)).one()


def reader(full: Furnished, who: str) -> TestClient:
    return client_of(full.site, user_id=full.people.users()[who].id)


def report(full: Furnished, who: str, language: str = "zh") -> str:
    lesson_report.forget_pages()
    browser = reader(full, who)
    browser.cookies.set("observer_language", language)
    answer = browser.get(f"/lessons/{full.lesson.id}/report")
    assert answer.status_code == 200
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    return answer.text


@pytest.mark.parametrize(("who", "language"), [("teacher", "zh"), ("neighbour", "en")])
def test_a_kept_report_is_what_would_be_rendered(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, who: str, language: str
) -> None:
    """The teacher's with names, and that of somebody beyond the school without."""
    full, run = kept
    now = report(full, who, language)
    findings = reader(full, who).get(f"/lessons/{full.lesson.id}").text
    assert renew(full.site, run.id)
    assert outdated(full.site) == []
    monkeypatch.setattr(lesson_report, "_rendered", pytest.fail)
    monkeypatch.setattr(lesson_report, "observation_of", pytest.fail)
    assert report(full, who, language) == now
    again = reader(full, who).get(f"/lessons/{full.lesson.id}").text
    assert again == findings


def test_a_new_title_is_there_at_once_and_stays_text(kept: Kept) -> None:
    full, run = kept
    assert renew(full.site, run.id)
    title = '分数 <script>alert("1")</script> & 小数'
    answer = reader(full, "teacher").patch(
        f"/api/v1/lessons/{full.lesson.id}", json={"title": title}
    )
    assert answer.status_code == 200
    page = report(full, "teacher")
    assert "分数 &lt;script&gt;alert(&#34;1&#34;)" in page.replace("&quot;", "&#34;")
    assert "<script>alert" not in page


def test_pages_of_another_version_class_list_or_medium_are_not_shown(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, run = kept
    assert renew(full.site, run.id)
    storage, made = full.site.storage, run_of(full).artefacts
    hidden = made[page_name("zh", True)]
    assert kept_page(storage, hidden, "media", (), "课", "1") is not None
    assert kept_page(storage, hidden, "media", ("欧阳若溪",), "课", "1") is None
    assert kept_page(storage, hidden, "sound.opus", (), "课", "1") is None
    assert kept_page(storage, hidden, "media", None, "课", "1") is None, "never for one with names"

    monkeypatch.setattr(kept_pages, "rendering", lambda: "another")
    assert outdated(full.site) == [run.id]
    assert "data-address" in report(full, "teacher")
    students = {"students": "欧阳若溪"}
    reader(full, "teacher").patch(f"/api/v1/lessons/{full.lesson.id}", json=students)
    assert renew(full.site, run.id)
    assert outdated(full.site) == []
    assert not storage.exists(hidden), "what nothing refers to any more is removed"
    assert storage.exists(made["observation.json"])


def test_a_report_whose_lesson_went_meanwhile_leaves_nothing(kept: Kept) -> None:
    full, run = kept
    assert reader(full, "teacher").delete(f"/api/v1/lessons/{full.lesson.id}").status_code == 204
    assert not renew(full.site, run.id)
    assert outdated(full.site) == []


def test_the_charts_program_is_for_people_who_are_signed_in(kept: Kept) -> None:
    full, _ = kept
    address = kept_pages.program_address()
    answer = reader(full, "teacher").get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert "vegaEmbed" in answer.text
    assert reader(full, "teacher").get("/program/vega-0.0.js").status_code == 404
    assert client_of(full.site).get(address, follow_redirects=False).status_code in {303, 401}
