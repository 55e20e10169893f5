"""How many windows fit into a GPU's memory: the formula by hand. No GPU is asked."""

from types import SimpleNamespace

import pytest

from models.devices import MOST_WINDOWS, WhisperSizes, batch_for, chosen_device, window_bytes
from observer.errors import EngineError

GIB = 2**30


def sizes(state: int, text_layers: int, vocabulary: int) -> WhisperSizes:
    return SimpleNamespace(
        n_vocab=vocabulary, n_audio_ctx=1500, n_audio_state=state,
        n_text_ctx=448, n_text_state=state, n_text_layer=text_layers,
    )  # fmt: skip


TINY, TURBO, LARGE = sizes(384, 4, 51865), sizes(1280, 4, 51866), sizes(1280, 32, 51866)


def test_bytes_of_a_window_by_hand() -> None:
    # tiny     sound  1500·384·2 = 1 152 000, encoding 12 · that = 13 824 000
    #          cache  4·2·(448+1500)·384·2 = 11 968 512, logits (224+3)·51865·6 = 70 640 130
    assert window_bytes(TINY) == 1_152_000 + 11_968_512 + 70_640_130
    # turbo    sound  3 840 000, cache 4·2·1948·1280·2 = 39 895 040, logits 227·51866·6
    assert window_bytes(TURBO) == 3_840_000 + 39_895_040 + 70_641_492
    # large-v3 has eight times the layers, so eight times the cache
    assert window_bytes(LARGE) == 3_840_000 + 8 * 39_895_040 + 70_641_492


def test_encoding_counts_where_it_is_the_larger() -> None:
    # no decoder and a vocabulary of 100: logits (224+3)·100·6 = 136 200, encoding 46 080 000
    small = sizes(1280, 0, 100)
    assert window_bytes(small) == 3_840_000 + 12 * 3_840_000


@pytest.mark.parametrize(
    ("free", "dims", "batch"),
    [
        (2 * GIB, TINY, 13),  # (.9·2 147 483 648 − 805 306 368) / 83 760 642 = 13.5
        (8 * GIB, LARGE, 17),  # (.9·8 589 934 592 − 805 306 368) / 393 641 812 = 17.6
        (4 * GIB, TURBO, 26),  # (.9·4 294 967 296 − 805 306 368) / 114 376 532 = 26.8
        (70 * GIB, TURBO, MOST_WINDOWS),
        (GIB // 2, LARGE, 1),  # less than the alignment takes: one window is tried
        (0, TINY, 1),
    ],
)
def test_windows_that_fit(free: int, dims: WhisperSizes, batch: int) -> None:
    assert batch_for(free, window_bytes(dims)) == batch


def test_a_device_is_taken_as_asked_if_it_is_there() -> None:
    assert chosen_device("auto", "torch", gpu=False) == "cpu"
    assert chosen_device("auto", "torch", gpu=True) == "cuda"
    assert chosen_device("cuda:1", "torch", gpu=True) == "cuda:1"
    with pytest.raises(EngineError, match="torch finds no GPU"):
        chosen_device("cuda", "torch", gpu=False)
