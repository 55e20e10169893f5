"""From a tiny corpus and a tiny random encoder to weights that the reader reads."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from torch import nn

from models.datasets.talkmoves import MovesLesson, MovesSentence
from models.moves.calibration import (
    Scored,
    calibration_error,
    confusion,
    cross_fitted,
    figures,
    temperature,
)
from models.moves.examples import NO_LABEL, TEACHER_CODES, Guise, Vocabulary, draw, of_one_length
from models.moves.export import export
from models.moves.inference import InferenceNetwork
from models.moves.network import build, encoder_folder
from models.moves.pairs import PieceTable
from models.moves.runtime import MovesReader, feed, softmax
from models.moves.training import RECIPE, Recipe, train, train_stages
from observer.errors import MissingWeights
from observer.timeline import Role

SHORT = Recipe(epochs=2, room=800, averaged=0.5, snapshots=3)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BERT with two layers of width 16, random weights, and a tokenizer of letters."""
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    letters = "abcdefghijklmnopqrstuvwxyz?.:'"
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{x}" for x in letters)]
    made = Tokenizer(WordPiece({n: i for i, n in enumerate(names)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = BertNormalizer(lowercase=True), BertPreTokenizer()
    made.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(names),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def lessons() -> tuple[MovesLesson, ...]:
    """A teacher who asks why and a student who says because."""
    asked = MovesSentence("Why is that?", Role.TEACHER, "press_reasoning", None)
    told = MovesSentence("Because it fits.", Role.STUDENT, None, "evidence")
    plain = MovesSentence("Sit down now.", Role.TEACHER, "none", None)
    strange = MovesSentence("Noise.", None, None, None)
    return tuple(MovesLesson(str(k), (asked, told, plain, strange) * 4) for k in range(4))


def test_an_epoch_shows_every_move_and_a_share_of_none(encoder: Path) -> None:
    """4 lessons of 4 presses, 4 answers, 4 plain: 32 moves always, plain ones weighted 1 / .5."""
    guise = Guise(none_kept=0.5, roleless=0.0)
    table = PieceTable(encoder / "tokenizer.json")
    shown = draw(lessons(), table, Vocabulary(lessons()), guise, (0, 0))
    press, plain = TEACHER_CODES.index("press_reasoning"), TEACHER_CODES.index("none")
    assert int((shown.teacher == press).sum()) == int((shown.student != NO_LABEL).sum()) == 16
    assert 0 < int((shown.teacher == plain).sum()) < 16
    assert set(shown.teacher_weight[shown.teacher == plain]) == {2.0}
    again = draw(lessons(), table, Vocabulary(lessons()), guise, (0, 0))
    assert again.pairs == shown.pairs
    assert (again.dense == shown.dense).all()


def test_without_roles_only_the_question_is_learnt(encoder: Path) -> None:
    table = PieceTable(encoder / "tokenizer.json")
    shown = draw(lessons(), table, Vocabulary(lessons()), Guise(roleless=1.0), (0, 0))
    assert (shown.teacher == NO_LABEL).all()
    assert (shown.student == NO_LABEL).all()
    assert shown.asks.any()


class Interrupted(Exception):
    """Raised from the progress listener, as a person's cancel is."""


def test_an_interrupted_training_goes_on_to_the_same_weights(encoder: Path, tmp_path: Path) -> None:
    whole = train(tmp_path, tmp_path / "a", recipe=SHORT, encoder=encoder, lessons=lessons())

    def stop(share: float) -> None:
        if share > 0.5:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(
            tmp_path, tmp_path / "b", recipe=SHORT, encoder=encoder, lessons=lessons(),
            save_every=-1.0, on_progress=stop,
        )  # fmt: skip
    parts = train(tmp_path, tmp_path / "b", recipe=SHORT, encoder=encoder, lessons=lessons())
    one, other = (torch.load(f, weights_only=True) for f in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_second_stage_begins_with_the_weights_of_the_first(encoder: Path, tmp_path: Path) -> None:
    """With a rate of nought nothing moves: what comes out is what went in."""
    still = replace(SHORT, rate=0.0, head_rate=0.0, weight_decay=0.0)
    settings: dict[str, Any] = {"encoder": encoder, "lessons": lessons()}
    first = train(tmp_path, tmp_path / "a", recipe=SHORT, **settings)
    second = train(tmp_path, tmp_path / "b", recipe=still, first=first, **settings)
    one, other = (torch.load(f, weights_only=True) for f in (first, second))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_stages_follow_each_other(encoder: Path, tmp_path: Path) -> None:
    """Two stages leave what the second leaves when it begins with the first's weights; a stage
    that is done is not done again."""
    settings: dict[str, Any] = {"encoder": encoder, "lessons": lessons()}
    stages = (SHORT, replace(SHORT, seed=2, rate=1e-4))
    told: list[float] = []
    weights = train_stages(
        tmp_path, tmp_path / "a", stages=stages, on_progress=told.append, **settings
    )
    first = train(tmp_path, tmp_path / "b", recipe=stages[0], **settings)
    second = train(tmp_path, tmp_path / "c", recipe=stages[1], first=first, **settings)
    one, other = (torch.load(f, weights_only=True) for f in (weights, second))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert [r["seed"] for r in json.loads((tmp_path / "a" / RECIPE).read_text())] == [0, 2]
    told.clear()
    train_stages(tmp_path, tmp_path / "a", stages=stages, on_progress=told.append, **settings)
    assert told == []


def test_trained_weights_are_exported_and_read(encoder: Path, tmp_path: Path) -> None:
    weights = train(tmp_path, tmp_path / "run", recipe=SHORT, encoder=encoder, lessons=lessons())
    sums = export(weights, encoder, tmp_path / "out", lessons())
    assert set(sums) == {"model.onnx", "tokenizer.json"}
    heads = dict.fromkeys(("teacher", "student", "question"), 1.0)
    settings = {"version": "t", "temperature": heads}
    (tmp_path / "out" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    reader = MovesReader(tmp_path / "out", threads=1)
    moves, answers, asked = reader.predict(lessons()[0].sentences)
    assert moves.source == "moves-en-t"
    assert np.nansum(moves.probabilities, axis=1)[[0, 2]] == pytest.approx(1, abs=1e-5)
    assert np.isnan(moves.probabilities[1]).all()
    assert np.isnan(answers.probabilities[0]).all()
    assert not np.isnan(asked.probabilities).any(), "a question is read without a role too"


def test_the_network_for_inference_says_the_same(encoder: Path) -> None:
    """Folded scales, a trimmed last layer, sentences of unlike length within pairs of one."""
    table = PieceTable(encoder / "tokenizer.json")
    shown = draw(lessons()[:1], table, Vocabulary(lessons()), Guise(), (0, 0))
    network = build(encoder).eval()
    for k, norm in enumerate(m for m in network.modules() if isinstance(m, nn.LayerNorm)):
        torch.manual_seed(k)  # a fresh encoder has scales of 1 and shifts of 0
        nn.init.normal_(norm.weight, 1, 0.3)
        nn.init.normal_(norm.bias, 0, 0.3)
    reading = InferenceNetwork(network).eval()
    for rows in of_one_length(shown.pairs, 400):
        pairs = [shown.pairs[k] for k in rows]
        given = {k: torch.from_numpy(v) for k, v in feed(pairs, shown.dense[rows]).items()}
        ids, types, features = given["ids"], given["types"], given["dense"]
        with torch.no_grad():
            trained = network(ids, torch.ones_like(ids), types, features)
            read = reading(ids, types, features, given["places"])
        for one, other in zip(trained, read, strict=True):
            assert torch.allclose(one, other, atol=1e-5)


def test_no_encoder_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"observer\[train\]"):
        encoder_folder(tmp_path)


def scored(logits: Sequence[Sequence[float]], truth: Sequence[int]) -> Scored:
    return Scored(
        np.array(logits, np.float32), np.array(truth), np.arange(len(truth), dtype=np.int64)
    )


def test_temperature_brings_the_stated_to_the_observed() -> None:
    """Three of four right, stated e³ / (e³ + 1) = .95: ¾ is stated at 3 / T = ln 3, T = 2.73."""
    part = scored([[3, 0]] * 4, [0, 0, 0, 1])
    assert temperature([part]) == pytest.approx(3 / np.log(3), rel=0.02)
    assert softmax(part.logits, 2.73)[0, 0] == pytest.approx(0.75, abs=0.005)


def test_calibration_error_by_hand() -> None:
    """All stated .75 and ¾ right: 0. All stated .9526 and ¾ right: .2026."""
    part = scored([[3, 0]] * 4, [0, 0, 0, 1])
    assert calibration_error(softmax(part.logits, 3 / np.log(3)), part.truth) < 1e-6
    assert calibration_error(softmax(part.logits, 1.0), part.truth) == pytest.approx(
        0.2026, abs=1e-3
    )


def test_cross_fitting_uses_other_lessons_only() -> None:
    """Ten lessons; the one alone in its fold with a wrong sure answer must not soften itself."""
    logits = [[3.0, 0.0]] * 10
    part = scored(logits, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    fitted = cross_fitted(part)
    assert fitted[0, 0] > fitted[1, 0], "its own error does not count for lesson 0"


def test_figures_by_hand() -> None:
    """Codes none, a, b. a: 3 hit, 1 said wrongly (of none), 2 missed: P 3/4, R 3/5, F1 2/3.
    b: 2 hit, 1 wrong, 0 missed: F1 4/5. Micro: 2·5 / (7 + 7) = 5/7."""
    truth = np.repeat([0, 1, 2], [5, 5, 2]).tolist()
    said = [*(0, 0, 0, 0, 1), *(1, 1, 1, 0, 2), *(2, 2)]
    logits = np.eye(3)[said]
    found = figures(confusion(scored(logits.tolist(), truth)))
    assert found.f1[1:] == pytest.approx((2 / 3, 4 / 5))
    assert found.micro == pytest.approx(5 / 7)
    assert found.mean == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found.bias[1:] == pytest.approx((4 / 5, 3 / 2))
