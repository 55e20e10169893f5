"""`observer rerender`: the reports of finished runs, made with this version."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from sqlalchemy import String, cast
from sqlmodel import col, select

from api.messages import language_asked, told_in
from api.settings import service_settings
from observer.errors import Language

if TYPE_CHECKING:
    from api.deps import Site


def rerender() -> None:
    """Make stored reports anew after an upgrade. 升级后重新生成已存的报告。

    Until then a report that an older version made is rendered each time somebody opens it, which
    takes a second. It can be stopped and started again, and may run beside the service.
    """
    language = language_asked()
    with told_in(language):
        from api.app import opened_site

        with opened_site(service_settings()) as site:
            site.database.ready()
            waiting = outdated(site)
            with typer.progressbar(waiting, label=_LABEL[language]) as runs:
                done = sum(renew(site, run_id) for run_id in runs)
        typer.echo(_DONE[language].format(done=done))


def outdated(site: "Site") -> list[str]:
    """Finished runs whose reports were not made with this version, the newest first."""
    from api.kept_pages import findings_name
    from api.tables import Run, RunState

    with site.database.system("reports of older versions") as session:
        runs = select(Run.id).where(
            Run.state == RunState.DONE.value,
            cast(col(Run.artefacts), String).contains("observation.json", autoescape=True),
            ~cast(col(Run.artefacts), String).contains(findings_name(), autoescape=True),
        )
        return list(session.exec(runs.order_by(col(Run.created).desc(), col(Run.id))))


def renew(site: "Site", run_id: str) -> bool:
    """Make the report of this run anew; False when it has gone or changed meanwhile."""
    from api.kept_pages import KEPT, keep_pages, medium_of
    from api.lesson_report import observation_of, recording_of
    from api.masking import class_list
    from api.stored_files import remove_all_unused
    from api.tables import Lesson, Run

    with site.database.system("a report of an older version") as session:
        run = session.get(Run, run_id)
        if run is None:
            return False
        before = dict(run.artefacts)
        lesson = session.get_one(Lesson, run.lesson_id)
        medium = medium_of(recording_of(session, lesson), run)
        students = class_list(lesson.students)
    with tempfile.TemporaryDirectory() as folder:
        observation = observation_of(site.storage, run)
        made = keep_pages(observation, medium, students, Path(folder), site.storage)
    stays = {name: sha for name, sha in before.items() if not name.startswith(KEPT)}
    with site.database.system("a report was made anew") as session:
        run = session.get(Run, run_id, with_for_update=True)
        renewed = run is not None and run.artefacts == before
        if run is not None and renewed:
            run.artefacts = stays | made
    gone = before if renewed else made
    remove_all_unused(site.database, site.storage, set(gone.values()))
    return renewed


_LABEL: dict[Language, str] = {"en": "Reports", "zh": "报告"}
_DONE: dict[Language, str] = {
    "en": "{done} reports were made anew.",
    "zh": "已重新生成 {done} 份报告。",
}
