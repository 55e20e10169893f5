"""Recognition side by side on true-size random weights: ours, openai-whisper, faster-whisper.

python benchmarks/recognition.py [--model tiny|base] [--windows 16] [--tokens 64]

Every system hears the same noise, cut into windows of 24.8 s, and must write the same number of
tokens for each (the end of text is suppressed and the length fixed: random weights would
otherwise loop or stop where they like). CPU seconds on one thread; the systems take turns, so
that a busy machine is busy for all, and each has its best of `--rounds`. With a GPU,
benchmarks/end_to_end.py follows: large-v3-turbo from file to report. `--device cpu --size tiny
--minutes 2` runs that alone, on a CPU.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")  # openai-whisper's warping waits in busy threads

import numpy as np

from models.asr_faster_whisper import FasterWhisperTranscriber
from models.asr_whisper import WhisperTranscriber
from models.whisper_conversion import convert, vocabulary
from observer.media import Audio
from observer.timeline import Span

SECONDS = 24.8
DIMS = {
    "tiny": (80, 1500, 384, 6, 4, 51865, 448, 384, 6, 4),
    "base": (80, 1500, 512, 8, 6, 51865, 448, 512, 8, 6),
    "large-v3-turbo": (128, 1500, 1280, 20, 32, 51866, 448, 1280, 20, 4),
}
BARS = {
    "transcribe": 1.5,
    "transcribe with word times": 4.0,
    "faster-whisper int8": 0.9,
    "faster-whisper int8, batched": 0.9,
}
"""Ratios of the peer's seconds to ours that must hold."""

END_OF_TEXT = 50257

Run = Callable[[], object]


def random_checkpoint(path: Path, model: str) -> Path:
    """A checkpoint of the true architecture with random weights."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(0)
    dims = ModelDimensions(*DIMS[model])
    whisper = Whisper(dims)
    for parameter in whisper.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    state = {k: v.half() for k, v in whisper.state_dict().items()}
    torch.save({"dims": dims.__dict__, "model_state_dict": state}, path)
    return path


def sound(windows: int) -> tuple[Audio, list[Span]]:
    """Noise, and speech spans that become one window of 24.8 s each."""
    wave = np.random.default_rng(0).normal(scale=0.05, size=int(30 * windows * Audio.RATE))
    return Audio.of(wave), [Span(30.0 * i + 1, 30.0 * i + 1 + SECONDS) for i in range(windows)]


class Written:
    """Tokens that were written, counted where each library writes them."""

    count = 0


def fix_length(tokens: int) -> None:
    """Both libraries write `tokens` tokens a window, once, whatever the weights say."""
    import ctranslate2
    import faster_whisper.transcribe
    import whisper.decoding
    import whisper.transcribe

    from models import whisper_decoding

    make = whisper.decoding.DecodingOptions.__init__
    fixed = {"sample_len": tokens, "suppress_tokens": [-1, END_OF_TEXT]}

    def options(self: Any, *given: Any, **named: Any) -> None:
        make(self, *given, **{**named, **fixed})

    whisper.decoding.DecodingOptions.__init__ = options
    run = whisper.decoding.DecodingTask.run

    def counted(self: Any, mel: Any) -> Any:
        results = run(self, mel)
        Written.count += sum(len(result.tokens) for result in results)
        return results

    whisper.decoding.DecodingTask.run = counted
    generate = ctranslate2.models.Whisper.generate

    def generated(self: Any, features: Any, prompts: Any, **named: Any) -> Any:
        # CTranslate2 ends at half of max_length, or at max_length less the prompt
        named["max_length"] = max(2 * tokens, len(prompts[0]) + tokens)
        named["suppress_tokens"] = [*(named.get("suppress_tokens") or []), END_OF_TEXT]
        results = generate(self, features, prompts, **named)
        Written.count += sum(len(result.sequences_ids[0]) for result in results)
        return results

    ctranslate2.models.Whisper.generate = generated
    # Random text is no loop and has no likelihood: it would go through all six temperatures.
    whisper_decoding.decode.__kwdefaults__["temperatures"] = (0.0,)
    # With word times both peers begin again after the last word, which random weights put
    # anywhere: a window would be decoded several times.
    for module in (sys.modules["whisper.transcribe"], faster_whisper.transcribe):
        module.get_end = lambda _segments: None  # type: ignore[attr-defined]


def alternate(
    runs: dict[str, Run], rounds: int, tokens: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Best time of each run; they take turns. Each must write exactly `tokens` tokens."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            Written.count = 0
            start = clock()
            run()
            best[name] = min(best[name], clock() - start)
            if Written.count != tokens:
                raise SystemExit(f"{name} wrote {Written.count} tokens, not {tokens}")
    return best


def whisper_runs(
    checkpoint: Path, audio: Audio, speech: list[Span], batch: int
) -> dict[str, tuple[Run, Run]]:
    """(peer, ours) of openai-whisper, without and with word times."""
    import whisper
    import whisper.timing

    from models import whisper_torch

    whisper.timing.dtw_cpu(np.zeros((2, 2)))  # compiled before the clock runs
    peer = whisper.load_model(str(checkpoint), device="cpu")
    waves = [audio.read(Span(s.start - 0.2, s.end + 0.2)) for s in speech]
    settings: dict[str, Any] = {
        "language": "en",
        "temperature": 0.0,
        "fp16": False,
        "without_timestamps": True,
        "condition_on_previous_text": False,
        "no_speech_threshold": None,
        "logprob_threshold": None,
    }
    ours = WhisperTranscriber(model=checkpoint, device="cpu", batch_size=batch)
    real = whisper_torch.align_words

    def transcribe(words: bool) -> Run:
        return lambda: [
            whisper.transcribe(peer, wave, word_timestamps=words, **settings) for wave in waves
        ]

    def engine(words: bool) -> Run:
        def run() -> None:
            none: Any = lambda _t, texts, *_: [[] for _ in texts]  # noqa: E731
            whisper_torch.align_words = real if words else none
            ours.transcribe(audio, speech, "en")

        return run

    return {
        "transcribe": (transcribe(False), engine(False)),
        "transcribe with word times": (transcribe(True), engine(True)),
    }


def faster_whisper_runs(
    folder: Path, audio: Audio, speech: list[Span], size: int
) -> dict[str, tuple[Run, Run]]:
    """(peer, ours) of faster-whisper int8 with word times, which ours always have."""
    import tokenizers
    from faster_whisper import BatchedInferencePipeline, WhisperModel
    from whisper.tokenizer import get_tokenizer

    names = vocabulary(get_tokenizer(True), size)
    words = tokenizers.models.WordLevel({n: i for i, n in enumerate(names)}, unk_token=names[0])
    tokenizers.Tokenizer(words).save(str(folder / "tokenizer.json"))
    peer = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)
    batched = BatchedInferencePipeline(peer)
    clips = [{"start": s.start - 0.2, "end": s.end + 0.2} for s in speech]
    waves = [audio.read(Span(c["start"], c["end"])) for c in clips]
    whole = audio.read(Span(0, audio.duration))
    settings: dict[str, Any] = {
        "language": "en",
        "beam_size": 1,
        "temperature": 0.0,
        "word_timestamps": True,
    }
    plain: dict[str, Any] = {
        "condition_on_previous_text": False,
        "without_timestamps": True,
        "log_prob_threshold": None,
        "no_speech_threshold": None,
        "compression_ratio_threshold": None,
    }

    def sequential() -> None:
        for wave in waves:
            list(peer.transcribe(wave, **settings, **plain)[0])

    def in_batches() -> None:
        list(batched.transcribe(whole, clip_timestamps=clips, batch_size=8, **settings)[0])

    engine = FasterWhisperTranscriber(model=folder, device="cpu")

    def ours() -> None:
        engine.transcribe(audio, speech, "en")

    return {
        "faster-whisper int8": (sequential, ours),
        "faster-whisper int8, batched": (in_batches, ours),
    }


def end_to_end(*arguments: str) -> int:
    """File to report, in a program of its own: both change libraries for their measurement."""
    script = Path(__file__).with_name("end_to_end.py")
    return subprocess.call([sys.executable, str(script), *arguments])


def main() -> int:
    """Print the tables; exit code 1 when a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("tiny", "base"), default="tiny")
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", help="only file to report (benchmarks/end_to_end.py): there")
    choices, rest = parser.parse_known_args()
    if choices.device:
        shared = ("--tokens", str(choices.tokens), "--rounds", str(choices.rounds))
        return end_to_end("--device", choices.device, *shared, *rest)
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    import torch

    torch.set_num_threads(1)
    fix_length(choices.tokens)
    audio, speech = sound(choices.windows)
    failed = False
    with TemporaryDirectory() as place:
        folder = Path(place)
        checkpoint = random_checkpoint(folder / "random.pt", choices.model)
        converted = convert(checkpoint, folder / "converted")
        pairs = whisper_runs(checkpoint, audio, speech, choices.batch)
        pairs |= faster_whisper_runs(converted, audio, speech, DIMS[choices.model][5])
        runs = {
            f"{name}|{who}": run
            for name, two in pairs.items()
            for who, run in zip("po", two, strict=True)
        }
        best = alternate(runs, choices.rounds, choices.windows * choices.tokens, time.process_time)
        spoken = choices.windows * SECONDS
        what = f"{choices.windows} windows, {choices.tokens} tokens each, CPU seconds"
        print(f"{choices.model}, {what}")
        print(f"{'':36s}{'peer':>8s}{'ours':>8s}{'ratio':>8s}{'bar':>6s}{'x real time':>13s}")
        for name in pairs:
            theirs, mine, bar = best[f"{name}|p"], best[f"{name}|o"], BARS[name]
            failed |= theirs / mine < bar
            row = f"{name:36s}{theirs:8.1f}{mine:8.1f}{theirs / mine:8.2f}{bar:6.1f}"
            print(f"{row}{spoken / mine:13.1f}")
    print(flush=True)
    return int(failed) or end_to_end("--tokens", str(choices.tokens))


if __name__ == "__main__":
    sys.exit(main())
