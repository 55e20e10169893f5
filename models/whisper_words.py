"""Word times from cross-attention, for a whole batch of windows at once.

The method is openai-whisper's `timing.find_alignment` (dynamic time warping over the attention
of the alignment heads), which takes one window at a time and encodes it again. Here the encoder
output and the decoder's projections of it are reused, one decoder pass serves the batch (causal:
padding at the end changes nothing before it), scores are computed for the alignment heads only,
and the warping runs along anti-diagonals, so that numpy does it without numba's compilation. The
times are those of `find_alignment`; a test compares them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from models.whisper_decoder import EncodedSound
from observer.timeline import Seconds

if TYPE_CHECKING:
    import torch
    from whisper.tokenizer import Tokenizer

FRAMES_PER_SECOND: Final = 50
"""Encoder frames (20 ms each)."""

_TOKENS_PER_PASS: Final = 1300
"""Ceiling of windows × tokens in one decoder pass: its attention is 8 MB a head."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word as the tokenizer splits it, with times from the start of its window."""

    text: str
    """With the blank before it, as decoded."""
    start: Seconds
    end: Seconds
    probability: float | None
    """None where the recogniser tells none."""


def align_words(
    tokenizer: "Tokenizer",
    texts: Sequence[Sequence[int]],
    sound: EncodedSound,
    seconds: Sequence[float],
) -> list[list[TimedWord]]:
    """Words with times for each window of `sound`.

    `texts` holds each window's text tokens (no timestamps, no end of text), `seconds` how much of
    each window is sound.
    """
    words: list[list[TimedWord]] = [[] for _ in texts]
    filled = sorted((i for i, t in enumerate(texts) if t), key=lambda i: (len(texts[i]), i))
    for group in _groups(filled, texts):
        frames = [round(seconds[i] * 100) // 2 for i in group]
        chosen = [list(texts[i]) for i in group]
        weights, probabilities = _attend(tokenizer, chosen, sound[group], frames)
        paths = warp([-w for w in weights])
        for i, tokens, path, probability in zip(group, chosen, paths, probabilities, strict=True):
            words[i] = words_on(path, tokenizer, tokens, probability)
    return words


def _groups(order: Sequence[int], texts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Windows of similar length together, few enough that their attention fits."""
    groups: list[list[int]] = []
    for i in order:
        if groups and (len(groups[-1]) + 1) * (len(texts[i]) + 5) <= _TOKENS_PER_PASS:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _attend(
    tokenizer: "Tokenizer",
    texts: Sequence[Sequence[int]],
    sound: EncodedSound,
    frames: Sequence[int],
) -> tuple[list[npt.NDArray[np.float64]], list[list[float]]]:
    """One decoder pass: (tokens, frames) attention and the token probabilities per window."""
    import torch

    decoder, first = sound.decoder, len(tokenizer.sot_sequence)
    rows = [[*tokenizer.sot_sequence, tokenizer.no_timestamps, *t, tokenizer.eot] for t in texts]
    longest = max(map(len, rows))
    padded = torch.tensor([r + [tokenizer.eot] * (longest - len(r)) for r in rows])
    heads: dict[int, list[int]] = {}
    for layer, head in decoder.model.alignment_heads.indices().T.tolist():
        heads.setdefault(layer, []).append(head)
    kept: list[torch.Tensor] = []

    def keep(layer: int, queries: "torch.Tensor", keys: "torch.Tensor") -> None:
        if layer in heads:
            kept.append(_scores(queries[:, heads[layer]], keys[:, heads[layer], : max(frames)]))

    weights, probabilities = [], []
    with torch.no_grad():
        states = decoder.states(padded.to(sound.features.device), sound, watch=keep)
        attention = torch.cat(kept, dim=1)
        for b, text in enumerate(texts):
            weights.append(_mean_weights(attention[b, :, : len(rows[b]), : frames[b]], first))
            said = decoder.logits(states[b, first : first + len(text)], tokenizer.eot)
            chosen = said.log_softmax(dim=-1)[torch.arange(len(text)), list(text)]
            probabilities.append(chosen.exp().tolist())
    return weights, probabilities


def _scores(queries: "torch.Tensor", keys: "torch.Tensor") -> "torch.Tensor":
    """Attention before its softmax, scaled as openai-whisper scales it: (…, tokens, frames)."""
    scale = queries.shape[-1] ** -0.25
    scores: torch.Tensor = (queries * scale) @ (keys * scale).transpose(-1, -2)
    return scores.float()


def _mean_weights(scores: "torch.Tensor", first: int) -> npt.NDArray[np.float64]:
    """(heads, tokens, frames) scores → (text tokens, frames): normalised, filtered, averaged."""
    import torch

    weights = scores.softmax(dim=-1)
    std, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    filtered = median_of_seven((weights - mean) / std)
    matrix: npt.NDArray[np.float64] = filtered.mean(dim=0)[first:-1].double().cpu().numpy()
    return np.nan_to_num(matrix)  # a frame that no token tells apart has std 0


_SORTS: Final = ((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5),
                 (1, 4), (1, 3), (3, 4))  # fmt: skip
"""Exchanges after which the fourth of seven numbers is their median."""


def median_of_seven(x: "torch.Tensor") -> "torch.Tensor":
    """Running median of width 7 over the last axis, ends mirrored; too short input unchanged.

    Seven shifted views go through a network of minima and maxima, which is several times faster
    than sorting every window of seven.
    """
    import torch
    import torch.nn.functional as F  # noqa: N812 (the name every torch program uses)

    if x.shape[-1] <= 3:
        return x
    padded = F.pad(x, (3, 3, 0, 0), mode="reflect")
    seven = list(padded.unfold(-1, x.shape[-1], 1).unbind(-2))
    for low, high in _SORTS:
        a, b = seven[low], seven[high]
        seven[low], seven[high] = torch.minimum(a, b), torch.maximum(a, b)
    return seven[3]


def warp(
    costs: Sequence[npt.NDArray[np.float64]],
) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Dynamic time warping of several (n, m) cost matrices: the (row, column) indices of each.

    Steps and ties as in `whisper.timing.dtw_cpu` (float32 sums, float64 costs); the matrices
    are filled together, one anti-diagonal at a time.
    """
    n, m = max(c.shape[0] for c in costs), max(c.shape[1] for c in costs)
    x = np.full((len(costs), n, m), np.inf)
    for b, cost in enumerate(costs):
        x[b, : cost.shape[0], : cost.shape[1]] = cost
    sums = np.full((len(costs), n + 1, m + 1), np.inf, dtype=np.float32)
    sums[:, 0, 0] = 0
    steps = np.full((len(costs), n + 1, m + 1), 2, dtype=np.int8)
    for diagonal in range(2, n + m + 1):
        i = np.arange(max(1, diagonal - m), min(n, diagonal - 1) + 1)
        j = diagonal - i
        both, down, right = sums[:, i - 1, j - 1], sums[:, i - 1, j], sums[:, i, j - 1]
        step = np.where(
            (both < down) & (both < right), 0, np.where((down < both) & (down < right), 1, 2)
        )
        least = np.where(step == 0, both, np.where(step == 1, down, right))
        sums[:, i, j] = x[:, i - 1, j - 1] + least
        steps[:, i, j] = step
    return [_trace(steps[b], *cost.shape) for b, cost in enumerate(costs)]


def _trace(
    steps: npt.NDArray[np.int8], i: int, j: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    path: list[tuple[int, int]] = []
    while i > 0 or j > 0:
        path.append((i - 1, j - 1))
        step = 2 if i == 0 else 1 if j == 0 else steps[i, j]
        i, j = i - (step != 2), j - (step != 1)
    rows, columns = np.array(path[::-1], dtype=np.intp).T
    return rows, columns


def words_on(
    path: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    tokenizer: "Tokenizer",
    tokens: list[int],
    probabilities: Sequence[float],
) -> list[TimedWord]:
    """Token times (where the path of token and frame numbers enters a row) gathered into words."""
    texts, groups = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    rows, columns = path
    entered = np.concatenate([[True], np.diff(rows).astype(bool)])
    times = columns[entered] / FRAMES_PER_SECOND
    words: list[TimedWord] = []
    at = 0
    for text, group in zip(texts[:-1], groups[:-1], strict=True):
        end = at + len(group)
        mean = float(np.mean(probabilities[at:end]))
        words.append(TimedWord(text, float(times[at]), float(times[end]), mean))
        at = end
    return words
