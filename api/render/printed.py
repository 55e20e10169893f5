"""What of an observation stands on paper: the same content for the PDF and the Word file.

Plain values without markup. A page of paper plays nothing, so every piece of evidence keeps the
time at which it is heard and, where the reader has the report, an address that opens it there.
"""

from dataclasses import dataclass
from datetime import date

from api.render import drawings, figures, plots, sections, timeline, view
from api.render.evidence import Evidence, Proof
from api.render.interaction import Interaction, interaction
from api.render.readings import readings
from api.render.texts import Texts
from observer.observation import Observation
from observer.report import claims
from observer.timeline import Seconds

LOW_ACCURACY = frozenset({"pocketsphinx"})
"""Recognisers whose words the report warns about."""
LESSON_TYPES = {
    "ordinary": "print.type.ordinary",
    "public": "print.type.public",
    "research": "print.type.research",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """What a school knows of the lesson and its recording does not."""

    title: str
    details: tuple[str, ...] = ()
    """Subject, grade, date … in the reader's language."""
    address: str = ""
    """Web address of the lesson's report; empty: times are no links."""


def headed(
    text: Texts,
    title: str,
    *,
    about: tuple[str, ...] = (),
    lesson_type: str = "",
    cycle: int | None = None,
    held_on: date | None = None,
    address: str = "",
) -> Heading:
    """The heading of a lesson in the reader's language; `cycle` is the round of a lesson study."""
    details = [*about]
    if lesson_type in LESSON_TYPES:
        details.append(text(LESSON_TYPES[lesson_type]))
    if cycle:
        details.append(text("print.round", n=cycle))
    if held_on:
        details.append(held_on.isoformat())
    return Heading(title, tuple(d for d in details if d), address)


@dataclass(frozen=True, slots=True)
class Printed:
    """Everything on paper, in order."""

    language: str
    title: str
    dateline: tuple[str, ...]
    address: str
    warnings: tuple[str, ...]
    sound: tuple[str, ...]
    key_figures: tuple[view.KeyFigure, ...]
    claims: tuple[view.ClaimView, ...]
    roles: tuple[tuple[str, str], ...]
    """(role, its name), one a lane of the timeline."""
    score: tuple[plots.ScoreRow, ...]
    score_words: str
    charts: dict[str, plots.Chart]
    curve: plots.Plane | None
    triangle: plots.Plane | None
    stems: tuple[tuple[float, float, int], ...]
    """Counted waits: (place in the lesson 0 to 1, seconds, kind)."""
    stems_words: str
    length: Seconds
    waits: tuple[sections.WaitList, ...]
    questions: tuple[sections.QuestionGroup, ...]
    exchanges: tuple[sections.ExchangeRow, ...]
    exchange_words: str
    transferred: bool
    corrected: bool
    interaction: Interaction | None
    lines: tuple[sections.Line, ...]
    families: tuple[tuple[str, tuple[figures.Row, ...]], ...]
    methods: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def printed(
    observation: Observation, text: Texts, *, heading: Heading | None = None, masked: bool = False
) -> Printed:
    """The content of a printed report in the language of `text`.

    `masked` only says that names were taken out (:mod:`api.masking` does it).
    """
    evidence = Evidence(observation, text)
    length = view.lesson_length(observation)
    told = observation.claims
    if observation.language != text.language:
        told = claims(observation, text.language)
    rows = figures.rows(observation, evidence, text)
    families: dict[str, list[figures.Row]] = {}
    for row in rows:
        families.setdefault(text(f"family.{row.family}"), []).append(row)
    read = readings(observation, evidence, text)
    counted = [w for w in observation.waits if w.excluded is None]
    head = heading or Heading(view.title(observation, text))
    roles = timeline.lanes(observation.timeline) if observation.timeline else ()
    return Printed(
        language=text.language,
        title=head.title,
        dateline=(*head.details, *view.dateline(observation, length, text)),
        address=head.address,
        warnings=_warnings(observation, text, masked=masked),
        sound=_sound(observation, text),
        key_figures=view.key_figures(observation, text),
        claims=tuple(view.claim_view(c, evidence, text) for c in told),
        roles=tuple((r.value, text(f"role.{r.value}")) for r in roles),
        score=plots.score(observation, length, roles),
        score_words=drawings.score_words(observation, length, text),
        charts={c.id: c for m in drawings.MEASURES if (c := plots.chart(m, observation, text))},
        curve=plots.curve(observation, length, text),
        triangle=plots.triangle(observation, text),
        stems=tuple((round(w.start / max(length, 1.0), 5), w.duration, w.kind) for w in counted),
        stems_words=drawings.waits_words(counted, text) if counted else "",
        length=length,
        waits=tuple(sections.wait_list(observation.waits, k, evidence, text) for k in (1, 2)),
        questions=sections.questions(observation, evidence, text),
        exchanges=tuple(sections.exchange(x, evidence, text) for x in observation.exchanges),
        exchange_words=sections.exchange_words(observation.exchanges, text),
        transferred=read.transferred,
        corrected=read.corrected,
        interaction=interaction(observation, rows, length, text),
        lines=sections.lines(observation, text),
        families=tuple((name, tuple(found)) for name, found in families.items()),
        methods=tuple(
            (text(f"methods.{m}"), text(f"methods.{m}.text"))
            for m in ("intervals", "roles", "questions", "st", "limits", "purpose")
        ),
        versions=_versions(observation, text),
        notes=observation.provenance.notes,
    )


def address_of(proof: Proof, address: str) -> str:
    """Where the evidence can be heard; empty where there is no report to open."""
    return f"{address}#{proof.anchor}" if address and proof.anchor else ""


def _warnings(observation: Observation, text: Texts, *, masked: bool) -> tuple[str, ...]:
    engines = observation.provenance.engines
    low = any(e.kind == "transcriber" and e.name in LOW_ACCURACY for e in engines)
    found = [text("warning.low_accuracy")] if low else []
    return (*found, *([text("print.masked")] if masked else []))


def _sound(observation: Observation, text: Texts) -> tuple[str, ...]:
    quality = observation.quality
    if quality is None:
        return ()
    heard = text("sound.speech", share=text.percent(quality.speech_share))
    if quality.snr_db is not None:
        heard += text("sound.snr", db=f"{quality.snr_db:.0f}")
    if quality.clipped_share >= 0.001:
        heard += text("sound.clipped", share=f"{100 * quality.clipped_share:.1f}")
    parts = [f"{text(f'sound.{quality.verdict}')} {heard}{text('list.stop')}"]
    if quality.widening > 1:
        parts.append(text("sound.widened", factor=f"{quality.widening:.1f}"))
    return (*parts, *(text.pick(zh=f.zh, en=f.en) for f in quality.findings))


def _versions(observation: Observation, text: Texts) -> tuple[tuple[str, str], ...]:
    made = observation.provenance
    rows = [("observer", f"{made.observer} · {observation.schema}")]
    rows += [
        (text.known(f"engine.{e.kind}", e.kind), f"{e.name} {e.version} {e.reason}".strip())
        for e in made.engines
    ]
    source, _, more = observation.transcript.source.partition(":")
    rows.append(
        (
            text("versions.source"),
            " · ".join(filter(None, (text.known(f"source.{source}", source), more))),
        )
    )
    rows += [
        (f"SHA-256 · {text.known(f'input.{role}', role)}", digest)
        for role, digest in sorted(made.inputs.items())
    ]
    rows += [
        (
            f"{text('versions.setting')} · {text.known(f'setting.{key}', key)}",
            "–" if value is None else str(value),
        )
        for key, value in sorted(made.settings.items())
    ]
    return (*rows, (text("versions.seed"), str(made.seed)))
