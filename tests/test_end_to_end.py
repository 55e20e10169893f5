"""The main job as its user meets it: the program, the fixture lessons, the files it leaves."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).parent.parent
LESSONS = ROOT / "fixtures" / "lessons"
OBSERVER = [sys.executable, "-m", "api.cli"]
OUTPUTS = {
    "report.html",
    "observation.json",
    "transcript.vtt",
    "transcript.csv",
    "indicators.csv",
}


def run(*arguments: object, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*OBSERVER, *(str(a) for a in arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "LANG": "en_US.UTF-8", "LC_ALL": "", **env},
        timeout=300,
    )


def observe(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return run("observe", *arguments, **env)


@pytest.fixture(scope="session")
def mandarin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Mandarin fixture lesson, observed once with its transcript."""
    out = tmp_path_factory.mktemp("mandarin")
    done = observe(
        LESSONS / "zh_triangle.opus", "--transcript", LESSONS / "zh_triangle.srt", "--out", out
    )
    assert done.returncode == 0, done.stderr
    return out / "zh_triangle"


@pytest.fixture(scope="session")
def document(mandarin: Path) -> dict[str, object]:
    return json.loads((mandarin / "observation.json").read_text("utf-8"))


def value(document: dict, name: str) -> dict:
    return next(i for i in document["indicators"] if i["name"] == name)


def test_the_files_of_a_lesson(mandarin: Path) -> None:
    assert {p.name for p in mandarin.iterdir() if not p.name.startswith(".")} == OUTPUTS
    # Children are in the recording: the decoded sound must not outlive the job.
    assert not list(mandarin.rglob("*.s16"))


def test_the_document_follows_the_published_schema(document: dict) -> None:
    schema = json.loads((ROOT / "observer" / "observation.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    for broken in ({**document, "claims": "none"}, {**document, "schema": "other/1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


def test_every_promised_key_and_indicator_is_there(document: dict) -> None:
    for key in (
        "schema recording provenance quality transcript timeline labels exchanges waits "
        "indicators claims".split()
    ):
        assert key in document
    for key in "id start end speaker role text words".split():
        assert key in document["transcript"]["utterances"][0]
    names = {i["name"] for i in document["indicators"]}
    assert names >= set(
        "teacher_share_of_speech teacher_share_of_lesson student_share_of_lesson silence_share "
        "choral_time group_time st_rt st_ch wait_time_1_median wait_time_2_median "
        "questions_total pace_characters_per_minute".split()
    )


def test_the_figures_agree_with_how_the_lesson_was_made(document: dict) -> None:
    """Truth from the lesson's script: see fixtures/lessons/zh_triangle.json."""
    truth = json.loads((LESSONS / "zh_triangle.json").read_text("utf-8"))
    share = value(document, "teacher_share_of_speech")
    assert share["value"] == pytest.approx(truth["totals"]["teacher_share_of_speech"], abs=0.06)
    assert share["low"] < share["value"] < share["high"]
    assert document["recording"]["duration"] == pytest.approx(truth["duration_s"], abs=0.05)
    said = [u["text"] for u in document["transcript"]["utterances"]]
    assert "请看黑板，三角形有几条边，几个角？" in said
    wait = value(document, "wait_time_1_median")
    assert wait["value"] is not None
    assert wait["n"] >= 3


def test_every_figure_rests_on_evidence_that_can_be_played(document: dict) -> None:
    from observer.observation import Observation

    observation = Observation.from_json(json.dumps(document))
    places = observation.places()
    for indicator in observation.indicators:
        assert (indicator.value is None) == (indicator.missing is not None)
        for item in indicator.evidence:
            assert places[item] is not None, f"{indicator.name}: {item} has no place in time"
    assert observation.claims
    for claim in observation.claims:
        assert claim.evidence
        assert all(places[item] is not None for item in claim.evidence)


def test_provenance_names_inputs_and_engines_but_no_paths(document: dict, mandarin: Path) -> None:
    inputs = document["provenance"]["inputs"]
    for kind, name in (("recording", "zh_triangle.opus"), ("transcript", "zh_triangle.srt")):
        assert inputs[kind] == hashlib.sha256((LESSONS / name).read_bytes()).hexdigest()
    assert {e["kind"] for e in document["provenance"]["engines"]} >= {"vad", "diarizer", "roles"}
    for name in OUTPUTS - {"report.html"}:
        assert str(ROOT) not in (mandarin / name).read_text("utf-8-sig")


def test_equal_input_gives_equal_bytes(mandarin: Path, tmp_path: Path) -> None:
    """Into a folder as deep as the first one, so that the page's link to the sound is equal."""
    out = tmp_path_factory_like(mandarin, tmp_path)
    done = observe(
        LESSONS / "zh_triangle.opus", "--transcript", LESSONS / "zh_triangle.srt", "--out", out
    )
    assert done.returncode == 0, done.stderr
    for name in OUTPUTS:
        assert (out / "zh_triangle" / name).read_bytes() == (mandarin / name).read_bytes(), name


def tmp_path_factory_like(first: Path, base: Path) -> Path:
    """A new folder beside the one that `first` was made in."""
    out = first.parent.parent / f"again-{base.name}"
    out.mkdir()
    return out


def test_a_second_run_takes_the_finished_stages(mandarin: Path, tmp_path: Path) -> None:
    """Only the report's language changes: no stage of the sound is done again."""
    out = tmp_path / "copy"
    shutil.copytree(mandarin.parent, out)
    stages = out / "zh_triangle" / ".stages"
    before = {p.name: p.stat().st_mtime_ns for p in stages.iterdir()}
    assert {"decode.json", "speech.json", "speakers.json", "roles.json"} <= set(before)
    done = observe(
        LESSONS / "zh_triangle.opus",
        *("--transcript", LESSONS / "zh_triangle.srt", "--out", out, "--report-language", "en"),
    )
    assert done.returncode == 0, done.stderr
    assert {p.name: p.stat().st_mtime_ns for p in stages.iterdir()} == before
    assert '<html lang="en"' in (out / "zh_triangle" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("polite", [True, False])
def test_a_stopped_job_goes_on(tmp_path: Path, polite: bool) -> None:
    """Ctrl-C or kill -9 after the first stages; the next run keeps them and ends the job."""
    command = [*OBSERVER, "observe", str(LESSONS / "zh_triangle.opus")]
    command += ["--asr", "none", "--out", str(tmp_path)]
    # Whoever starts the tests in the background hands on an ignored Ctrl-C; a handled one is not
    # handed on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    job = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    stages = tmp_path / "zh_triangle" / ".stages"
    deadline = time.monotonic() + 120
    while not (stages / "quality.json").exists():
        assert job.poll() is None, job.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    job.send_signal(signal.SIGINT if polite else signal.SIGKILL)
    stderr = job.communicate(timeout=60)[1]
    if polite:
        assert job.returncode == 130, stderr
        assert not (stages / "audio.s16").exists()
    kept = (stages / "speech.json").stat().st_mtime_ns
    assert not (tmp_path / "zh_triangle" / "report.html").exists()
    done = observe(LESSONS / "zh_triangle.opus", "--asr", "none", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (stages / "speech.json").stat().st_mtime_ns == kept
    assert not list(tmp_path.rglob("*.s16"))
    assert not [p for p in tmp_path.rglob("*") if "tmp" in p.suffix or "partial" in p.name]


def test_english_with_the_embedded_recogniser(tmp_path: Path) -> None:
    done = observe(
        LESSONS / "en_fractions.opus",
        *("--language", "en", "--asr", "auto", "--report-language", "en", "--out", tmp_path),
        OBSERVER_MODELS=str(tmp_path / "no-weights"),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "en_fractions" / "observation.json").read_text("utf-8"))
    engines = {e["kind"]: e for e in document["provenance"]["engines"]}
    assert engines["transcriber"]["name"] == "pocketsphinx"
    assert engines["transcriber"]["reason"]
    words = [w["text"] for u in document["transcript"]["utterances"] for w in u["words"]]
    assert len(words) > 100
    # The recogniser's weakness is told to the reader, not hidden.
    assert "low accuracy" in (tmp_path / "en_fractions" / "report.html").read_text("utf-8").lower()


def test_a_video_and_an_embedded_sound(tmp_path: Path) -> None:
    video = next(LESSONS.glob("*.mp4"))
    done = observe(video, "--asr", "none", "--embed-audio", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / video.stem / "report.html").read_text("utf-8")
    assert "data:audio/ogg;base64," in page


def test_a_transcript_alone(tmp_path: Path) -> None:
    """What needs no sound is computed; the rest says why it is missing."""
    done = observe(LESSONS / "zh_triangle.txt", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "zh_triangle" / "observation.json").read_text("utf-8"))
    assert document["recording"] is None
    assert value(document, "questions_total")["value"] > 5
    silence = value(document, "silence_share")
    assert silence["value"] is None
    assert silence["missing"]["zh"]


def test_an_untimed_transcript_gets_times_from_the_sound(tmp_path: Path) -> None:
    done = observe(
        LESSONS / "zh_triangle.opus",
        *("--transcript", LESSONS / "zh_triangle.txt", "--out", tmp_path),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "zh_triangle" / "observation.json").read_text("utf-8"))
    said = {u["text"]: u for u in document["transcript"]["utterances"]}
    question = said["请看黑板，三角形有几条边，几个角？"]  # truth: 9.734 .. 14.689
    assert question["approximate"]
    assert question["start"] == pytest.approx(9.734, abs=1.0)


BAD = {
    "missing.mp4": (None, 3, "there is no file"),
    "empty.mp3": (b"", 3, "empty"),
    "text.mp4": (b"This is not a video.\n" * 50, 3, "not a"),
    "broken.srt": (b"1\n00:00:01,000 --> 00:00:99\nhello\n", 4, "line"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_an_ordinary_day(tmp_path: Path, name: str) -> None:
    content, code, expected = BAD[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = observe(tmp_path / name, "--asr", "none", "--out", tmp_path / "out")
    assert done.returncode == code, done.stderr
    assert expected in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").rglob("report.html"))


def test_one_bad_lesson_does_not_stop_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "lessons"
    folder.mkdir()
    (folder / "a_broken.mp4").write_bytes(b"nothing")
    shutil.copy(next(LESSONS.glob("*.mp4")), folder / "b_good.mp4")
    done = observe(folder, "--asr", "none", "--out", tmp_path / "out")
    assert done.returncode == 3
    assert "1 of 2" in done.stderr
    assert (tmp_path / "out" / "b_good" / "report.html").exists()


def test_two_lessons_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for number, text in enumerate(("师：你们好吗？\n生：好！\n", "师：一加一等于几？\n生：二。\n")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "lesson.txt").write_text(text, "utf-8")
    done = observe(*(tmp_path / n / "lesson.txt" for n in "01"), "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = {
        folder.name: (folder / "transcript.csv").read_text("utf-8-sig")
        for folder in (tmp_path / "out").iterdir()
    }
    assert "你们好吗" in found["lesson"]
    assert "一加一" in found["lesson-2"]


@pytest.mark.parametrize("arguments", [("nothing.mp4", "--asr", "best"), ("x.wav", "--track", "x")])
def test_wrong_settings_are_told_before_any_work(tmp_path: Path, arguments: tuple) -> None:
    done = observe(*arguments, "--out", tmp_path)
    assert done.returncode in (2, 5)
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_tables_open_in_a_spreadsheet(mandarin: Path) -> None:
    """A byte order mark, so that Excel reads the Chinese; no cell that would run as a formula."""
    for name in ("indicators.csv", "transcript.csv"):
        data = (mandarin / name).read_bytes()
        assert data.startswith(b"\xef\xbb\xbf")
        for row in csv.reader(data.decode("utf-8-sig").splitlines()):
            assert not [c for c in row if c.startswith(("=", "+", "@"))]


def test_messages_speak_the_users_language(tmp_path: Path) -> None:
    chinese = observe(tmp_path / "no.mp4", "--report-language", "zh", "--out", tmp_path)
    english = observe(tmp_path / "no.mp4", "--report-language", "en", "--out", tmp_path)
    assert "文件" in chinese.stderr
    assert "file" in english.stderr
