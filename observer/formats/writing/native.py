"""Our own JSON: the only format that holds everything, word times and confidences, too."""

import json

from observer.formats.cues import SCHEMA
from observer.formats.writing.fields import SURROGATES, Label
from observer.transcript import Transcript, Utterance


def to_json(transcript: Transcript, _label: Label) -> str:
    """JSON with everything: ids, times, roles, words and confidences."""
    body = {
        "schema": SCHEMA,
        "language": transcript.language,
        "source": transcript.source,
        "utterances": [_fields(u) for u in transcript],
    }
    text = json.dumps(body, ensure_ascii=False, indent=1) + "\n"
    return SURROGATES.sub("\ufffd", text)


def _fields(u: Utterance) -> dict[str, object]:
    return {
        "id": u.id,
        "start": u.start,
        "end": u.end,
        "speaker": u.speaker,
        "role": None if u.role is None else u.role.value,
        "role_probability": u.role_probability,
        "approximate": u.approximate,
        "text": u.text,
        "words": [
            {"text": w.text, "start": w.start, "end": w.end, "confidence": w.confidence}
            for w in u.words
        ],
    }
