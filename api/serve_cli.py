"""`observer serve` and `observer work`: the web process, its workers, and who starts them again."""

import ctypes
import errno
import gc
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from api.messages import language_asked, told_in
from api.settings import SHARED_METRICS, ServiceSettings, environment, service_settings
from api.workhouse import Workhouse, worker_commands
from observer.errors import Language, UsageError

if TYPE_CHECKING:
    from api.deps import Site

BEHIND = 10
"""How much nicer a worker is than the web processes beside it: people are waiting for those."""
M_ARENA_MAX = -8
"""Of mallopt(3)."""
LINGER = 4.0
"""Seconds that an address may still be held by what is ending."""
_FIRST: dict[Language, str] = {
    "en": "Create the administrator with this link (once, within a day):\n  {link}",
    "zh": "请用此链接创建管理员（一天内有效，只能使用一次）：\n  {link}",
}
DeviceOption = Annotated[
    str, typer.Option(metavar="auto|cpu|cuda[:N]", help="Device of the engines. 计算设备。")
]


def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Listen here. 监听地址。")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="端口。Port.")] = 8000,
    workers: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=64, help="Worker processes here. 本机处理进程数。"),
    ] = 1,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Pages only. 只提供网页，不处理。")
    ] = False,
    web: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=64,
            help="Web processes here; 0: one a core, at most two."
            " 本机网页进程数；0：每核一个，至多两个。",
        ),
    ] = 0,
    device: DeviceOption = "auto",
) -> None:
    """Start the web service and its worker. 启动网页服务及处理进程。

    The first start prints a link that creates the administrator. Everything is kept in the folder
    OBSERVER_DATA (default: observer-data).
    """
    language = language_asked()
    with told_in(language):
        from api.app import log_as_json, opened_site
        from api.invitations import first_link
        from api.retention import Caretaker

        settings = _reached_at(service_settings(), host, port)
        with opened_site(settings) as site:
            site.database.migrate()
            site.jobs.prepare()
            link = first_link(site.database, settings)
            if link is not None:
                typer.echo(_FIRST[language].format(link=link))
            log_as_json()
            web = web or min(2, os.cpu_count() or 1)
            door = _listening(host, port)
            commands = worker_commands(0 if no_worker else workers, device)
            if web > 1:
                commands += web_commands(web, door, settings)
            # uvicorn raises the signal that ended it once more, when it has shut down
            with (
                door,
                Workhouse(commands, doors=(door.fileno(),)) as house,
                Caretaker(site),
                suppress(KeyboardInterrupt),
            ):
                if web > 1:
                    house.wait()
                else:
                    _answer(site, door)


def _listening(host: str, port: int) -> socket.socket:
    """The socket that requests come through. Raises UsageError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    until = time.monotonic() + LINGER
    while True:
        # The protocol by name: only then asyncio sends small answers at once (TCP_NODELAY).
        door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
            door.listen(2048)
            return door
        except OSError as error:
            door.close()
            # web processes of a service that was killed let go of it in a second
            if error.errno == errno.EADDRINUSE and time.monotonic() < until:
                time.sleep(0.2)
                continue
            raise UsageError(
                en=f"Cannot listen on {host}, port {port}: {error.strerror}. Stop what is running"
                " there, or choose another port with --port.",
                zh=f"无法监听 {host} 端口 {port}：{error.strerror}。请停止占用该端口的程序，"
                "或用 --port 指定其他端口。",
            ) from error


def _answer(site: "Site", door: socket.socket, parent: int | None = None) -> None:
    """Answer requests that come through `door`, until SIGTERM, Ctrl-C, or the end of `parent`."""
    import uvicorn

    from api.app import create_app

    app = create_app(site.settings, site=site)
    _spare_memory()
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=60,  # longer than people look at a page, and than proxies wait
    )
    server = uvicorn.Server(config)
    if parent is not None:
        threading.Thread(target=_outlive_not, args=(parent, _leave), daemon=True).start()
    server.run(sockets=[door])


def _spare_memory() -> None:
    """Settle what is loaded, and keep freed memory for all threads together.

    Without the first the collector walks through all modules again and again while people wait;
    without the second (MALLOC_ARENA_MAX of glibc) each thread keeps what its largest page took.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 2)


def _leave() -> None:
    """End at once: what asked through this process is answered by its successor."""
    os._exit(1)


def answer(
    door: Annotated[int, typer.Option(help="File descriptor of the socket.")],
    parent: Annotated[int, typer.Option(help="End when this process has ended.")],
) -> None:
    """One of the web processes of `observer serve --web N`, which starts it. 由 serve 启动。"""
    with told_in(language_asked()):
        from api.app import log_as_json, opened_site

        log_as_json()
        with (
            opened_site(service_settings()) as site,
            socket.socket(fileno=door) as listening,
            suppress(KeyboardInterrupt),
        ):
            _answer(site, listening, parent)


def web_commands(number: int, door: socket.socket, settings: ServiceSettings) -> list[list[str]]:
    """Commands of so many web processes that share a door and end with this process."""
    counted = settings.data / "metrics"
    shutil.rmtree(counted, ignore_errors=True)
    counted.mkdir()
    os.environ |= {"OBSERVER_PUBLIC_URL": settings.public_url, SHARED_METRICS: str(counted)}
    me = [sys.executable, "-m", "api.cli", "answer", "--door", str(door.fileno())]
    return [[*me, "--parent", str(os.getpid())]] * number


def _reached_at(settings: ServiceSettings, host: str, port: int) -> ServiceSettings:
    """With the address that is listened on, where OBSERVER_PUBLIC_URL names no other."""
    if settings.public_url != ServiceSettings().public_url:
        return settings
    name = f"[{host}]" if ":" in host else host
    return replace(settings, public_url=f"http://{name}:{port}")


def work(
    device: DeviceOption = "auto",
    concurrency: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=64, help="Lessons at a time. 同时处理的课数。"),
    ] = 1,
    parent: Annotated[
        int | None, typer.Option(hidden=True, help="End when this process has ended.")
    ] = None,
) -> None:
    """Work on queued lessons. 处理排队中的课。

    Start it on every server that shares the PostgreSQL database and the storage; one process is
    one lesson at a time, so that a GPU holds its models once. SIGTERM gives the lesson back.
    """
    with told_in(language_asked()):
        if concurrency > 1:
            with (
                Workhouse(worker_commands(concurrency, device)) as house,
                suppress(KeyboardInterrupt),
            ):
                house.wait()
            return
        from api.app import log_as_json, make_site

        log_as_json()
        site = make_site(service_settings())
        site.database.ready()
        run_worker(site, device, parent)
        sys.stdout.flush()
        # A stage that does not hear of the end must not hold the process; its run is taken over.
        os._exit(0)


def run_worker(site: "Site", device: str, parent: int | None) -> None:
    """One worker in this process, until SIGTERM, Ctrl-C, or the end of `parent`."""
    from api.work import LessonWork
    from api.workers import Workplace

    folder = site.settings.data / "work"
    lessons = LessonWork(site.database, site.storage, folder, environment(), device=device)
    place = Workplace(site.jobs, lessons, device=device)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: place.stop.set())
    if parent is not None:
        os.nice(BEHIND)
        threading.Thread(target=_outlive_not, args=(parent, place.stop.set), daemon=True).start()
    lessons.sweep()
    place.run()


def _outlive_not(parent: int, end: Callable[[], None]) -> None:
    """Call `end` when the process that started this one has gone: it may have been killed."""
    while os.getppid() == parent:
        time.sleep(1.0)
    end()
