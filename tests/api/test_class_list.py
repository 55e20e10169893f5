"""The class list of a lesson: names that no rule finds are masked beyond the school, and the list
itself is shown to nobody but those who may change the lesson. All names are made up."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.arrivals import arrival_of
from api.deps import Site
from api.invitations import accept, invite
from api.lesson_data import LessonData
from api.manifest import read_manifest
from api.masking import class_list
from api.retention import delete_lesson
from api.tables import Lesson, Recording, Run, Share, User
from tests.observation_factory import mandarin_lesson
from tests.service_factory import People, actor, people
from tests.service_site import PASSWORD, client_of, site_in

LISTED = "上次方知远没有交，放之元的本子在这里。"
"""A name said in passing, and as a recogniser might write it: no rule finds either."""
LIST = "1. 方知远\n2. 张　伟、欧阳若曦"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Site, People]]:
    """A lesson of `teacher` with a report, shared with the district."""
    site = site_in(tmp_path)
    known = people(site.database)
    short = mandarin_lesson(minutes=2)
    rows = list(short.transcript)
    rows[0] = replace(rows[0], text=LISTED)
    named = replace(short, transcript=short.transcript.with_utterances(rows))
    file = tmp_path / "observation.json"
    file.write_text(named.to_json(), encoding="utf-8")
    with site.database.system("test") as session:
        run = session.get_one(Run, known.run.id)
        run.artefacts = {"observation.json": site.storage.put(file)}
        session.add(Share(lesson_id=known.lesson.id, district_id=known.district.id))
    yield site, known
    site.database.close()


def signed_in(site: Site, user: User) -> TestClient:
    """A client with a fresh link's password."""
    with site.database.system("test") as session:
        link = invite(session, user.id)
    accept(site, link.rsplit("/", 1)[1], PASSWORD, language="zh")
    return client_of(site, user.login)


def test_lists_are_read_as_people_write_them() -> None:
    assert class_list(LIST) == ("方知远", "张伟", "欧阳若曦")
    assert class_list("王梓轩 李思 王梓轩") == ("王梓轩", "李思")
    assert class_list("Zofka Nowak, Ilse\n\n3) Wim; ") == ("Zofka Nowak", "Ilse", "Wim")
    assert class_list("") == class_list("，、\n1.\n甲") == ()
    assert len(class_list("\n".join(f"Name{i:03}x" for i in range(300)))) == 200


def test_listed_names_do_not_leave_the_school(service: tuple[Site, People]) -> None:
    """The district reads them before the list is there: rules miss them. Then it does not, in any
    of the ways in which words of the lesson go out; the school itself goes on reading them."""
    site, known = service
    teacher, staff = signed_in(site, known.teacher), signed_in(site, known.staff)
    base = f"/api/v1/lessons/{known.lesson.id}"
    ways = [f"{base}/observation", f"{base}/captions.vtt", f"{base}/export?kind=json"]
    assert all("知远" in staff.get(way).text for way in ways)
    kept = teacher.post(f"/lessons/{known.lesson.id}/students", data={"students": LIST})
    assert kept.status_code in (200, 303)
    for way in ways:
        shown = staff.get(way).text
        assert "知远" not in shown, way
        assert "放之元" not in shown, way
        assert "上次某同学没有交" in shown, way
    assert "知远" in teacher.get(ways[0]).text
    assert "知远" not in teacher.get(ways[2]).text
    assert "知远" in teacher.get(f"{ways[2]}&names=true").text


def test_the_list_is_shown_to_its_keepers_alone(service: tuple[Site, People]) -> None:
    site, known = service
    page, document = f"/lessons/{known.lesson.id}", f"/api/v1/lessons/{known.lesson.id}"
    teacher, staff = signed_in(site, known.teacher), signed_in(site, known.staff)
    changed = teacher.patch(document, json={"students": "欧阳若曦，方知远"})
    assert changed.status_code == 200
    assert "若曦" not in changed.text
    assert "欧阳若曦\n方知远" in teacher.get(page).text
    for reader in (staff.get(page), staff.get(document), teacher.get(document)):
        assert reader.status_code == 200
        assert "若曦" not in reader.text
    assert staff.post(f"{page}/students", data={"students": ""}).status_code == 403
    with site.database.system("test") as session:
        assert session.get_one(Lesson, known.lesson.id).students == "欧阳若曦\n方知远"


def test_names_of_files_stay_in_the_school(service: tuple[Site, People]) -> None:
    """Whoever uploads 王梓轩.mp4 has told a name; the district sees the file without it."""
    site, known = service
    with site.database.system("test") as session:
        session.get_one(Recording, known.recording.id).name = "王梓轩.mp4"
    page = f"/lessons/{known.lesson.id}"
    assert "王梓轩" in signed_in(site, known.teacher).get(page).text
    assert "王梓轩" not in signed_in(site, known.staff).get(page).text


def test_the_list_goes_with_the_lesson(service: tuple[Site, People]) -> None:
    """Looked for in every byte of the data folder, once SQLite has emptied its journal."""
    site, known = service
    teacher = signed_in(site, known.teacher)
    teacher.post(f"/lessons/{known.lesson.id}/students", data={"students": "欧阳若曦"})

    def bytes_with_the_name() -> list[str]:
        files = (f for f in site.settings.data.rglob("*") if f.is_file())
        return [f.name for f in files if "欧阳若曦".encode() in f.read_bytes()]

    assert bytes_with_the_name()
    delete_lesson(site, known.lesson.id, actor(site.database, known.teacher))
    assert bytes_with_the_name() == []


def test_a_list_comes_with_an_upload_and_with_a_manifest(
    service: tuple[Site, People], tmp_path: Path
) -> None:
    _, _ = service
    arrival = arrival_of({"filename": "课.mp4", "consent": "家长", "students": LIST})
    assert isinstance(arrival.lesson, LessonData)
    assert class_list(arrival.lesson.students)[0] == "方知远"
    (tmp_path / "课.mp4").write_bytes(b"-")
    (tmp_path / "清单.csv").write_text("文件,学生名单\n课.mp4,方知远、张伟\n", encoding="utf-8")
    row = read_manifest(tmp_path / "清单.csv")[0]
    assert class_list(row.data.students) == ("方知远", "张伟")


def test_a_lesson_made_by_a_program_has_its_list(service: tuple[Site, People]) -> None:
    site, known = service
    teacher = signed_in(site, known.teacher)
    said = {"title": "新课", "consent": "家长", "students": LIST}
    made = teacher.post("/api/v1/lessons", json=said)
    assert made.status_code == 201, made.text
    with site.database.system("test") as session:
        lesson = session.get_one(Lesson, made.json()["id"])
        assert lesson.students == "方知远\n张伟\n欧阳若曦"
