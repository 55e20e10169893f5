"""Reports that a worker renders beforehand, so that nobody waits for the first view.

A kept page is an artefact of its run: a line of JSON that says what it is about, and the page in
compressed parts with gaps between them for what may change afterwards. A reader gets the parts as
they are, and only what fills the gaps is compressed then. Its name says what it was made with. A
page made with another version of the program, about another medium than the reader is given, or
with names masked by another class list, does not count: it is rendered as it is read, until
`observer rerender`.
"""

import gzip
import hashlib
import html
import json
import logging
import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import escape

from api.masking import masked as without_names
from api.pages import page_texts
from api.render.bundle import program_address
from api.render.drawings import Drawing, all_drawings, packed, unpacked
from api.render.html import Frame, render_html
from api.render.texts import texts
from api.render.view import lesson_length, split_question
from api.spliced_gzip import Part, member, part
from api.storage import MissingContent, Storage
from observer.errors import Language
from observer.observation import Observation
from observer.report import claims

if TYPE_CHECKING:
    from api.tables import Recording, Run

_log = logging.getLogger("observer.reports")
KEPT = ("drawings.", "findings.", "report.")
"""How the names of such artefacts begin."""
LANGUAGES: tuple[Language, ...] = ("zh", "en")
PLAYABLE = frozenset(
    {"audio/aac", "audio/flac", "audio/mp4", "audio/mpeg", "audio/ogg", "audio/wav"}
    | {"audio/webm", "audio/x-wav", "audio/x-m4a", "video/mp4", "video/webm"}
)
"""Media types that browsers play; for any other the report plays the run's Opus copy."""
GAP = "\ue000"
"""Around the name of a gap: for private use, so that hardly any text holds it."""
TITLE, LESSON = f"{GAP}title{GAP}", f"{GAP}lesson{GAP}"
FORMAT = "parts 1"
"""How a page is kept; to be changed with it, so that those kept otherwise are not found."""
_GAPS = re.compile(f"({TITLE}|{LESSON})")
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
SOURCES = (
    *("templates/report.html.j2", "templates/report", "static/report.css", "static/report"),
    *("locale/zh.json", "locale/en.json"),
)
"""Below api/: what a page is made of, beside the code of this version."""


def medium_of(recording: "Recording | None", run: "Run") -> str | None:
    """The last part of the address of what the report plays: the recording, or its sound where
    browsers cannot play that."""
    if recording is not None and recording.media_type.split(";")[0] in PLAYABLE:
        return "media"
    return "sound.opus" if "sound.opus" in run.artefacts else None


def drawings_name(language: Language) -> str:
    """Artefact: the report's charts, which hold figures and no words of the lesson."""
    return f"drawings.{language}.json.gz"


def findings_name() -> str:
    """Artefact: the sentences of the report's claims in both languages."""
    return f"findings.{rendering()}.json.gz"


def page_name(language: Language, masked: bool) -> str:
    """Artefact: the report's page."""
    return f"report.{rendering()}.{language}{'.masked' if masked else ''}.html.gz"


def keep_pages(
    observation: Observation,
    medium: str | None,
    students: Sequence[str],
    folder: Path,
    storage: Storage,
) -> dict[str, str]:
    """Artefact → its address in storage: charts, pages and findings in both languages.

    `medium` is the last part of the recording's address, `students` the class list by which names
    are masked. Equal arguments give equal bytes.
    """
    # As it is read again: numbers of a resumed run may differ in type, not in what is written.
    stored = Observation.from_json(observation.to_json())
    told = json.dumps({at: found(stored, at) for at in LANGUAGES})
    made = {findings_name(): gzip.compress(told.encode(), 6, mtime=0)}
    shown = {False: stored, True: without_names(stored, students)}
    for language in LANGUAGES:
        drawn = all_drawings(stored, lesson_length(stored), texts(language))
        made[drawings_name(language)] = packed(drawn)
        for masked, about in shown.items():
            page = rendered(about, medium, TITLE, LESSON, language, drawn)
            names = students if masked else None
            made[page_name(language, masked)] = in_parts(page, medium, names)
    kept = {}
    for name, content in made.items():
        file = folder / name
        file.write_bytes(content)
        kept[name] = storage.put(file)
    return kept


def rendered(
    observation: Observation,
    medium: str | None,
    title: str,
    lesson_id: str,
    language: Language,
    drawn: tuple[Drawing, ...] | None,
) -> str:
    """The report as a page of the service."""
    base = f"/api/v1/lessons/{lesson_id}"
    frame = Frame(
        title=title,
        back=f"/lessons/{lesson_id}",
        back_text=page_texts(language)("report.back"),
        captions=f"{base}/captions.vtt",
        program=program_address(),
    )
    media = None if medium is None else f"{base}/{medium}"
    return render_html(
        observation, media=media, embedded_audio=None, language=language, frame=frame, drawn=drawn
    )


def in_parts(page: str, medium: str | None, students: Sequence[str] | None) -> bytes:
    """The file of a page with gaps, made for `kept_page`.

    Its first line lists the gaps by name, and of each part what it takes to find it in the file and
    to put it together with others; and the page's policy, which is not to be looked for each time.
    """
    listed: list[str | tuple[int, int, int, int]] = []
    deflated = []
    for text in _GAPS.split(page):
        if text in {TITLE, LESSON}:
            listed.append(text)
        else:
            made = part(text.encode())
            listed.append((len(made.deflated), made.size, made.crc, made.shift))
            deflated.append(made.deflated)
    about = {"stamp": _stamp(medium, students), "policy": policy_of(page), "parts": listed}
    return b"\n".join((json.dumps(about).encode(), b"".join(deflated)))


def kept_page(
    storage: Storage,
    sha: str,
    medium: str | None,
    students: Sequence[str] | None,
    title: str,
    lesson_id: str,
) -> tuple[bytes, str] | None:
    """(the page at this address with its gaps filled, as gzip; its policy); None where it has to be
    rendered anew.

    `students` is the class list of today, None for a page with names. Nothing is unpacked here, so
    damage would show in a browser only; whether the file is what was put, its address tells.
    """
    try:
        with storage.open(sha) as file:
            content = file.read()
    except MissingContent:
        content = b""
    if hashlib.sha256(content).hexdigest() != sha:
        _log.warning("A kept report is missing or damaged in storage: %s", sha)
        return None
    line, _, deflated = content.partition(b"\n")
    try:
        about = json.loads(line)
    except ValueError:  # kept in an older format
        return None
    if about["stamp"] != _stamp(medium, students):
        return None
    gaps = {TITLE: part(escape(title).encode()), LESSON: part(escape(lesson_id).encode())}
    return member(_filled(about["parts"], deflated, gaps)), about["policy"]


def policy_of(page: str) -> str:
    """The content security policy that a page holds, for its header."""
    policy = _POLICY.search(page)
    return html.unescape(policy.group(1)) if policy else "default-src 'none'"


def kept_drawings(storage: Storage, sha: str) -> tuple[Drawing, ...]:
    """The charts at this address."""
    with storage.open(sha) as file:
        return unpacked(file.read())


def kept_findings(storage: Storage, sha: str, language: Language) -> list[tuple[str, str]]:
    """As `found`, kept at this address."""
    with storage.open(sha) as file:
        told = json.loads(gzip.decompress(file.read()))
    return [(at, text) for at, text in told[language]]


def found(observation: Observation, language: Language) -> list[tuple[str, str]]:
    """(id, sentence) of the report's claims, without the questions that they ask."""
    own = observation.language == language
    told = observation.claims if own else claims(observation, language)
    return [(c.id, split_question(c.text)[0]) for c in told]


def _stamp(medium: str | None, students: Sequence[str] | None) -> dict[str, str | None]:
    """What a page is about; of the class list only a digest."""
    names = None if students is None else hashlib.sha256(repr(tuple(students)).encode()).hexdigest()
    return {"medium": medium, "students": names}


def _filled(listed: list[str | list[int]], deflated: bytes, gaps: dict[str, Part]) -> list[Part]:
    """The parts of a page with what fills its gaps between them."""
    parts, start = [], 0
    for one in listed:
        if isinstance(one, str):
            parts.append(gaps[one])
        else:
            length, size, crc, shift = one
            parts.append(Part(deflated[start : start + length], size, crc, shift))
            start += length
    return parts


@cache
def rendering() -> str:
    """What pages are made with here: the version and the templates, styles, scripts and texts."""
    digest = hashlib.sha256(f"{version('observer')} {program_address()} {FORMAT}".encode())
    for name in SOURCES:
        for path, content in _files(files("api").joinpath(*name.split("/")), name):
            digest.update(f"{path} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


def _files(place: Traversable, path: str) -> list[tuple[str, bytes]]:
    if place.is_file():
        return [(path, place.read_bytes())]
    inside = sorted(place.iterdir(), key=lambda entry: entry.name)
    return [file for entry in inside for file in _files(entry, f"{path}/{entry.name}")]
