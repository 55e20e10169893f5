"""pocketsphinx on the synthetic English lesson: words, times, and the languages it lacks."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from models.asr_pocketsphinx import PocketsphinxTranscriber, fit_words
from observer.errors import EngineError
from observer.media import Audio, decode
from observer.timeline import Span

LESSONS = Path(__file__).parents[2] / "fixtures" / "lessons"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Audio:
    _, audio = decode(LESSONS / "en_fractions.opus", tmp_path_factory.mktemp("sound") / "s16")
    return audio


@pytest.fixture(scope="module")
def spoken() -> list[dict[str, object]]:
    """The teacher's utterances of the first 12 s, from the lesson's truth."""
    truth = json.loads((LESSONS / "en_fractions.json").read_text())
    return [u for u in truth["utterances"] if u["role"] == "teacher" and u["end"] < 12]


def test_most_of_the_teachers_words_are_found_in_their_place(
    lesson: Audio, spoken: list[dict[str, object]]
) -> None:
    speech = [Span(float(u["start"]), float(u["end"])) for u in spoken]  # type: ignore[arg-type]
    found = PocketsphinxTranscriber().transcribe(lesson, speech, "en")
    right = total = 0
    for said, span in zip(spoken, speech, strict=True):
        words = re.findall(r"[a-z']+", str(said["text"]).lower())
        heard = {
            re.sub(r"[^a-z']", "", w.text.lower())
            for u in found
            for w in u.words
            if span.start <= (w.start + w.end) / 2 <= span.end
        }
        right += sum(w in heard for w in words)
        total += len(words)
    assert right / total > 0.6, (right, total)
    confidences = [w.confidence for u in found for w in u.words]
    assert all(c is not None and 0 <= c <= 1 for c in confidences)
    assert min(c for c in confidences if c is not None) < 0.9


def test_other_languages_are_refused_with_a_way_out() -> None:
    with pytest.raises(EngineError) as error:
        PocketsphinxTranscriber().transcribe(Audio.of(np.zeros(16000)), [], "zh")
    assert "--transcript" in error.value.en
    assert "--transcript" in error.value.zh


def test_it_says_that_its_words_are_unreliable() -> None:
    assert PocketsphinxTranscriber.low_accuracy


def test_a_wrong_guess_puts_no_swear_word_into_a_childs_mouth() -> None:
    """The vocabulary holds none; words that only begin alike, and words of biology, stay."""
    entries = [
        "bloody B L AH D IY",
        "shitty SH IH T IY",
        "hello HH AH L OW",
        "sexual S EH K",
        "assess AH S EH S",
    ]
    assert [e.split()[0] for e in fit_words(entries)] == ["hello", "sexual", "assess"]
