"""The service under load: pages, memory and uploads, with a database that has seen some years.

    ./x bench service_load --working
    ./x bench service_load --working --lessons 500 --minutes 4 --seconds 10 --uploads 4

A new installation (`benchmarks/installation.py`; SQLite, or the empty PostgreSQL database given
by --database) is shown by `observer serve` with --web web processes; with --working, its worker
observes the lesson's recording again and again meanwhile. --users people with sessions of their
own click: 6 in 10 are teachers, the others researchers, leaders and staff of the district. They
wait 1 to 3 s between two pages and open any of the lessons that they may see, so that nearly every
report is a first view. A page's time ends with its last byte, which comes compressed, as to a
browser. Then --uploads files are sent at a time, each broken off after a third and gone on with.

People and service share this machine's cores, so a page's time holds some of the simulation's own.
Memory is read from /proc, so this runs on Linux. Exit code 1: a bar is not held.
"""

import asyncio
import hashlib
import os
import socket
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import httpx2
import numpy as np
from installation import arguments, fill
from sqlmodel import func, select
from visitors import count_runs, crowd, told

from api.access import BOTH_SCOPES
from api.app import opened_site
from api.auth import create_token
from api.deps import Site
from api.jobs import OPEN
from api.push_client import Server, metadata
from api.settings import ServiceSettings
from api.tables import Figure, Lesson, RunState
from observer.files import sha256_of

MEMORY = 400.0
"""MB that the web process must stay below."""
RATE = 16_000
"""Of the sound that is uploaded, Hz."""


@contextmanager
def serving(settings: ServiceSettings, port: int, web: int, working: bool) -> Iterator[int]:
    """`observer serve` with so many web processes; gives its number."""
    given = {"OBSERVER_DATA": str(settings.data), "OBSERVER_DATABASE_URL": settings.database_url}
    given |= {"OBSERVER_MIN_FREE": "1", "OBSERVER_JOB_DATABASE_URL": settings.job_database_url}
    command = [sys.executable, "-m", "api.cli", "serve", "--port", str(port), "--web", str(web)]
    command += ["--device", "cpu"] if working else ["--no-worker"]
    with (settings.data / "log").open("wb") as log:
        started = subprocess.Popen(command, env=os.environ | given, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 120
            while not _answers(port):
                if started.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"the service does not start:\n{log_end(settings.data)}")
                time.sleep(0.2)
            yield started.pid
        finally:
            started.terminate()
            started.wait(90)


def web_processes(service: int) -> list[int]:
    """Those that answer: children of `service`, or itself where it has none."""
    listed = Path(f"/proc/{service}/task").glob("*/children")
    found = [int(p) for thread in listed for p in thread.read_text().split()]
    answering = [p for p in found if b"answer" in Path(f"/proc/{p}/cmdline").read_bytes()]
    return answering or [service]


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health/live", timeout=5).is_success
    except httpx2.TransportError:
        return False


def log_end(folder: Path) -> str:
    return (folder / "log").read_text("utf-8", "replace")[-3000:]


def resident(pid: int, what: str = "VmRSS") -> float:
    """MB of a process, as Linux tells; VmHWM: the most it ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(x.split()[1]) for x in lines if x.startswith(what)) / 1024


# -- uploads ---------------------------------------------------------------------------------


def send_broken(base: str, token: str, file: Path) -> bool:
    """Send a third, break off, go on from what the server has; whether it arrived as a lesson."""
    content = file.read_bytes()
    said = {"consent": "家长", "filename": file.name, "sha256": hashlib.sha256(content).hexdigest()}
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    with httpx2.Client(base_url=base, timeout=120, headers=headers) as http:
        told = {"Upload-Length": str(len(content)), "Upload-Metadata": metadata(said)}
        made = http.post("/api/v1/uploads", headers=told)
        made.raise_for_status()
        part = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        http.patch(
            made.headers["location"], headers=part, content=content[: len(content) // 3]
        ).raise_for_status()
    server = Server(base, token)
    return bool(server.send(file, said, server.unfinished(), lambda _: None).lesson_id)


def upload(site: Site, base: str, user: str, folder: Path, number: int, size: float) -> bool:
    """So many different sounds of `size` MiB at once; whether all are in storage, whole."""
    with site.database.system("benchmark: a token") as session:
        _, token = create_token(session, user, "benchmark", scopes=BOTH_SCOPES, days=1)
    files = [folder / f"lesson{n}.wav" for n in range(number)]
    for n, file in enumerate(files):
        noise = np.random.default_rng(n).normal(0, 300, int(size * 2**19)).astype(np.int16)
        with wave.open(str(file), "wb") as out:
            out.setparams((1, 2, RATE, 0, "NONE", ""))
            out.writeframes(noise.tobytes())
    start = time.perf_counter()
    with ThreadPoolExecutor(number) as threads:
        arrived = sum(threads.map(lambda file: send_broken(base, token, file), files))
    seconds = time.perf_counter() - start
    whole = 0
    for file in files:
        sha = sha256_of(file)
        if site.storage.exists(sha):
            with site.storage.local(sha) as stored:
                whole += sha256_of(stored) == sha
    print(
        f"uploads          {number} at a time, {size:g} MiB each, broken off once: {arrived}"
        f" arrived, {whole} whole; {seconds:.1f} s, {number * size / seconds:.0f} MiB/s"
    )
    return arrived == whole == number


def main() -> int:
    """Print the table; exit code 1 when a bar is not held."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--reports", type=int, default=20, help="weight of reports; others: 80")
    parser.add_argument("--working", action="store_true", help="observe a lesson meanwhile")
    parser.add_argument("--web", type=int, default=2, help="web processes")
    parser.add_argument("--uploads", type=int, default=20, help="files at a time; 0: none")
    parser.add_argument("--upload-size", type=float, default=16.0, help="MiB of each")
    given = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    with (
        TemporaryDirectory() as place,
        opened_site(
            ServiceSettings(data=Path(place) / "data", database_url=given.database)
        ) as site,
    ):
        folder = Path(place)
        start = time.perf_counter()
        made = fill(site, folder, schools=given.schools, lessons=given.lessons,
                    minutes=given.minutes)  # fmt: skip
        with site.database.system("benchmark: people") as session:
            visitors = made.visitors(session, given.users)
            rows = session.exec(select(func.count()).select_from(Figure)).one()
            lessons = session.exec(select(func.count()).select_from(Lesson)).one()
        if given.working:  # a second for a minute of sound is faster than any worker
            made.queue(2 + int(given.seconds / given.minutes))
        kind = site.database.engine.dialect.name
        took = time.perf_counter() - start
        print(
            f"{kind}, {lessons} lessons, {rows} figures, filled in {took:.0f} s;"
            f" {os.cpu_count()} cores",
            flush=True,
        )
        with serving(site.settings, port, given.web, given.working) as service:
            while given.working and not count_runs(site, RunState.WORKING.value):
                time.sleep(0.5)
            tally = asyncio.run(crowd(site, base, visitors, given.seconds, given.reports))
            held = told(tally, given.seconds)
            print(f"a run was worked on at {tally.working} of {tally.looks} looks;"
                  f" {count_runs(site, *OPEN)} of the queue are left")  # fmt: skip
            if given.uploads:
                by = made.people["researcher"][0].id
                held &= upload(site, base, by, folder, given.uploads, given.upload_size)
            for process in web_processes(service):
                most = resident(process, "VmHWM")
                print(f"web process      {resident(process):.0f} MB, at most {most:.0f} MB"
                      f"  {'OVER' if most >= MEMORY else 'within'} {MEMORY:.0f}")  # fmt: skip
                held &= most < MEMORY
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
