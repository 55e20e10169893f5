"""What is taken away: whole, readable, the same twice, and without names of students."""

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from api.auth import create_token
from api.deps import Site
from api.exports import KINDS, export, file_name, zipped
from api.invitations import accept, invite
from api.problems import InvalidError
from api.render.pdf import STAND_IN, coverage, render_pages, render_pdf
from api.render.printed import Heading
from api.render.word import render_docx
from api.tables import AuditEntry, Lesson, Run, Share, User
from observer.errors import OutputError
from observer.formats import read_text
from observer.observation import Observation
from observer.report import claims
from tests.observation_factory import english_lesson, mandarin_lesson, without_recording
from tests.service_factory import People, people
from tests.service_site import PASSWORD, client_of, site_in


def told(observation: Observation) -> Observation:
    """With its claims, as a run leaves it."""
    return observation.with_claims(claims(observation, observation.language))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def short() -> Observation:
    """A short Mandarin lesson with every kind of event."""
    return told(mandarin_lesson(minutes=6))


# -- PDF ---------------------------------------------------------------------------------


def test_pdf_is_tagged_and_the_same_twice(short: Observation) -> None:
    first = render_pdf(short, language="zh")
    assert first.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in first
    assert b"pdfuaid" in first
    assert b"zh-CN" in first
    assert first == render_pdf(short, language="zh")


def test_words_of_the_lesson_are_never_markup(short: Observation) -> None:
    """Typst would run this; as data it is printed. Escapes of JSON must hold, too."""
    nasty = '#panic("x") $ 1/0 $ *b* `c` </script> \\u0000 " \' { } [ #import "/etc/passwd": *'
    spoilt = replace(short.transcript.utterances[0], text=nasty + "\x00\ud800\u200d")
    lesson = replace(
        short, transcript=short.transcript.with_utterances([spoilt, *list(short.transcript)[1:]])
    )
    made = render_pdf(lesson, language="en", heading=Heading("#eval(1) <b>", ("$x$",)))
    assert made.startswith(b"%PDF-")


def test_a_character_without_a_glyph_gets_a_stand_in(short: Observation) -> None:
    """喆 and 䶮 are names and must be there; an emoji is not in the font and must not stop it."""
    assert {ord(c) for c in "喆玥堃昇赟珺祎䶮鿏A1，。〓"} <= coverage()
    assert ord("😀") not in coverage()
    assert ord(STAND_IN) in coverage()
    assert render_pdf(short, language="zh", heading=Heading("喆 😀 ☃")).startswith(b"%PDF-")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_without_a_recording(language: str) -> None:
    """A transcript alone: no timeline, no waits, no links; still a report."""
    pages = render_pages(without_recording(english_lesson()), language=language, ppi=20)
    assert len(pages) >= 2
    assert all(p.startswith(b"\x89PNG") for p in pages)


def test_times_are_links_into_the_report(short: Observation) -> None:
    """Only where the report has an address."""
    address = "https://observer.example/lessons/1/report"
    assert b"/URI" in render_pdf(short, language="zh", heading=Heading("a", (), address))
    assert b"/URI" not in render_pdf(short, language="zh", heading=Heading("a"))


def test_a_font_that_is_missing_is_an_error(
    short: Observation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Typst only warns of it, and every Chinese character would be gone."""
    coverage()  # read before the folder is taken away
    monkeypatch.setattr("api.render.pdf.FONTS", tmp_path)
    with pytest.raises(OutputError, match="font"):
        render_pdf(short, language="zh")


# -- Word --------------------------------------------------------------------------------


def test_docx_holds_findings_tables_and_the_transcript(short: Observation) -> None:
    from docx import Document

    made = render_docx(short, language="zh", heading=Heading("课题\x0b一", ("四年级",)))
    assert made == render_docx(short, language="zh", heading=Heading("课题\x0b一", ("四年级",)))
    document = Document(io.BytesIO(made))
    assert document.paragraphs[0].text == "课题一"
    said = "\n".join(p.text for p in document.paragraphs)
    assert short.claims[0].text[:12] in said
    rows = [c.text for t in document.tables for r in t.rows[:1] for c in r.cells]
    assert "指标" in rows
    last = next(t for t in document.tables if len(t.rows) == len(short.transcript))
    assert last.rows[0].cells[2].text == short.transcript.utterances[0].text
    fonts = document.styles["Normal"].element.rPr.rFonts
    assert "Microsoft YaHei" in fonts.attrib.values()


# -- masking: what it finds stands in test_masking.py -------------------------------------


def given(arguments: dict[str, Any]) -> bytes:
    """The data of a document, as Typst receives it."""
    return str(arguments["sys_inputs"]["data"]).encode()


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_kind_of_file_leaks_a_name(
    kind: str, short: Observation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is said in a sentence, a claim's evidence, a note and the name of the recording."""
    rows = list(short.transcript)
    rows[0] = replace(rows[0], text="请欧阳娜娜同学来说。")
    assert short.recording is not None
    named = replace(
        short,
        transcript=short.transcript.with_utterances(rows),
        recording=replace(short.recording, name="欧阳娜娜.mp4"),
        provenance=replace(short.provenance, notes=("欧阳娜娜",)),
    )
    if kind == "pdf":  # its pages are compressed: look at what Typst is given
        monkeypatch.setattr("typst.compile_with_warnings", lambda *_, **k: (given(k), []))
    open_, closed = (export(named, kind, "zh", masked=m) for m in (False, True))
    if kind == "docx":
        open_, closed = (
            zipfile.ZipFile(io.BytesIO(x)).read("word/document.xml") for x in (open_, closed)
        )
    assert "欧阳娜娜".encode() not in closed
    if kind != "csv":
        assert "欧阳娜娜".encode() in open_


# -- the other kinds ---------------------------------------------------------------------


def test_data_reads_back(short: Observation) -> None:
    assert Observation.from_json(
        export(short, "json", "zh", masked=False)
    ) == Observation.from_json(short.to_json())
    captions = read_text(export(short, "vtt", "zh").decode())
    assert len(captions.transcript) == len(short.transcript)
    figures = list(csv.DictReader(io.StringIO(export(short, "csv", "zh").decode("utf-8-sig"))))
    assert [f["name"] for f in figures] == [i.name for i in short.indicators]
    lines = list(csv.reader(io.StringIO(export(short, "transcript", "zh").decode("utf-8-sig"))))
    assert len(lines) == len(short.transcript) + 1


def test_an_unknown_kind_lists_the_known_ones(short: Observation) -> None:
    with pytest.raises(InvalidError, match="pdf, docx, csv"):
        export(short, "exe", "en")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("三角形的内角和", "三角形的内角和.pdf"),
        ("../../etc/passwd", "etc passwd.pdf"),
        ('a"b\r\nSet-Cookie: x', "a b Set-Cookie x.pdf"),
        ("CON", "_CON.pdf"),
        (" . ", "lesson.pdf"),
        ("\u202egpj.exe", "gpj.exe.pdf"),
    ],
)
def test_file_names_are_safe(title: str, name: str) -> None:
    assert file_name(title, "pdf") == name


def test_zip_is_made_piece_by_piece() -> None:
    """Each file is asked for only when the one before it is on its way; names do not collide."""
    asked = []

    def content(name: str) -> Callable[[], bytes]:
        def make() -> bytes:
            asked.append(name)
            if name == "broken":
                raise OutputError(en="no times", zh="没有时间")
            return name.encode() * 1000

        return make

    pieces = zipped(
        (f"课.{k}", content(n)) for k, n in [("pdf", "a"), ("pdf", "b"), ("vtt", "broken")]
    )
    first = next(pieces)
    assert asked == ["a"]
    archive = zipfile.ZipFile(io.BytesIO(b"".join([first, *pieces])))
    assert archive.testzip() is None
    assert archive.namelist() == ["课.pdf", "课 (2).pdf", "课.vtt.error.txt"]
    assert archive.read("课 (2).pdf") == b"b" * 1000
    assert "没有时间" in archive.read("课.vtt.error.txt").decode()


# -- the routes --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, short: Observation
) -> Iterator[tuple[Site, People]]:
    """A site with one lesson of `teacher`, observed, and shared with the district."""
    folder = tmp_path_factory.mktemp("exports")
    site = site_in(folder)
    known = people(site.database)
    rows = list(short.transcript)
    rows[0] = replace(rows[0], text="请欧阳娜娜同学来说。")
    named = replace(short, transcript=short.transcript.with_utterances(rows))
    file = folder / "observation.json"
    file.write_text(named.to_json(), encoding="utf-8")
    sha = site.storage.put(file)
    with site.database.system("test") as session:
        session.get_one(Run, known.run.id).artefacts = {"observation.json": sha}
        session.add(Share(lesson_id=known.lesson.id, district_id=known.district.id))
        bare = Lesson(school_id=known.school.id, teacher_id=known.teacher.id, title="没有报告")
        session.add(bare)
    yield site, known
    site.database.close()


def signed_in(site: Site, user: User) -> TestClient:
    """A client with a fresh link's password."""
    with site.database.system("test") as session:
        link = invite(session, user.id)
    accept(site, link.rsplit("/", 1)[1], PASSWORD, language="zh")
    return client_of(site, user.login)


def test_export_route_serves_every_kind(service: tuple[Site, People]) -> None:
    site, known = service
    client = signed_in(site, known.teacher)
    for kind, form in KINDS.items():
        answer = client.get(f"/api/v1/lessons/{known.lesson.id}/export", params={"kind": kind})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == form.media_type
        assert answer.headers["cache-control"] == "private, no-store"
        shown = answer.headers["content-disposition"]
        assert f'filename="lesson.{form.suffix}"' in shown
        assert "filename*=UTF-8''%E5%88%86" in shown  # 分数的初步认识
        assert answer.content
    with site.database.system("test") as session:
        noted = session.exec(select(AuditEntry).where(AuditEntry.action == "lesson.export")).all()
    assert {n.detail["kind"] for n in noted} == set(KINDS)
    assert {n.actor_id for n in noted} == {known.teacher.id}


def test_names_stay_inside_the_school(service: tuple[Site, People]) -> None:
    """The teacher may have them, on request; the district, which sees the lesson, may not."""
    site, known = service
    address = f"/api/v1/lessons/{known.lesson.id}/export"
    teacher, staff = signed_in(site, known.teacher), signed_in(site, known.staff)
    name = "欧阳娜娜"
    assert name not in teacher.get(address, params={"kind": "json"}).text
    assert name in teacher.get(address, params={"kind": "json", "names": "true"}).text
    assert name not in staff.get(address, params={"kind": "transcript"}).text
    report, captions = f"/lessons/{known.lesson.id}/report", f"{address[:-6]}captions.vtt"
    assert name in teacher.get(report).text
    assert name in teacher.get(captions).text
    assert name not in staff.get(report).text
    assert name not in staff.get(captions).text
    refused = staff.get(address, params={"kind": "transcript", "names": "true"})
    assert refused.status_code == 403
    assert name not in refused.text


def test_a_token_that_may_only_read_exports(service: tuple[Site, People]) -> None:
    """Exporting changes nothing but the audit, which such a token may write."""
    site, known = service
    with site.database.system("test") as session:
        read = frozenset({"read"})
        _, token = create_token(session, known.teacher.id, "script", scopes=read, days=1)
    answer = client_of(site).get(
        f"/api/v1/lessons/{known.lesson.id}/export",
        params={"kind": "csv"},
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200, answer.text


def test_exports_of_what_one_may_not_see_are_not_found(service: tuple[Site, People]) -> None:
    site, known = service
    stranger = signed_in(site, known.stranger)
    assert stranger.get(f"/api/v1/lessons/{known.lesson.id}/export").status_code == 404
    assert stranger.get(f"/api/v1/exports.zip?lesson={known.lesson.id}").status_code == 404
    nobody = client_of(site)
    assert nobody.get(f"/api/v1/exports.zip?lesson={known.lesson.id}").status_code in (303, 401)


def test_a_selection_comes_as_one_zip(service: tuple[Site, People]) -> None:
    """Two kinds of one lesson; the lesson without a report is left out; all or nothing by scope."""
    site, known = service
    client = signed_in(site, known.teacher)
    with site.database.system("test") as session:
        bare = session.exec(select(Lesson).where(Lesson.title == "没有报告")).one().id
    both = {"lesson": [known.lesson.id, bare], "kind": ["csv", "json"]}
    answer = client.get("/api/v1/exports.zip", params=both)
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["分数的初步认识.csv", "分数的初步认识.json"]
    assert "欧阳娜娜" not in archive.read("分数的初步认识.json").decode()
    one = {"lesson": [known.lesson.id], "kind": ["docx"], "language": "en"}
    english = zipfile.ZipFile(io.BytesIO(client.get("/api/v1/exports.zip", params=one).content))
    document = zipfile.ZipFile(io.BytesIO(english.read("分数的初步认识.docx")))
    assert b"Lesson observation" in document.read("word/document.xml")
    assert client.get("/api/v1/exports.zip", params={"lesson": [bare]}).status_code == 422
    assert client.get("/api/v1/exports.zip", params={"lesson": ["0" * 32]}).status_code == 404
    assert client.get("/api/v1/exports.zip").status_code == 422
    unknown = {"lesson": [known.lesson.id], "kind": ["exe"]}
    assert client.get("/api/v1/exports.zip", params=unknown).status_code == 422
