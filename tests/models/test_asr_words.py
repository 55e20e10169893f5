"""Batched word times are those of openai-whisper's own one-window function."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from whisper.decoding import DecodingOptions, decode
from whisper.model import ModelDimensions, Whisper
from whisper.timing import dtw_cpu, find_alignment, median_filter

from models.whisper_decoder import EncodedSound, Past, TextDecoder
from models.whisper_torch import encode, tokenizer_for
from models.whisper_words import align_words, median_of_seven, warp


def random_whisper(layers: int = 2, state: int = 16, heads: int = 4) -> Whisper:
    """Whisper's architecture with small random weights: nothing scripted, nothing learnt."""
    torch.manual_seed(7)
    dims = ModelDimensions(80, 1500, state, heads, 1, 51865, 64, state, heads, layers)
    model = Whisper(dims).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model


@pytest.fixture(scope="module")
def model() -> Whisper:
    return random_whisper()


TEXTS = {
    "zh": ["同学们好，今天我们学习fraction。", "谁来说一说？", "", "对，三分之一等于几？"],
    "en": ["Good morning, everyone.", "What is one half?", "", "Twenty-five, or 3.5?"],
}


@pytest.mark.parametrize(("language", "heads"), [("zh", "upper half"), ("en", "chosen")])
def test_times_and_probabilities_equal_find_alignment(
    model: Whisper, language: str, heads: str
) -> None:
    mask = torch.zeros(2, 4, dtype=torch.bool)
    mask[1] = True
    if heads == "chosen":
        mask[:] = False
        mask[0, 2] = mask[1, 0] = mask[1, 3] = True
    model.register_buffer("alignment_heads", mask.to_sparse(), persistent=False)
    tokenizer = tokenizer_for(model, language)
    texts = [tokenizer.encode(text) for text in TEXTS[language]]
    seconds = [9.3, 4.0, 5.0, 24.99]
    mels = torch.randn(4, 80, 3000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = model.encoder(mels)
    sound = EncodedSound(TextDecoder(model, bf16=False), features)
    together = align_words(tokenizer, texts, sound, seconds)
    assert together[2] == []
    for mel, text, length, words in zip(mels, texts, seconds, together, strict=True):
        alone = find_alignment(model, tokenizer, text, mel, round(length * 100))
        assert [w.text for w in words] == [w.word for w in alone]
        assert [(w.start, w.end) for w in words] == [(w.start, w.end) for w in alone]
        assert [w.probability for w in words] == pytest.approx([w.probability for w in alone])


def test_warping_together_equals_warping_alone() -> None:
    random = np.random.default_rng(0)
    # a column of equal costs and small integers make ties: they must fall the same way
    costs = [
        random.normal(size=(7, 40)),
        np.zeros((5, 9)),
        random.integers(0, 3, size=(12, 30)).astype(float),
        random.normal(size=(6, 3)),
        random.normal(size=(1, 20)),
    ]
    for cost, (rows, columns) in zip(costs, warp(costs), strict=True):
        expected = dtw_cpu(cost)
        np.testing.assert_array_equal(rows, expected[0])
        np.testing.assert_array_equal(columns, expected[1])


@pytest.mark.parametrize("frames", [3, 4, 50])
def test_running_median_equals_whispers(frames: int) -> None:
    x = torch.rand(2, 5, frames, generator=torch.Generator().manual_seed(2))
    assert torch.equal(median_of_seven(x), median_filter(x, 7))


def test_bfloat16_encoder_says_nearly_the_same(model: Whisper) -> None:
    wave = np.random.default_rng(3).normal(scale=0.1, size=16000 * 4).astype(np.float32)
    exact = encode(model, [wave], bf16=False)
    quick = encode(model, [wave], bf16=True)
    assert quick.dtype == exact.dtype == torch.float32
    likeness = torch.nn.functional.cosine_similarity(exact.flatten(), quick.flatten(), dim=0)
    assert likeness > 0.999


def test_every_published_model_has_its_alignment_heads() -> None:
    from models.whisper_weights import alignment_heads

    turbo = SimpleNamespace(n_vocab=51866, n_mels=128, n_text_layer=4, n_text_head=20)
    tiny_en = SimpleNamespace(n_vocab=51864, n_mels=80, n_text_layer=4, n_text_head=6)
    own = SimpleNamespace(n_vocab=51865, n_mels=80, n_text_layer=2, n_text_head=4)
    import whisper

    assert alignment_heads(turbo) == whisper._ALIGNMENT_HEADS["large-v3-turbo"]
    assert alignment_heads(tiny_en) == whisper._ALIGNMENT_HEADS["tiny.en"]
    assert alignment_heads(own) is None
    old = SimpleNamespace(n_vocab=51865, n_mels=80, n_text_layer=32, n_text_head=20)
    assert alignment_heads(old, "large-v1") == whisper._ALIGNMENT_HEADS["large-v1"]
    assert alignment_heads(old, "large-v2") == whisper._ALIGNMENT_HEADS["large-v2"]


@pytest.mark.parametrize("prompt", [None, "以下是普通话的句子。"])
@pytest.mark.parametrize(("beam", "temperature"), [(None, 0.0), (None, 0.7), (2, 0.0)])
def test_decoding_is_whispers_own(
    model: Whisper, prompt: str | None, beam: int | None, temperature: float
) -> None:
    # the same rules choose among logits that are equal but for rounding; tokens are drawn from
    # the same seed, and the weights are random, so any difference in a step would show
    options = DecodingOptions(
        language="zh",
        prompt=prompt,
        beam_size=beam,
        temperature=temperature,
        without_timestamps=True,
        sample_len=5,
        fp16=False,
    )
    features = 4 * torch.randn(2, 1500, 16, generator=torch.Generator().manual_seed(4))
    sound = EncodedSound(TextDecoder(model, bf16=False), features)
    torch.manual_seed(5)
    ours = sound.decoder.decode(sound, options)
    torch.manual_seed(5)
    if beam:  # openai-whisper decodes beams of one window only
        theirs = [decode(model, one[None], options)[0] for one in features]
    else:
        theirs = decode(model, features, options)
    assert [r.tokens for r in ours] == [r.tokens for r in theirs]
    assert len({tuple(r.tokens) for r in ours}) > 1
    for mine, yours in zip(ours, theirs, strict=True):
        assert mine.avg_logprob == pytest.approx(yours.avg_logprob, abs=1e-4)
        assert mine.no_speech_prob == pytest.approx(yours.no_speech_prob, rel=1e-4)


def test_past_keys_grow_and_follow_their_beams() -> None:
    # 70 tokens do not fit the first 64 + 1: what was kept must move with the rest
    past, alone = Past(), torch.arange(2 * 70.0).reshape(2, 1, 70, 1)
    for at in range(70):
        new = alone[:, :, at : at + 1]
        keys, values = past.extended(0, (new, -new))
        past.length += 1
    assert torch.equal(keys, alone)
    assert torch.equal(values, -alone)
    past.reorder([1, 1])
    keys, _ = past.extended(0, (new, new))
    assert torch.equal(keys[:, :, :70], alone[[1, 1]])


def test_chosen_windows_keep_what_was_computed(model: Whisper) -> None:
    features = torch.randn(3, 1500, 16, generator=torch.Generator().manual_seed(6))
    sound = EncodedSound(TextDecoder(model, bf16=False), features)
    whole = sound.cross
    some = sound[[2, 0]]
    assert torch.equal(some.features, features[[2, 0]])
    for (keys, values), (all_keys, all_values) in zip(some.cross, whole, strict=True):
        assert torch.equal(keys, all_keys[[2, 0]])
        assert torch.equal(values, all_values[[2, 0]])
    assert sound[[0, 1, 2]] is sound


def test_bfloat16_decoder_says_nearly_the_same(model: Whisper) -> None:
    features = torch.randn(2, 1500, 16, generator=torch.Generator().manual_seed(8))
    tokens = torch.tensor([[50258, 50260, 50359, 50363, 100, 200]] * 2)
    said = []
    for bf16 in (False, True):
        decoder = TextDecoder(model, bf16=bf16)
        with torch.no_grad():
            said.append(decoder.logits(decoder.states(tokens, EncodedSound(decoder, features))))
    exact, quick = said
    assert quick.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(exact, quick, dim=-1).min() > 0.999
