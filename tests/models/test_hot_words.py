"""Hot words: from a file, from the command line, from the lesson's title; as many as fit."""

from pathlib import Path

import pytest

from api.compose import TAKES_HOT_WORDS, EngineNames, build
from models.hot_words import MOST_CHARACTERS, fitting, read_hot_words, title_words
from models.whisper_decoding import prompt_for
from observer.errors import UsageError


def test_a_list_and_a_file(tmp_path: Path) -> None:
    assert read_hot_words("分子，分母、numerator, denominator") == (
        *("分子", "分母", "numerator", "denominator"),
    )
    glossary = tmp_path / "words.txt"
    glossary.write_bytes("\ufeff分子\r\n分母, 通分  # 三年级\n\n# remark\n分子\n".encode())
    assert read_hot_words(str(glossary)) == ("分子", "分母", "通分")
    glossary.write_bytes("分子".encode("utf-16"))
    with pytest.raises(UsageError, match="UTF-8"):
        read_hot_words(str(glossary))


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("三年级数学-认识分数-公开课", ("认识分数",)),
        ("20260312_第三课 乌鸦喝水 课堂实录", ("乌鸦喝水",)),
        ("王老师_二元一次方程组", ("二元一次方程组",)),
        ("Fractions and decimals lesson 3", ("Fractions", "decimals")),
        ("IMG_2031", ()),
        ("录音 (3)", ()),
        ("GMT20240312-080000_Recording", ()),
    ],
)
def test_a_title_gives_its_content_and_no_names_of_devices(
    title: str, words: tuple[str, ...]
) -> None:
    assert title_words(title) == words


def test_no_more_than_a_prompt_carries() -> None:
    many = [f"生词{n:03d}" for n in range(100)]
    kept = fitting(many)
    assert kept == tuple(many[: len(kept)])
    assert len("、".join(kept)) <= MOST_CHARACTERS
    prompt = prompt_for("zh", many)
    assert prompt is not None
    assert prompt.startswith("以下是普通话的句子。生词000、")
    assert prompt.endswith(f"{kept[-1]}。")


@pytest.mark.parametrize("asr", ["whisper", "faster-whisper", "funasr", "sherpa-onnx"])
def test_engines_get_what_they_can_use(asr: str) -> None:
    """Every engine with weights gets folder, device and threads; hot words where there are any."""
    names = EngineNames(asr=asr, device="cpu", threads=2, hot_words=("分子",))
    engines = build(
        names, language="zh", report_language="en", weights=Path("w"), has_transcript=False
    )
    engine = engines.transcriber
    assert engine is not None
    assert (engine.folder, engine.device, engine.threads) == (Path("w"), "cpu", 2)  # type: ignore[attr-defined]
    assert engine.hot_words == (("分子",) if asr in TAKES_HOT_WORDS else ())  # type: ignore[attr-defined]
