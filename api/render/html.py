"""The page: one HTML file that holds everything it needs and asks the network for nothing.

Only scripts and styles whose hash stands in its content security policy run, so that words from
a transcript stay words. Text goes through Jinja's escaping; JSON in the page additionally has
`<`, `>` and `&` written as escapes, so that no text can end its element.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from urllib.parse import unquote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from api.render.bundle import bundle
from api.render.drawings import Drawing
from api.render.texts import clock, texts
from api.render.timeline import legend_key
from api.render.view import Page, page
from observer.observation import Observation

SCRIPTS = ("player", "transcript", "timeline", "charts")
"""ES modules of api/static/report, inlined in this order; they talk through DOM events."""

LOW_ACCURACY = frozenset({"pocketsphinx"})
"""Recognisers whose words the page warns about."""


@dataclass(frozen=True, slots=True)
class Media:
    """What the page plays: addresses in the order in which they are tried."""

    sources: tuple[str, ...]
    video: bool
    name: str
    """File name to look for, told to the reader when it cannot be found."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the service puts around a lesson's report; a report in a file has none."""

    title: str
    """The lesson's title, in the place of the file's name."""
    back: str
    """Address of the lesson's page."""
    back_text: str
    captions: str
    """Address of WebVTT captions."""
    program: str
    """Address of the charts' program, which a browser then loads once for all reports."""


def render_html(
    observation: Observation,
    *,
    media: str | None,
    embedded_audio: bytes | None,
    language: str,
    frame: Frame | None = None,
    drawn: tuple[Drawing, ...] | None = None,
) -> str:
    """One self-contained page about `observation` in `language`.

    `media` is the URL of the recording relative to the page (percent-encoded);
    `embedded_audio` is an Ogg Opus file put inside, played where `media` is absent. Without
    either the play buttons are disabled and say why. Equal arguments give equal text.
    """
    text = texts("zh" if language == "zh" else "en")
    content = page(observation, text, drawn)
    if frame is not None:
        content = replace(content, title=frame.title)
    style = _static("report.css")
    modules = [_static(f"report/{name}.js") for name in SCRIPTS]
    template = _environment().get_template("report.html.j2")
    return template.render(
        t=text,
        lang="zh-CN" if language == "zh" else "en",
        observation=observation,
        page=content,
        frame=frame,
        media=_media(observation, media, embedded_audio),
        style=Markup(style),
        modules=[Markup(m) for m in modules],
        policy=_policy(style, modules, content, frame),
        vega=bundle().packed if content.drawings and frame is None else "",
        specs=_json({d.id: {"spec": d.spec, "stretches": d.stretches} for d in content.drawings}),
        words=_json({k: v for k, v in text.entries.items() if k.startswith("js.")}),
        low_accuracy=any(
            e.kind == "transcriber" and e.name in LOW_ACCURACY
            for e in observation.provenance.engines
        ),
    )


def _media(observation: Observation, media: str | None, embedded: bytes | None) -> Media | None:
    sources = []
    if media is not None:
        sources.append(media)
    if embedded is not None:
        sources.append("data:audio/ogg;base64," + base64.b64encode(embedded).decode())
    if not sources:
        return None
    name = unquote((media or "").rsplit("/", 1)[-1])
    pictured = observation.recording is not None and observation.recording.video
    sound = name.lower().endswith((".opus", ".ogg", ".mp3", ".m4a", ".aac", ".wav", ".flac"))
    return Media(tuple(sources), media is not None and pictured and not sound, name)


def _policy(style: str, modules: list[str], content: Page, frame: Frame | None) -> str:
    """The content security policy: our scripts and style by hash, media, nothing else.

    In the service the charts' program comes from the page's own origin.
    """
    scripts = [_hash(m) for m in modules]
    if frame is not None:
        scripts.append("self")
    elif content.drawings:
        scripts.append(bundle().csp_hash)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src " + " ".join(f"'{h}'" for h in scripts),
            f"style-src '{_hash(style)}'",
            "media-src 'self' file: data:",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _json(value: object) -> Markup:
    """JSON that cannot end its script element, whatever strings it holds."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def _static(name: str) -> str:
    """A file of api/static with exactly the text that stands in the page between the tags."""
    source = files("api").joinpath("static", *name.split("/")).read_text(encoding="utf-8")
    return "\n" + source.strip() + "\n"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("api", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["clock"] = clock
    environment.globals["legend_key"] = legend_key
    return environment
