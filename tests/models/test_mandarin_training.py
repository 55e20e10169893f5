"""The Mandarin recipe from files to weights, on a made-up corpus in the official layout."""

import csv
import gzip
import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from models.datasets import DatasetError
from models.datasets.mandarin import (
    CODES,
    QuestionSentence,
    read_annotations,
    read_dialogid,
    read_questions_zh,
)
from models.mandarin.blending import Held, blend_of, calibration_error, confusion_of
from models.mandarin.encoder import EncoderReader, ShortReader, known_alphabet
from models.mandarin.features import Alphabet, coded, padded
from models.mandarin.runtime import MandarinReader
from models.mandarin.stages import Recipe
from models.mandarin.training import train
from observer.errors import MissingWeights
from observer.timeline import Role
from observer.transcript import Utterance

TINY = Recipe(width=16, dilations=(1, 2), first_epochs=1, epochs=2, room=512)
SHORT = replace(TINY, epochs=1, teacher_epochs=1, student_epochs=1)
THINGS = "苹果 正方形 句子 分数 电流 植物 动词 圆 三角形 河流 质数 课文 角 比例 温度".split()


def sentences() -> list[tuple[str, int, str, str, str, str]]:
    """(text, DialogID's number, form, cog, sihe, open), 12 for each thing."""
    rows = []
    for i, thing in enumerate(THINGS):
        for tail in ("", "啊"):
            rows += [
                (f"{thing}是什么{tail}？", 1, "real", "recall", "what", "0"),
                (f"为什么{thing}会变{tail}？", 1, "real", "reason", "why", "1"),
                (f"{thing}怎么求{tail}？", 5, "real", "reason", "how", "1"),
                (f"{thing}写完了吗{tail}？", 8, "real", "manage", "-", "0"),
                (f"这是{thing}，对不对{tail}？", 0, "tag", "-", "-", "-"),
                (f"我们来看第{i}个{thing}{tail}。", 8, "none", "-", "-", "-"),
            ]
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DialogID and questions_zh below one folder, and labels of the other rows beside them."""
    folder = tmp_path_factory.mktemp("data")
    rows = sentences()
    (folder / "dialogid").mkdir()
    (folder / "questions_zh").mkdir()
    for split, part in (("train", rows), ("dev", rows[:24])):
        with gzip.open(folder / "dialogid" / f"{split}.csv.gz", "wt", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *((r[0], r[1]) for r in part)])
    for split, chosen in (("train", range(12, 90)), ("dev", range(12))):
        lines = [
            json.dumps(
                dict(zip(("text", "form", "cog", "sihe", "open"), (rows[i][0], *rows[i][2:]),
                         strict=True), id=f"tr{i}", part="natural"),
                ensure_ascii=False,
            )
            for i in chosen
        ]  # fmt: skip
        (folder / "questions_zh" / f"{split}.jsonl").write_text("\n".join(lines), "utf-8")
    lines = ["row,form,cog,sihe,open,part,annotator"]
    lines += [",".join((str(i), *rows[i][2:], "natural", "1")) for i in range(90, 150)]
    (folder / "labels.csv").write_text("\n".join(lines), "utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("weights")
    given = QuestionSentence(0, "大家听懂没有呀", "corrected", "tag")
    train(data, out, recipe=TINY, annotations=data / "labels.csv", corrections=[given])
    return out


def test_the_readers_give_codes_and_provenance(data: Path) -> None:
    spoken, origin = read_dialogid(data, "train")
    assert (spoken[0].text, spoken[0].instruction) == ("苹果是什么？", "guidance")  # class 1
    assert [path for path, _ in origin.sha256] == ["dialogid/train.csv.gz"]
    asked, _ = read_questions_zh(data, "dev")
    assert [(q.form, q.demand, q.sihe, q.openness) for q in asked[:4]] == [
        ("real", "recall", "what", "closed"),  # open "0"
        ("real", "reason", "why", "open"),
        ("real", "reason", "how", "open"),
        ("real", "manage", None, "closed"),  # no 四何 for managing
    ]
    ours, origin = read_annotations(data, "train", data / "labels.csv")
    assert ours[0].row == 90
    assert ours[0].text == spoken[90].text
    assert origin.sha256[1][0].endswith("labels.csv")


def test_our_labels_need_the_whole_of_dialogid(data: Path) -> None:
    """Shipped row numbers reach 36,334; a shorter file is not the corpus they were made on."""
    with pytest.raises(DatasetError, match=r"questions_zh\.csv"):
        read_annotations(data, "train")


def test_codes_that_contradict_each_other_are_refused(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("row,form,cog,sihe,open,part,annotator\n3,real,-,-,0,natural,1\n", "utf-8")
    with pytest.raises(DatasetError, match=r"bad\.csv.* 2"):
        read_annotations(data, "train", file)


def test_training_writes_a_folder_that_reads(trained: Path) -> None:
    assert sorted(f.name for f in trained.iterdir()) == [
        "linear.npz", "network.onnx", "settings.json",
    ]  # fmt: skip
    reader = MandarinReader(trained)
    said = ["植物是什么？", "为什么电流会变？", "这是圆，对不对？", "我们来看第3个角。"]
    form, demand, sihe, openness, acts = reader.predict(
        [Utterance(str(i), t, role=Role.TEACHER) for i, t in enumerate(said)]
    )
    assert [p.taxonomy for p in (form, demand, sihe, openness, acts)] == list(CODES)
    codes = [form.codes[k] for k in form.probabilities.argmax(1)]
    assert codes == ["real", "real", "tag", "none"]  # patterns seen in training
    assert sihe.codes[sihe.probabilities[1].argmax()] == "why"
    assert np.allclose(form.probabilities.sum(1), 1, atol=1e-5)


def test_settings_tell_where_the_weights_come_from(trained: Path) -> None:
    settings = json.loads((trained / "settings.json").read_text("utf-8"))
    assert [o["name"] for o in settings["learnt_from"]] == [
        "DialogID", "questions_zh", "models/annotations",
    ]  # fmt: skip
    assert set(settings["sha256"]) == {"network.onnx", "linear.npz"}
    counted = np.array(settings["confusion"]["question_form"]["natural"])
    # 78 + 60 labels: the first of five folds holds 28, read with and without marks. The correction
    # is never held out.
    assert counted.sum() == 56


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of width 16 and two layers that reads single characters."""
    folder = tmp_path_factory.mktemp("encoder")
    characters = sorted({c for row in sentences() for c in row[0]})
    _random_encoder(folder, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters])
    return folder


def _random_encoder(folder: Path, words: list[str]) -> None:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    table = {w: i for i, w in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(table, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=160,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)


@pytest.fixture(scope="module")
def distilled(data: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("distilled")
    train(data, out, recipe=SHORT, annotations=data / "labels.csv", encoder=encoder)
    return out


def test_an_encoder_s_student_ships_in_its_place(distilled: Path, encoder: Path) -> None:
    """Same files, same reader; the settings say which encoder, by the sum of its weights."""
    assert sorted(f.name for f in distilled.iterdir()) == [
        "linear.npz", "network.onnx", "settings.json",
    ]  # fmt: skip
    settings = json.loads((distilled / "settings.json").read_text("utf-8"))
    sealed = sha256((encoder / "model.safetensors").read_bytes()).hexdigest()
    assert settings["encoder"] == f"{encoder.name}, model.safetensors {sealed}"
    said = [Utterance("1", "温度怎么求？"), Utterance("2", "我们来看第3个角。")]
    form = MandarinReader(distilled).predict(said)[0]
    assert np.allclose(form.probabilities.sum(1), 1, atol=1e-5)


def test_a_student_reads_a_sentence_the_same_in_any_company(distilled: Path) -> None:
    """Ranges of the activations are fixed when it is written, not taken from each batch."""
    reader = MandarinReader(distilled)
    said = [f"{thing}{'是' * (k % 7)}什么" for k, thing in enumerate(THINGS * 4)]
    together = reader.probabilities(said)["question_form"]
    alone = np.concatenate([reader.probabilities([t])["question_form"] for t in said])
    assert np.allclose(together, alone, atol=1e-6)


def test_the_same_seed_gives_the_same_student(
    data: Path, encoder: Path, distilled: Path, tmp_path: Path
) -> None:
    train(data, tmp_path, recipe=SHORT, annotations=data / "labels.csv", encoder=encoder)
    for name in ("network.onnx", "linear.npz", "settings.json"):
        assert (tmp_path / name).read_bytes() == (distilled / name).read_bytes()


def test_a_student_of_all_layers_has_the_states_of_its_teacher(encoder: Path) -> None:
    """Opening and end as the encoder of transformers gives them, padding beside or not."""
    import torch

    alphabet = known_alphabet(encoder, Alphabet("是什么"))
    assert alphabet is not None
    teacher = EncoderReader(encoder, alphabet).eval()
    student = ShortReader(teacher, 2).eval()
    table = alphabet.table()
    codes = torch.from_numpy(padded([coded(t, table) for t in ("什么", "苹果是什么？")]))
    with torch.no_grad():
        states, (seen, mask) = teacher(codes)[0], student(codes)
    assert torch.allclose(seen[:, 0], states[:, 0], atol=1e-5)
    ends = torch.stack([states[0, 3], states[1, 7]])  # 2 and 6 characters between two codes
    assert torch.allclose(seen[:, 1], ends, atol=1e-5)
    assert (seen.shape, mask.shape) == ((2, 3, 16), (2, 3, 1))


def test_the_alphabet_of_an_encoder_is_what_it_knows(encoder: Path, tmp_path: Path) -> None:
    """Characters of the corpora first, then those of GB 2312; None where it has no characters."""
    found = known_alphabet(encoder, Alphabet("苹果是什"))
    assert found is not None
    assert found.characters.startswith("苹果是什")
    assert set("三角形？") <= set(found.characters)
    assert len(set(found.characters)) == len(found.characters)
    _random_encoder(tmp_path, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "苹果", "是"])
    assert known_alphabet(tmp_path, Alphabet("苹果是什")) is None  # knows 1 of 4


def test_an_encoder_without_characters_teaches_the_reader_of_characters(
    data: Path, tmp_path: Path
) -> None:
    """Here one that knows whole words only; multilingual ones with byte pairs go this way."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    _random_encoder(folder, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *THINGS])
    out = tmp_path / "out"
    train(data, out, recipe=SHORT, annotations=data / "labels.csv", encoder=folder)
    form = MandarinReader(out).predict([Utterance("1", "温度怎么求？")])[0]
    assert np.isclose(form.probabilities.sum(), 1, atol=1e-5)


def test_an_encoder_without_its_tokenizer_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"tokenizer\.json"):
        train(data, tmp_path, annotations=data / "labels.csv", encoder=tmp_path)


def log_of(*rows: tuple[float, ...]) -> np.ndarray:
    return np.log(np.array(rows, np.float32))


def test_the_blend_takes_the_half_that_knows() -> None:
    """The network is right four times of five, as it says; the linear half says nothing."""
    network = log_of(*[(0.8, 0.2)] * 5)
    held = Held(network, log_of(*[(0.5, 0.5)] * 5), np.array([0, 0, 0, 0, 1]), np.ones(5, bool))
    assert blend_of(held)[0] == pytest.approx(1.0, abs=0.01)  # log-odds ln 4 as observed
    assert calibration_error(held.chances((1.0, 0.0)), held.truth) == pytest.approx(0, abs=1e-6)
    assert confusion_of(held, (1.0, 0.0))["all"] == [[4, 0], [1, 0]]


def test_a_boastful_half_is_cooled() -> None:
    """It claims .99 and is right 3 times of 4: weight ln 3 / ln 99 = 0.239."""
    network = log_of(*[(0.99, 0.01)] * 4)
    held = Held(network, log_of(*[(0.5, 0.5)] * 4), np.array([0, 0, 0, 1]), np.ones(4, bool))
    assert blend_of(held)[0] == pytest.approx(0.239, abs=0.005)
