"""`observer batch`: the lessons of a manifest are taken in, queued behind people's, and watched.

The same manifest is the same batch: started again, the command takes in what is missing and shows
the table again. Closing it stops nothing; workers go on.
"""

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.batch_table import STATES, Seen, summary, table
from api.messages import language_asked, told_in
from api.settings import service_settings
from observer.errors import Language, ObserverError, UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from sqlmodel import Session

    from api.access import Actor
    from api.deps import Site
    from api.manifest import ManifestRow
    from api.tables import Batch

EVERY = 2.0
"""Seconds between two looks at the batch."""


def batch(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST.csv", help="A line a lesson. 每行一节课的 CSV。")
    ],
    user: Annotated[
        str,
        typer.Option(
            metavar="LOGIN", help="In whose name the lessons are taken in. 以谁的名义导入。"
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of the files; default: beside it. 文件所在目录。"),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=64, help="Start workers here, too. 同时在本机启动处理进程数。"
        ),
    ] = 0,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try again what has failed. 重试失败的课。")
    ] = False,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda[:N]", help="计算设备。")] = "auto",
) -> None:
    """Observe the lessons of a manifest on this server. 批量观察清单中的课。

    They wait behind what people upload in the browser. Press Ctrl-C to close the table: the work
    goes on, and the same command shows it again. Exit code 1 when a lesson could not be observed.
    """
    from rich.console import Console

    language = language_asked()
    screen = Console()
    with told_in(language):
        from api.app import make_site
        from api.manifest import read_manifest
        from api.workhouse import Workhouse, worker_commands

        site = make_site(service_settings())
        site.database.ready()
        rows = read_manifest(manifest, folder)
        me = person(site, user)
        mine = batch_of(site, me, manifest, folder)
        refused = take_in(site, me, mine, rows, screen, language)
        if retry:
            try_again(site, me, mine)
        with Workhouse(worker_commands(workers, device)):
            lessons = watch(site, me, mine, screen, language)
        raise typer.Exit(summary(lessons, refused, screen, language))


def person(site: "Site", login: str) -> "Actor":
    """Who the lessons belong to. Raises UsageError when nobody has that login."""
    from sqlmodel import select

    from api.access import actor_of
    from api.tables import User

    with site.database.system("in whose name a batch is taken in") as session:
        found = session.exec(select(User).where(User.login == login.lower())).first()
        if found is None or not found.active:
            raise UsageError(
                en=f"Nobody has the login {login!r}. Give one of those under “People”.",
                zh=f"没有登录名为“{login}”的用户，请使用“人员”页面中的登录名。",
            )
        return actor_of(session, found)


def batch_of(site: "Site", me: "Actor", manifest: Path, folder: Path | None) -> "Batch":
    """The batch of this manifest: that of before when neither it nor its folder has changed."""
    from sqlmodel import select

    from api.tables import Batch

    home = str((folder or manifest.parent).resolve())
    digest = hashlib.sha256(manifest.read_bytes() + home.encode()).hexdigest()[:8]
    name = f"{manifest.name[:180]} {digest}"
    with site.database.session(me) as session:
        found = session.exec(
            select(Batch).where(Batch.user_id == me.user_id, Batch.name == name)
        ).first()
        if found is None:
            found = Batch(user_id=me.user_id, name=name)
            session.add(found)
        return found


def take_in(
    site: "Site",
    me: "Actor",
    batch: "Batch",
    rows: "list[ManifestRow]",
    screen: "Console",
    language: Language,
) -> list[tuple[str, str]]:
    """Enter and queue each lesson that the batch lacks; those refused come back with the reason."""
    from observer.files import sha256_of

    known = _known(site, me, batch)
    refused: list[tuple[str, str]] = []
    for number, row in enumerate(rows, 1):
        if sha256_of(row.files[0][1]) in known:
            continue
        try:
            with site.database.session(me) as session:
                _enter(site, session, me, batch, row)
            told = f"{number}/{len(rows)} {row.data.title}"
        except ObserverError as error:
            refused.append((row.data.title, error.text(language)))
            told = f"{number}/{len(rows)} {row.data.title}: {error.text(language)}"
        screen.print(told, markup=False, highlight=False)
    return refused


def _known(site: "Site", me: "Actor", batch: "Batch") -> set[str]:
    """Addresses of the files of the batch's lessons."""
    from sqlmodel import col, select

    from api.tables import Recording, Run

    with site.database.session(me) as session:
        lessons = select(Run.lesson_id).where(Run.batch_id == batch.id)
        files = select(Recording).where(col(Recording.lesson_id).in_(lessons))
        return {file.sha256 for file in session.exec(files)}


def _enter(
    site: "Site", session: "Session", me: "Actor", batch: "Batch", row: "ManifestRow"
) -> None:
    """A lesson with its files and its run, in one transaction."""
    from api.arrivals import KINDS, Arrival, safe_name
    from api.intake import receive
    from api.jobs import IN_BATCH

    lesson = None
    for said, path in row.files:
        kind = next(k for k in KINDS if k == said)
        belongs = row.data if lesson is None else lesson.id
        arrival = Arrival(safe_name(path.name), belongs, kind=kind)
        lesson, _ = receive(session, site.storage, me, arrival, path)
    if lesson is not None:
        site.jobs.order(session, lesson, priority=IN_BATCH, batch=batch, by=me)


def try_again(site: "Site", me: "Actor", batch: "Batch") -> int:
    """Order a new run for each lesson whose newest run failed; how many."""
    from api.tables import Run, RunState

    bad = {RunState.FAILED, RunState.SET_ASIDE, RunState.CANCELLED}
    again = [lesson.run_id for lesson in look(site, me, batch, "en") if lesson.state in bad]
    with site.database.session(me) as session:
        for run_id in again:
            site.jobs.retry(session, session.get_one(Run, run_id))
    return len(again)


def look(site: "Site", me: "Actor", batch: "Batch", language: Language) -> list[Seen]:
    """The batch's lessons in the order in which they were taken in."""
    from sqlmodel import col, select

    from api.tables import Lesson, Recording, Run

    with site.database.session(me) as session:
        runs = {
            run.lesson_id: run
            for run in session.exec(
                select(Run).where(Run.batch_id == batch.id).order_by(col(Run.created))
            )
        }
        mine = col(Lesson.id).in_(select(Run.lesson_id).where(Run.batch_id == batch.id))
        lessons = session.exec(select(Lesson).where(mine).order_by(col(Lesson.created))).all()
        files = session.exec(
            select(Recording).where(
                col(Recording.lesson_id).in_(select(Lesson.id).where(mine)),
                Recording.kind == "recording",
            )
        )
        length = {file.lesson_id: file.duration or 0.0 for file in files}
    return [
        Seen(
            lesson.title,
            run.id,
            run.state,
            run.stage,
            run.progress,
            str(run.error.get(language, "")),
            length.get(lesson.id, 0.0),
            run.started,
            run.ended,
        )
        for lesson in lessons
        if (run := runs.get(lesson.id)) is not None
    ]


# -- showing --------------------------------------------------------------------------------


def watch(
    site: "Site", me: "Actor", batch: "Batch", screen: "Console", language: Language
) -> list[Seen]:
    """Show the table until every lesson has ended; a line for each change without a terminal."""
    from rich.live import Live

    told: dict[str, str] = {}
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        while True:
            lessons = look(site, me, batch, language)
            if screen.is_terminal:
                live.update(table(lessons, language, idle=not site.jobs.workers()), refresh=True)
            else:
                for lesson in lessons:
                    if told.get(lesson.run_id) != lesson.state:
                        told[lesson.run_id] = lesson.state
                        said = f"{lesson.title}: {STATES[language][lesson.state]}"
                        screen.print(said, markup=False, highlight=False)
            if all(lesson.ended is not None for lesson in lessons):
                return lessons
            time.sleep(EVERY)
