"""Starts of sentences in the fixture lessons, against their truth, for four kinds of transcript.

    python benchmarks/sentences.py

The printed lesson record (.txt, whole turns, no times); the same with true turn times; with the
turns' starts cut to whole seconds; with true turn times and no recording. Voice activity and
roles come from the engines, as in `observer observe`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import models
from observer import formats
from observer.formats import ImportedTranscript
from observer.joining import declared_on, merge_witnesses
from observer.media import decode
from observer.segmentation import in_sentences
from observer.sentences import sentences
from observer.timeline import Role, RoleSpan, Span, of_role, total
from observer.transcript import Transcript

LESSONS = Path(__file__).parent.parent / "fixtures" / "lessons"


def heard(lesson: str) -> tuple[list[Span], list[RoleSpan]]:
    """Voice activity and roles that the engines find."""
    with tempfile.TemporaryDirectory() as folder:
        _, audio = decode(LESSONS / f"{lesson}.opus", Path(folder) / "audio.s16")
        speech = models.load(models.VADS, "silero").speech(audio)
        speakers = models.load(models.DIARIZERS, "ge2e").diarize(audio, speech)
        return speech, models.load(models.ROLES, "acoustic").assign(audio, speech, speakers)


def truth(document: dict, language: str) -> Iterator[tuple[float | None, float | None]]:
    """True start and end of every sentence; None where the script does not say it."""
    said: dict[str, list[dict]] = {}
    for segment in document["segments"]:
        if segment["utterance"]:
            said.setdefault(segment["utterance"], []).append(segment)
    for voices in (said[key] for key in sorted(said)):
        count = len(sentences(voices[0]["text"], language))
        first, last = min(v["start"] for v in voices), max(v["end"] for v in voices)
        phrases = voices[0]["speech"] if count > 1 else []
        for i in range(count):
            known = len(phrases) == count
            start = first if i == 0 else phrases[i][0] if known else None
            end = last if i == count - 1 else phrases[i][1] if known else None
            yield start, end


def timed(record: ImportedTranscript, true: Sequence[tuple]) -> ImportedTranscript:
    """The record with the true times of its turns."""
    place, turns = 0, []
    for turn in record.transcript:
        count = len(sentences(turn.text, record.transcript.language))
        turns.append(replace(turn, start=true[place][0], end=true[place + count - 1][1]))
        place += count
    return record.with_transcript(record.transcript.with_utterances(turns))


def only_starts(record: ImportedTranscript) -> ImportedTranscript:
    """As a meeting program writes it: starts in whole seconds, no ends."""
    lines = [
        f"[{int(u.start) // 60:02d}:{int(u.start) % 60:02d}] "
        f"{'师' if u.role is Role.TEACHER else '生'}：{u.text}"
        for u in record.transcript
    ]
    return formats.read_text("\n".join(lines), language=record.transcript.language)


def report(name: str, found: Transcript, true: Sequence[tuple]) -> None:
    errors = [
        abs(u.start - start)
        for u, (start, _) in zip(found, true, strict=True)
        if start is not None and u.approximate
    ]
    print(
        f"  {name:28s} {len(errors):3d} starts: median {np.median(errors):.3f} s, "
        f"p90 {np.quantile(errors, 0.9):.3f} s, largest {max(errors):.2f} s"
    )


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for lesson in ("zh_triangle", "en_fractions"):
        document = json.loads((LESSONS / f"{lesson}.json").read_text("utf-8"))
        record = formats.read(LESSONS / f"{lesson}.txt")
        true = list(truth(document, record.transcript.language))
        speech, roles = heard(lesson)
        print(f"{lesson}: {len(record.transcript)} turns, {len(true)} sentences")
        for name, given in (
            ("no times", record),
            ("starts in whole seconds", only_starts(timed(record, true))),
            ("true turn times", timed(record, true)),
        ):
            cut = in_sentences(given, speech, roles)
            report(name, merge_witnesses(cut, roles, speech), true)
        report("true turn times, no sound", in_sentences(timed(record, true)).transcript, true)
        for ending in ("srt", "txt"):
            cut = in_sentences(formats.read(LESSONS / f"{lesson}.{ending}"), speech, roles)
            laid = declared_on(roles, merge_witnesses(cut, roles, speech))
            choral = total(of_role(laid, Role.CHORAL))
            print(f"  choral by .{ending}: {choral:.2f} s, truth {document['totals']['choral_s']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
