"""Pages of the service: templates filled in the reader's language, with the reader's navigation.

Texts come from `api/locale/service/*.{zh,en}.json`, merged: flat keys, named gaps. A page names
its template and its values; who reads, in which language and what may be reached from there is
put in here.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from api.render.texts import Texts, clock
from observer.errors import Language
from observer.job import STAGES

if TYPE_CHECKING:
    from api.access import Actor

Row = TypeVar("Row")

SYSTEM = "observer"
"""The product's name, in every language."""


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation."""

    href: str
    key: str
    """Text `nav.<key>`; also the icon's name."""


@cache
def page_texts(language: Language) -> Texts:
    """All texts of the pages in `language`."""
    entries: dict[str, str] = {}
    folder = files("api") / "locale" / "service"
    for source in sorted(folder.iterdir(), key=lambda f: f.name):
        if source.name.endswith(f".{language}.json"):
            entries |= json.loads(source.read_text(encoding="utf-8"))
    return Texts(language, entries)


def places(actor: "Actor | None") -> tuple[Place, ...]:
    """Where this person may go; without a person nowhere."""
    if actor is None:
        return ()
    from api.overview import may_see  # loads the database

    found = [Place("/", "home"), Place("/lessons", "lessons")]
    if may_see(actor):
        found.append(Place("/overview", "overview"))
    if actor.schools():  # who is in none cannot upload
        found.append(Place("/upload", "upload"))
    found.append(Place("/people", "people"))
    if actor.administrator:
        found.append(Place("/administration", "administration"))
    return tuple(found)


def render(
    request: Request,
    template: str,
    *,
    actor: "Actor | None",
    language: Language,
    status: int = 200,
    **values: object,
) -> HTMLResponse:
    """The page `service/<template>.html.j2`, in `language`, as `actor` sees it.

    `?done=<key>` shows the text `done.<key>` once, after a form was accepted. Raises KeyError
    when a text is missing.
    """
    text = page_texts(language)
    done = request.query_params.get("done", "")
    page = (
        _environment()
        .get_template(f"service/{template}.html.j2")
        .render(
            t=text,
            lang="zh-CN" if language == "zh" else "en",
            language=language,
            actor=actor,
            path=request.url.path,
            # the answer to a form has an address that cannot be asked for again
            here=_address(request) if request.method in {"GET", "HEAD"} else "/",
            places=places(actor),
            notice=text.known(f"done.{done}", ""),
            system=SYSTEM,
            **values,
        )
    )
    return HTMLResponse(page, status_code=status, headers={"Cache-Control": "private, no-store"})


def _address(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def done(where: str, key: str = "") -> RedirectResponse:
    """After an accepted form: back to the page `where`, which shows `done.<key>`."""
    return RedirectResponse(f"{where}?{urlencode({'done': key})}" if key else where, 303)


@cache
def static_url(name: str) -> str:
    """The address of a file of api/static; it changes with the file, so it may be kept long."""
    content = files("api").joinpath("static", *name.split("/")).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def size_text(size: int | float) -> str:
    """Bytes for people: 734003200 → "700 MB" (powers of 1024, as file managers show)."""
    value = float(size)
    for unit in ("B", "KB", "MB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GB" if value < 1024 else f"{value / 1024:.1f} TB"


def day(value: date | datetime | None) -> str:
    """2026-11-22, or a dash; of a moment the day where the server is, which time.js replaces by
    the reader's."""
    if isinstance(value, datetime):
        return _time(value, "%Y-%m-%d", " data-day")
    return "—" if value is None else value.isoformat()


def moment(value: datetime | None, zone: tzinfo | None = None) -> str:
    """A moment to the minute in the server's time zone, which it names (2026-11-22 18:00 UTC+8);
    time.js puts it into the reader's."""
    return "—" if value is None else _time(value, "%Y-%m-%d %H:%M", zone=zone)


def _time(value: datetime, form: str, mark: str = "", zone: tzinfo | None = None) -> Markup:
    here = value.astimezone(zone)
    exactly = value.astimezone(UTC).isoformat(timespec="seconds")
    minutes = round((here.utcoffset() or timedelta()).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    name = "UTC" if not minutes else f"UTC{'-' if minutes < 0 else '+'}{hours}"
    name += f":{rest:02d}" if rest else ""
    shown = here.strftime(form) if mark else f"{here.strftime(form)} {name}"
    return Markup(f'<time datetime="{exactly}"{mark}>{shown}</time>')


def filled(text: str, **gaps: object) -> Markup:
    """A text of ours whose gaps may hold moments; everything else is escaped."""
    return escape(text).format(**gaps)


def query(values: Mapping[str, object], **changes: object) -> str:
    """`?a=1&b=2` of the values that are set, `changes` laid over; empty values drop out."""
    merged = {k: v for k, v in {**values, **changes}.items() if v not in (None, "", 0)}
    return "?" + urlencode(merged) if merged else "?"


@dataclass(frozen=True, slots=True)
class Sheet(Generic[Row]):
    """One page of a long list."""

    rows: Sequence[Row]
    number: int
    """From 1."""
    size: int
    total: int

    @property
    def last(self) -> int:
        """The last page's number, at least 1."""
        return max(1, -(-self.total // self.size))


UPLOAD_WORDS = (
    *("pause", "resume", "remove", "again", "retry", "waiting", "paused", "sending", "checking"),
    *("arrived", "open", "lost", "refused", "too_large", "empty", "with", "fill", "forget"),
    *("minutes", "seconds"),
)


def upload_words(text: Texts) -> dict[str, str]:
    """The words of upload.js, their gaps left open."""
    return {name: text.entries[f"upload.{name}"] for name in UPLOAD_WORDS}


def stage_words(text: Texts) -> dict[str, str]:
    """Stage → what it does, in words."""
    return {stage: text(f"stage.{stage}") for stage in STAGES}


def pairs(values: Iterable[object]) -> list[tuple[str, str]]:
    """For a choice whose values are its words."""
    return [(str(v), str(v)) for v in values]


def options(text: Texts, prefix: str, values: Iterable[object]) -> list[tuple[str, str]]:
    """For a choice whose words are the texts `<prefix><value>`."""
    return [(str(v), text(f"{prefix}{v}")) for v in values]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("api", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        {
            "size": size_text,
            "day": day,
            "moment": moment,
            "filled": filled,
            "clock": clock,
            "pairs": pairs,
            "zip": zip,
        }
    )
    environment.globals.update(
        {
            "static": static_url,
            "query": query,
            "options": options,
            "stage_words": stage_words,
            "upload_words": upload_words,
        }
    )
    return environment
