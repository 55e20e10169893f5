"""What labels say of single sentences: those of each move and act, and those left unclear."""

from dataclasses import dataclass

from api.render.evidence import Evidence, Proof
from api.render.texts import Texts
from observer.indicators.reading import TEACHER_SOURCE, TRANSFERRED
from observer.observation import Observation
from observer.taxonomies import INSTRUCTION, STUDENT_MOVE, TAXONOMIES, TEACHER_MOVE, Taxonomy


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence with what it was read as, in words."""

    proof: Proof
    text: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The sentences of one code."""

    name: str
    definition: str
    rows: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Readings:
    """The lists of the page that stand beside the figures of talk moves."""

    teacher_moves: tuple[Group, ...]
    student_moves: tuple[Group, ...]
    instruction: tuple[Group, ...]
    unclear: tuple[Sentence, ...]
    transferred: bool
    """Whether labels come from a model that was not validated in the lesson's language."""
    corrected: bool
    """Whether any count was corrected for known confusions."""


def readings(observation: Observation, evidence: Evidence, text: Texts) -> Readings:
    """Every list, in the order of the lesson; empty where nothing of the kind was read."""
    return Readings(
        _groups(observation, TEACHER_MOVE, evidence, text),
        _groups(observation, STUDENT_MOVE, evidence, text),
        _groups(observation, INSTRUCTION, evidence, text),
        _unclear(observation, evidence, text),
        any(x.source.endswith(TRANSFERRED) for x in observation.labels),
        any(i.uncorrected is not None for i in observation.indicators),
    )


def _groups(
    observation: Observation, taxonomy: Taxonomy, evidence: Evidence, text: Texts
) -> tuple[Group, ...]:
    codes = observation.discourse.codes(taxonomy.name)
    found = []
    for code in taxonomy.codes:
        ids = [u for u, c in codes.items() if c == code.code and u in evidence.utterances]
        if code.code != "none" and ids:
            rows = tuple(_sentence(u, evidence, ()) for u in ids)
            name = text.pick(zh=code.zh, en=code.en)
            found.append(Group(name, text.pick(zh=code.definition_zh, en=code.definition_en), rows))
    return tuple(found)


def _sentence(name: str, evidence: Evidence, tags: tuple[str, ...]) -> Sentence:
    return Sentence(evidence(name), evidence.utterances[name].text, tags)


def _unclear(observation: Observation, evidence: Evidence, text: Texts) -> tuple[Sentence, ...]:
    """Sentences with a label that is too unsure to count, with each best guess."""
    tags: dict[str, list[str]] = {}
    for label in observation.labels:
        if label.unclear and label.source != TEACHER_SOURCE:
            taxonomy = TAXONOMIES[label.taxonomy]
            code = taxonomy[label.code]
            guess = text(
                "unclear.guess",
                taxonomy=text.pick(zh=taxonomy.zh, en=taxonomy.en),
                code=text.pick(zh=code.zh, en=code.en),
                share=text.percent(label.probability),
            )
            tags.setdefault(label.utterance, []).append(guess)
    order = [u.id for u in observation.transcript if u.id in tags]
    return tuple(_sentence(u, evidence, tuple(tags[u])) for u in order)
