"""Reports rendered beforehand: they are what would be rendered now, or they are not used."""

import gzip
import html
import re
import wave
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from api import kept_pages, lesson_report
from api.kept_pages import (
    LESSON,
    TITLE,
    drawings_name,
    in_parts,
    kept_drawings,
    kept_page,
    page_name,
    rendered,
)
from api.rerender_cli import outdated, renew
from api.storage import LocalStorage, Storage
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


TITLES = {
    "Chinese": "三角形的内角和",
    "special in HTML": """分数 <script>alert("1")</script> & 'x' &amp;""",
    "empty": "",
    "very long": "很长的标题 & " * 6000,
    "like a gap": f"{LESSON}{TITLE}",
    "like what stands around a gap": "</title><h1>",
}


def test_gaps_are_filled_to_exactly_the_page_that_would_be_rendered(kept: Kept) -> None:
    """For any title: readers with a kept page and those with a rendered one see the same bytes."""
    full, run = kept
    assert renew(full.site, run.id)
    storage, run = full.site.storage, run_of(full)
    drawn = kept_drawings(storage, run.artefacts[drawings_name("zh")])
    observation = lesson_report.observation_of(storage, run)
    sha = run.artefacts[page_name("zh", False)]
    for kind, title in TITLES.items():
        filled = kept_page(storage, sha, "media", None, title, full.lesson.id)
        now = rendered(observation, "media", title, full.lesson.id, "zh", drawn)
        assert filled is not None
        assert one_member(filled[0]) == now.encode(), f"a title that is {kind}"


def one_member(page: bytes) -> bytes:
    """What a browser reads: of several gzip members it would show the first only."""
    reader = zlib.decompressobj(31)
    read = reader.decompress(page)
    assert reader.eof
    assert reader.unused_data == b""
    assert read == gzip.decompress(page), "which checks length and CRC"
    return read


@pytest.mark.parametrize(
    "page",
    [
        "",
        TITLE,
        f"{TITLE}{LESSON}",
        f"{LESSON}{LESSON}, 然后 {TITLE}{TITLE}",
        f"在前 {TITLE} 在后 {LESSON}\n",
        "没有空位",
    ],
)
def test_gaps_may_stand_anywhere(tmp_path: Path, page: str) -> None:
    """Side by side, at the ends, or nowhere: templates are free to use title and address."""
    storage, sha = put(tmp_path, in_parts(page, "media", None))
    filled = kept_page(storage, sha, "media", None, "课 & 题", "17")
    assert filled is not None
    told = page.replace(TITLE, "课 &amp; 题").replace(LESSON, "17")
    assert one_member(filled[0]) == told.encode()


def put(folder: Path, content: bytes) -> tuple[Storage, str]:
    """(a storage with this file, its address)."""
    (folder / "file").write_bytes(content)
    storage = LocalStorage(folder / "stored")
    return storage, storage.put(folder / "file")


def test_the_policy_in_the_header_is_the_pages_own(kept: Kept) -> None:
    """Its hashes must fit the scripts inside, or the browser runs none of them."""
    full, run = kept
    browser = reader(full, "teacher")
    address = f"/lessons/{full.lesson.id}/report"
    rendered_now = browser.get(address)
    assert renew(full.site, run.id)
    answer = browser.get(address)
    inside = re.search('Content-Security-Policy" content="([^"]*)"', answer.text)
    assert inside is not None
    policy = html.unescape(inside.group(1))
    assert "script-src 'sha256-" in policy
    assert answer.headers["content-security-policy"] == f"{policy}; frame-ancestors 'none'"
    assert rendered_now.headers["content-security-policy"] == f"{policy}; frame-ancestors 'none'"


def test_a_reader_without_gzip_gets_the_same_page(kept: Kept) -> None:
    full, run = kept
    assert renew(full.site, run.id)
    packed = reader(full, "teacher").get(f"/lessons/{full.lesson.id}/report")
    assert packed.headers["content-encoding"] == "gzip"
    plain = reader(full, "teacher").get(
        f"/lessons/{full.lesson.id}/report", headers={"accept-encoding": "identity"}
    )
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content


def test_kept_pages_do_not_stay_in_memory(kept: Kept) -> None:
    """What a deleted lesson leaves there would be shown no more, but it would be there."""
    full, run = kept
    assert renew(full.site, run.id)
    report(full, "teacher")
    assert lesson_report._page.cache_info().currsize == 0
    stored = full.site.storage.path(run_of(full).artefacts[page_name("zh", False)])
    assert stored is not None
    stored.write_bytes(b"")
    report(full, "teacher")
    assert lesson_report._page.cache_info().currsize == 1, "rendered, which is not done twice"


@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "first line", "middle", "last byte"])
def test_a_damaged_page_is_rendered_anew(kept: Kept, damage: str) -> None:
    """Nobody would notice before the browser, which can only say that it cannot show the page."""
    full, run = kept
    assert renew(full.site, run.id)
    whole = report(full, "teacher")
    stored = full.site.storage.path(run_of(full).artefacts[page_name("zh", False)])
    assert stored is not None
    content = stored.read_bytes()
    if damage == "missing":
        stored.unlink()
    elif damage in {"cut", "empty"}:
        stored.write_bytes(content[: len(content) // 2 if damage == "cut" else 0])
    else:
        place = {"first line": 3, "middle": len(content) // 2, "last byte": -1}[damage]
        changed = bytearray(content)
        changed[place] ^= 1
        stored.write_bytes(changed)
    assert report(full, "teacher") == whole


def test_pages_kept_in_another_format_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have other names, so that `observer rerender` finds their runs; one read all the same
    is none."""
    storage, sha = put(tmp_path, gzip.compress(b'{"medium": "media", "students": null}\n<p>'))
    assert kept_page(storage, sha, "media", None, "课", "1") is None
    before = kept_pages.rendering.__wrapped__()
    monkeypatch.setattr(kept_pages, "FORMAT", "another")
    assert kept_pages.rendering.__wrapped__() != before


def test_a_new_title_is_there_at_once_and_stays_text(kept: Kept) -> None:
    full, run = kept
    assert renew(full.site, run.id)
    title = '分数 <script>alert("1")</script> & 小数'
    answer = reader(full, "teacher").patch(
        f"/api/v1/lessons/{full.lesson.id}", json={"title": title}
    )
    assert answer.status_code == 200
    page = report(full, "teacher")
    assert "分数 &lt;script&gt;alert(&#34;1&#34;)" in page
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
