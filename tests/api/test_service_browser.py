"""The service in a real Chromium, from signing in to hearing a question; axe looks at each page."""

import multiprocessing
import re
import shutil
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from sqlmodel import select

from api.app import create_app
from api.tables import Lesson, Recording, Run
from tests.furnished import Furnished, furnish
from tests.scripted_worker import Script, work_until_killed
from tests.service_site import PASSWORD, running, site_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

LESSONS = Path(__file__).parents[2] / "fixtures" / "lessons"
PHONE = {"width": 390, "height": 800}
SERIOUS = {"serious", "critical"}


@dataclass
class House:
    """A furnished service at an address."""

    full: Furnished
    url: str

    def pages(self) -> dict[str, tuple[str, ...]]:
        """Who looks at what."""
        lesson = f"/lessons/{self.full.lesson.id}"
        with self.full.site.database.system("test: lessons in every state") as session:
            own = select(Lesson.id).where(Lesson.uploader_id == self.full.people.teacher.id)
            others = tuple(f"/lessons/{i}" for i in session.exec(own))
        admin = tuple(
            "/administration" + p
            for p in ("", "/people", "/schools", "/work", "/storage", "/audit")
        )
        return {
            "teacher": (
                *("/", "/lessons", "/lessons?q=nothing+like+it", lesson),
                *("/upload", "/people", "/account", "/lessons/none", "/administration", *others),
            ),
            "administrator": ("/", *admin),
            "staff": ("/", "/people"),
            "stranger": ("/", "/lessons"),
        }


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("service")
    site = site_in(folder)
    site.jobs.prepare(polling=0.05)
    recording = folder / "lesson.wav"
    with wave.open(str(recording), "wb") as out:
        out.setparams((1, 1, 8000, 0, "NONE", ""))
        out.writeframes(bytes([128]) * 8000 * 361)
    full = furnish(site, recording)
    with running(create_app(site.settings, site=site)) as url:
        yield House(full, url)
    site.jobs.close()
    site.database.close()


@dataclass
class Visit:
    """One person's window; whatever the console complains of is kept."""

    page: "Page"
    house: House
    complaints: list[str]

    def go(self, path: str) -> "Page":
        self.page.goto(self.house.url + path)
        return self.page


def visit(browser: "Browser", house: House, who: str, language: str, **how: object) -> Visit:
    locale = {"zh": "zh-CN", "en": "en-US"}[language]
    context: BrowserContext = browser.new_context(locale=locale, reduced_motion="reduce", **how)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    found = Visit(page, house, complaints)
    found.go("/sign-in")
    page.fill("#login", f"{who}@example.org")
    page.fill("#password", PASSWORD)
    page.locator("main form button").click()
    page.wait_for_url("**/")
    if page.evaluate("document.documentElement.lang.slice(0, 2)") != language:
        page.locator(".languages button").click()
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.lang.slice(0, 2)") == language
    return found


def until(page: "Page", expression: str, seconds: float = 20) -> None:
    """Wait for `expression`; the page's policy forbids Playwright's own way, which is eval."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"not within {seconds} s: {expression}"
        page.wait_for_timeout(50)


RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]


def serious(page: "Page", rules: object = RULES) -> list[str]:
    """What axe calls serious or critical."""
    found = Axe().run(page, options={"runOnly": rules})
    return [
        f"{page.url} {v['id']}: {v['nodes'][0]['html'][:120]}"
        for v in found.response["violations"]
        if v["impact"] in SERIOUS
    ]


@pytest.mark.parametrize(("language", "scheme"), [("zh", "light"), ("en", "dark")])
def test_no_page_complains_overflows_or_shuts_anybody_out(
    browser: "Browser", house: House, language: str, scheme: str
) -> None:
    """Phone width for the layout (the wide one cannot be narrower), every page, four people."""
    violations: list[str] = []
    for who, paths in house.pages().items():
        window = visit(browser, house, who, language, viewport=PHONE, color_scheme=scheme)
        for path in paths:
            page = window.go(path)
            page.evaluate(
                "document.querySelectorAll('main details').forEach(d => { d.open = true; })"
            )
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"], f"{path} is {width} wide"
            violations += serious(page)
        lost = [c for c in window.complaints if "404" not in c and "403" not in c]
        assert lost == [], who
        page.context.close()
    assert violations == []


@pytest.mark.parametrize(
    ("language", "zone", "begun", "last_day"),
    [
        # 20:30 of 21 November in Greenwich, and half an hour before midnight of New Year's Eve
        ("zh", "Asia/Shanghai", "2026年11月22日 04:30", "2029年1月1日"),
        ("en", "America/New_York", "Nov 21, 2026, 15:30", "Dec 31, 2028"),
    ],
)
def test_moments_are_on_the_readers_clock(
    browser: "Browser", house: House, language: str, zone: str, begun: str, last_day: str
) -> None:
    lesson = house.full.lesson.id
    with house.full.site.database.system("test: moments that are known") as session:
        for run in session.exec(select(Run).where(Run.lesson_id == lesson)):
            run.created = datetime(2026, 11, 21, 20, 30, tzinfo=UTC)
        for file in session.exec(select(Recording).where(Recording.lesson_id == lesson)):
            file.expires = datetime(2028, 12, 31, 23, 30, tzinfo=UTC)
    window = visit(browser, house, "teacher", language, timezone_id=zone)
    page = window.go(f"/lessons/{lesson}")
    shown = page.locator("td.when time").first
    assert shown.text_content() == begun
    assert shown.get_attribute("datetime") == "2026-11-21T20:30:00+00:00"
    named = {"zh": "中国标准时间|GMT\\+8", "en": "GMT-5|EST"}[language]
    assert re.search(named, shown.get_attribute("title") or "")
    assert page.locator("dd time[data-day]").first.text_content() == last_day
    page = window.go("/upload")
    here = datetime.now(ZoneInfo(zone)).date()
    assert page.input_value("#f-held_on") in {str(here), str(here + timedelta(days=1))}
    assert page.evaluate("new Date().getTimezoneOffset()") in {-480, 240, 300}
    assert window.complaints == []
    page.context.close()


def test_the_report_shuts_nobody_out(browser: "Browser", house: House) -> None:
    """It is the longest page, thousands of elements; in the dark only its colours differ."""
    window = visit(browser, house, "teacher", "zh")
    page = window.go(f"/lessons/{house.full.lesson.id}/report")
    found = serious(page)
    page.emulate_media(color_scheme="dark")
    found += serious(page, {"type": "rule", "values": ["color-contrast"]})
    assert found == []
    assert window.complaints == []
    page.context.close()


def test_the_keyboard_reaches_everything_and_is_seen(browser: "Browser", house: House) -> None:
    """Tab goes first to the skip link, then along the page; each stop has an outline."""
    window = visit(browser, house, "teacher", "en")
    page = window.go("/lessons")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    stops = []
    for _ in range(12):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.outerHTML.slice(0, 90)"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert page.evaluate("document.activeElement.getBoundingClientRect().width > 0")
    assert len(set(stops)) == 12, stops
    for path, menu in (
        ("/lessons", "details.who"),
        (f"/lessons/{house.full.lesson.id}", ".export"),
    ):
        page = window.go(path)
        page.locator(f"{menu} summary").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        inside = f"document.querySelector('{menu}').contains(document.activeElement)"
        assert page.evaluate(inside)
        page.keyboard.press("Escape")
        assert not page.evaluate(f"document.querySelector('{menu}').open")
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.context.close()


def test_lessons_are_picked_one_by_one_and_all_at_once(browser: "Browser", house: House) -> None:
    """Of six lessons two have a report; the others cannot be exported and have no box."""
    window = visit(browser, house, "teacher", "en")
    page = window.go("/lessons")
    zip_, every = page.locator("[data-zip]"), page.locator("[data-all]")
    assert zip_.is_disabled()
    page.locator("[name=lesson]:enabled").first.check()
    assert page.locator("[data-picked]").text_content() == "1 selected"
    assert every.evaluate("box => box.indeterminate")
    every.check()
    assert page.locator("[data-picked]").text_content() == "2 selected"
    assert page.locator("[name=lesson]:checked").count() == 2
    with page.expect_download() as exported:
        zip_.click()
    assert Path(exported.value.path()).read_bytes().startswith(b"PK")
    every.uncheck()
    assert zip_.is_disabled()
    page.context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_from_a_file_to_a_question_that_is_heard(
    browser: "Browser", house: House, tmp_path: Path, language: str
) -> None:
    """Sign in, upload, watch, read, click a question, hear it, and take the PDF home."""
    site = house.full.site
    script = Script(site.settings.data, site.settings.database_url, hold_at="words")
    (script.data / "go").unlink(missing_ok=True)
    window = visit(browser, house, "colleague", language)
    page = window.go("/upload")
    # another name and other bytes for each language: the same file would be a duplicate
    file = tmp_path / f"三角形 {language}.mp4"
    shutil.copy(LESSONS / "zh_triangle_opening.mp4", file)
    with file.open("ab") as end:
        end.write(b"\0\0\0\x0afree" + language.encode())
    page.set_input_files("#files", file)
    page.locator("#start").click()
    assert page.locator("#wrong").is_visible()  # no consent, no upload
    page.fill("#f-consent", "三（2）班全体监护人")
    page.fill("#f-subject", "数学")
    page.locator("#start").click()
    page.locator(".item.arrived [data-open]").click()
    page.wait_for_selector("[data-run]")
    assert page.locator("h1").text_content() == f"三角形 {language}"
    worker = multiprocessing.get_context("forkserver").Process(
        target=work_until_killed, args=(script,)
    )
    worker.start()
    try:
        page.wait_for_selector(".steps li[data-name=words].now", timeout=60_000)
        (script.data / "go").touch()
        page.wait_for_selector("a.button[href$='/report']", timeout=60_000)  # by itself
    finally:
        worker.terminate()
        worker.join(20)
    with page.expect_download() as pdf:
        page.locator(".export summary").click()
        page.locator(".export a").first.click()
    assert Path(pdf.value.path()).read_bytes().startswith(b"%PDF")
    page.locator("a.button[href$='/report']").click()
    page.wait_for_selector("#questions")
    page.evaluate(
        "document.querySelectorAll('#questions details').forEach(d => { d.open = true; })"
    )
    play = page.locator("#questions .play").first
    start = float(play.get_attribute("data-start") or "nan")
    play.click()
    until(page, f"player.currentTime > {start} && !player.paused")
    assert page.evaluate("player.tagName") == "VIDEO"
    assert page.evaluate("player.currentTime") < start + 5
    picture_grows(page)
    page.locator(".back a").click()
    page.wait_for_url("**/lessons/*")
    # Chromium may fetch the icon of the page before while the report's policy already holds.
    assert [c for c in window.complaints if "/mark.svg" not in c] == []
    page.context.close()


def picture_grows(page: "Page") -> None:
    """The large picture has captions on, on a phone too; a sentence is a place to jump to."""
    width = page.evaluate("player.clientWidth")
    page.locator("#larger").click()
    assert page.evaluate("player.clientWidth") > 3 * width
    until(page, "player.textTracks[0].mode === 'showing' && player.textTracks[0].cues?.length > 0")
    line = page.locator("#transcript .at").last
    go = float(line.get_attribute("data-go") or "nan")
    line.click()
    until(page, f"Math.abs(player.currentTime - {go}) < 3")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate("player.clientWidth") > 300
    page.locator("#speed").select_option("1.5")
    assert page.evaluate("player.playbackRate") == 1.5
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") in {"larger", "speed"}
    page.locator("#larger[aria-pressed=false]").wait_for()
    page.set_viewport_size({"width": 1280, "height": 720})


def test_an_interrupted_upload_goes_on_after_a_reload(
    browser: "Browser", house: House, tmp_path: Path
) -> None:
    """The connection is cut in the second block of three; what was there is not sent again."""
    window = visit(browser, house, "outsider", "en")
    page = window.go("/upload")
    file = tmp_path / "long.wav"
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 1, 16000, 0, "NONE", ""))
        out.writeframes(bytes(20 * 1024 * 1024))
    sent: list[str] = []

    def cut(route: object) -> None:
        offset = route.request.headers["upload-offset"]  # type: ignore[attr-defined]
        sent.append(offset)
        route.abort() if offset != "0" else route.continue_()  # type: ignore[attr-defined]

    page.route(
        "**/api/v1/uploads/*", lambda r: cut(r) if r.request.method == "PATCH" else r.continue_()
    )
    page.fill("#f-consent", "everybody")
    page.set_input_files("#files", file)
    page.locator("#start").click()
    until(page, "document.querySelector('[data-told]').textContent.includes('lost')")
    page.unroute_all()
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.wait_for_selector("#unfinished li")
    resumed: list[str] = []
    page.on(
        "request",
        lambda r: resumed.append(r.headers["upload-offset"]) if r.method == "PATCH" else None,
    )
    page.set_input_files("#files", file)
    page.wait_for_selector(".item.arrived, .item.failed", timeout=60_000)
    assert sent[:2] == ["0", str(8 * 1024 * 1024)]
    assert resumed == [str(8 * 1024 * 1024), str(16 * 1024 * 1024)]
    page.context.close()
