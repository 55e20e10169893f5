"""spaCy carries the labels: a pipeline for "zh" and "en" whose component writes them on the Doc.

>>> from models.carrier import pipeline
>>> nlp = pipeline("zh")
>>> nlp("这道题怎么做？")._.labels["sihe"].code
'how'

A whole lesson is one Doc whose utterances are spans with their role and labels, read in context:

>>> doc = nlp(lesson("zh", [("teacher", "这个角几度？"), ("student", "六十度。")]))
>>> [(u.text, u._.role, sorted(u._.labels)) for u in doc.spans["utterances"]][1][1]
'student'

The labellers themselves do not need spaCy (docs/decisions/0006-carrier.md says why).
"""

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from models import LABELLERS, load
from observer.discourse import Label
from observer.engines import Labeller
from observer.formats.labels import declared_role
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

LANGUAGES = ("zh", "en")
UTTERANCES = "utterances"
"""Key of a lesson's spans in `doc.spans`."""
_COMPONENT = "classroom_labels"

_built: "dict[tuple[str, str], Language]" = {}
_lock = threading.RLock()


def pipeline(language: str, labeller: str = "trained") -> "Language":
    """The pipeline of "zh" or "en", built once; no spaCy model is needed.

    A Doc gets `doc._.labels`, a mapping from taxonomy to Label: what a teacher's sentence of
    that text is. `labeller` is a name of `models.LABELLERS`. Raises KeyError for another
    language, UnknownEngine for another labeller.
    """
    if language not in LANGUAGES:
        raise KeyError(f"no pipeline for {language!r}; known: {LANGUAGES}")
    import spacy
    from spacy.language import Language

    with _lock:
        if (language, labeller) not in _built:
            _extend()
            if not Language.has_factory(_COMPONENT):
                Language.factory(_COMPONENT, func=_component)
            nlp = spacy.blank(language)
            nlp.add_pipe(_COMPONENT, config={"labeller": labeller})
            _built[language, labeller] = nlp
        return _built[language, labeller]


def lesson(language: str, spoken: Transcript | Iterable[tuple[str, str]]) -> "Doc":
    """A Doc that holds a lesson: pass it to the pipeline of its language.

    `spoken` is a Transcript or (role, text) pairs in the order of speaking; roles as people
    write them ("teacher", "T", "老师", "S", "" for unknown). Its utterances are the spans
    `doc.spans["utterances"]`, with the role as label and the utterance's id as id; after the
    pipeline `span._.labels` maps a taxonomy to a Label. Utterances without text are left out.
    """
    from spacy.tokens import Doc, Span

    nlp = pipeline(language)
    if not isinstance(spoken, Transcript):
        pairs = enumerate(spoken, 1)
        utterances = (Utterance(f"u{i}", text, role=declared_role(r)) for i, (r, text) in pairs)
        spoken = Transcript(language, tuple(utterances))
    told = [u for u in spoken if u.text.strip()]
    parts = [nlp.make_doc(u.text.strip()) for u in told]
    doc = Doc.from_docs(parts, ensure_whitespace=True) or nlp.make_doc("")
    start = 0
    spans = []
    for utterance, part in zip(told, parts, strict=True):
        end = start + len(part)
        spans.append(Span(doc, start, end, label=utterance.role or "", span_id=utterance.id))
        start = end
    doc.spans[UTTERANCES] = spans
    return doc


def _extend() -> None:
    """Tell spaCy of the attributes; again where somebody cleared them."""
    from spacy.tokens import Doc, Span

    if not Doc.has_extension("labels"):
        Doc.set_extension("labels", default=None)
    if not Span.has_extension("labels"):
        Span.set_extension("labels", getter=_labels_of)
        Span.set_extension("role", getter=lambda span: span.label_ or None)


def _labels_of(span: "Span") -> dict[str, Label]:
    found: dict[str, dict[str, Label]] = span.doc.user_data.get(_COMPONENT, {})
    return found.get(span.id_, {})


def _component(
    nlp: "Language",
    name: str,  # noqa: ARG001  spaCy hands it over by this name
    labeller: str,
) -> Callable[["Doc"], "Doc"]:
    """The factory of the pipeline's component."""
    engine: Labeller = load(LABELLERS, labeller)
    language = str(nlp.lang)

    def classroom_labels(doc: "Doc") -> "Doc":
        if UTTERANCES not in doc.spans:
            alone = Transcript(language, (Utterance("u1", doc.text, role=Role.TEACHER),))
            doc._.labels = {label.taxonomy: label for label in engine.label(alone)}
            return doc
        spoken = Transcript(language, tuple(map(_utterance, doc.spans[UTTERANCES])))
        found: dict[str, dict[str, Label]] = {}
        for label in engine.label(spoken):
            found.setdefault(label.utterance, {})[label.taxonomy] = label
        doc.user_data[_COMPONENT] = found
        return doc

    return classroom_labels


def _utterance(span: "Span") -> Utterance:
    return Utterance(span.id_, span.text, role=Role(span.label_) if span.label_ else None)
