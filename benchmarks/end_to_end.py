"""From file to report with true-size random weights: where the time goes, and the peers beside it.

python benchmarks/end_to_end.py [--size large-v3-turbo] [--device auto] [--minutes 45]

A recording (the Mandarin fixture again and again, as Opus) goes through the whole program: decode,
voice activity, voices, roles, recognition with word times, labels, measures, report. Every stage's
seconds are told (wall on a GPU, CPU on a CPU), recognition also by its parts. In the same run the
same windows go through our engine over CTranslate2, faster-whisper's batched pipeline (both with
word times) and transformers' `generate` (without). Every system writes the same number of tokens
for each window, as random weights would loop or stop where they like; so the figures say nothing
about accuracy. With --device auto nothing is run where there is no GPU.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
from recognition import DIMS, END_OF_TEXT, Written, fix_length, random_checkpoint

from api.compose import EngineNames, build
from api.outputs import write_outputs
from models import whisper_torch
from models.asr_faster_whisper import FasterWhisperTranscriber
from models.asr_whisper import WhisperTranscriber
from models.asr_windows import Window, windows
from models.whisper_conversion import convert, vocabulary
from observer.job import Engines, Settings, Source, Step
from observer.media import Audio, decode, encode_opus
from observer.pipeline import observe
from observer.timeline import Span

LESSON = Path(__file__).parents[1] / "fixtures" / "lessons" / "zh_triangle.opus"
PARTS = {"encode": "encoder", "decode": "decoder", "align": "alignment"}
CHINESE = 50260
"""Whisper's token <|zh|>; 50259 and the first ones are the same in all multilingual models."""


class Watch:
    """Seconds by name: wall on a GPU, where what was queued is waited for; CPU seconds on a CPU,
    which others may use at the same time."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}
        self._since = 0.0
        self._stage = ""

    def now(self) -> float:
        if self.device == "cpu":
            return time.process_time()
        import torch

        torch.cuda.synchronize()
        return time.perf_counter()

    def stage(self, name: str) -> None:
        """`name` begins; what went before ends."""
        now = self.now()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = name, now

    def on_step(self, step: Step) -> None:
        if step.stage != self._stage:
            self.stage(step.stage)

    def timed(self, run: Callable[[], object]) -> float:
        start = self.now()
        run()
        return self.now() - start


def recording(path: Path, minutes: float) -> Path:
    """The fixture lesson repeated until it is long enough."""
    _, lesson = decode(LESSON, path.with_suffix(".s16"))
    samples = np.resize(lesson.samples, int(minutes * 60 * Audio.RATE))
    encode_opus(Audio(samples), path)
    return path


def parts_of(watch: Watch) -> None:
    """Time the three parts of our recognition where the engine calls them."""
    for method, name in PARTS.items():
        real = getattr(whisper_torch.TorchWhisper, method)

        def timed(*given: Any, real: Any = real, name: str = name, **named: Any) -> Any:
            start = watch.now()
            found = real(*given, **named)
            watch.seconds[name] = watch.seconds.get(name, 0.0) + watch.now() - start
            return found

        setattr(whisper_torch.TorchWhisper, method, timed)


def whole(sound: Path, checkpoint: Path, watch: Watch, folder: Path) -> None:
    """The whole program on one recording."""
    names = EngineNames(asr="whisper", model=str(checkpoint), device=watch.device)
    engines: Engines = build(
        names, language="zh", report_language="en", weights=None, has_transcript=False
    )
    source, settings = Source(sound), Settings(language="zh", report_language="en")
    watch.stage("start")
    observation = observe(source, engines, settings, folder / "stages", watch.on_step)
    watch.stage("report")
    write_outputs(observation, folder / "report", sound, None, embed=False)
    watch.stage("")


def peers(
    checkpoint: Path, folder: Path, size: str, device: str, waves: list[Any], tokens: int
) -> dict[str, Callable[[], object]]:
    """Recognition of the same windows by others."""
    compute = "float16" if device == "cuda" else "int8"
    converted = convert(checkpoint, folder / "converted", compute)
    return {
        "faster-whisper, batched (16)": faster_whisper(converted, size, device, compute, waves),
        "transformers generate (16)": transformers_generate(size, device, waves, tokens),
    }


def faster_whisper(
    folder: Path, size: str, device: str, compute: str, waves: list[Any]
) -> Callable[[], object]:
    """Its batched pipeline with word times. It reads the size of the spectrum and the tokens from
    files that conversion does not write."""
    import tokenizers
    from faster_whisper import BatchedInferencePipeline, WhisperModel
    from whisper.tokenizer import get_tokenizer

    mels, vocab = DIMS[size][0], DIMS[size][5]
    names = vocabulary(get_tokenizer(True, num_languages=vocab - 51765 - 1), vocab)
    words = tokenizers.models.WordLevel({n: i for i, n in enumerate(names)}, unk_token=names[0])
    tokenizers.Tokenizer(words).save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": mels}))
    model = WhisperModel(str(folder), device=device, compute_type=compute, cpu_threads=1)
    pipeline = BatchedInferencePipeline(model)
    ends = np.cumsum([len(wave) for wave in waves]) / Audio.RATE
    starts = [0.0, *ends[:-1].tolist()]
    clips = [{"start": s, "end": float(e)} for s, e in zip(starts, ends, strict=True)]
    sound = np.concatenate(waves)
    settings: dict[str, Any] = {"language": "zh", "beam_size": 1, "temperature": 0.0}
    return lambda: list(
        pipeline.transcribe(
            sound, clip_timestamps=clips, batch_size=16, word_timestamps=True, **settings
        )[0]
    )


def transformers_generate(
    size: str, device: str, waves: list[Any], tokens: int
) -> Callable[[], object]:
    """`WhisperForConditionalGeneration.generate` on batches of 16, without word times."""
    import torch
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        logging,
    )

    logging.set_verbosity_error()  # it warns of what is meant here: no mask, tokens suppressed

    mels, _, state, heads, layers, vocab, _, _, text_heads, text_layers = DIMS[size]
    config = WhisperConfig(
        vocab_size=vocab, num_mel_bins=mels, d_model=state, encoder_layers=layers,
        encoder_attention_heads=heads, decoder_layers=text_layers,
        decoder_attention_heads=text_heads, encoder_ffn_dim=4 * state, decoder_ffn_dim=4 * state,
    )  # fmt: skip
    kind = torch.float16 if device == "cuda" else torch.float32
    model = WhisperForConditionalGeneration(config).to(device, kind).eval()
    model.generation_config.suppress_tokens = [END_OF_TEXT]
    extract = WhisperFeatureExtractor(feature_size=mels)
    prompt = [50258, CHINESE, 50359 + (vocab == 51866), 50363 + (vocab == 51866)]

    def run() -> None:
        for first in range(0, len(waves), 16):
            batch = waves[first : first + 16]
            heard = extract(batch, sampling_rate=Audio.RATE, return_tensors="pt", device=device)
            given = torch.tensor([prompt] * len(batch), device=device)
            with torch.no_grad():
                said = model.generate(
                    heard.input_features.to(device, kind), decoder_input_ids=given,
                    max_length=len(prompt) + tokens, min_length=len(prompt) + tokens,
                    do_sample=False, num_beams=1,
                )  # fmt: skip
            # the answer begins with the prompt or after it, by version
            Written.count += len(batch) * (said.shape[1] - len(prompt) * (said.shape[1] > tokens))

    return run


def ours(checkpoint: Path, folder: Path, device: str, audio: Audio, speech: list[Span]) -> Any:
    """Our two engines, recognition alone."""
    torch_engine = WhisperTranscriber(model=checkpoint, device=device)
    ct2 = FasterWhisperTranscriber(model=folder / "converted", device=device)
    return {
        "ours (whisper)": lambda: torch_engine.transcribe(audio, speech, "zh"),
        "ours (faster-whisper)": lambda: ct2.transcribe(audio, speech, "zh"),
    }


def tell_stages(watch: Watch, spoken: float) -> None:
    """The table of the stages; parts of recognition are indented below it."""
    parts = {name: watch.seconds.pop(name, 0.0) for name in PARTS.values()}
    total = sum(watch.seconds.values())
    for name, seconds in watch.seconds.items():
        print(f"{name:34s}{seconds:9.2f} s{seconds / total:7.1%}")
        if name == "words":
            for part, of_it in parts.items():
                print(f"    {part:30s}{of_it:9.2f} s")
    print(f"{'file to report':34s}{total:9.2f} s{spoken / total:8.1f} x real time "
          f"(real time factor {total / spoken:.4f})")  # fmt: skip


def run(size: str, device: str, minutes: float, tokens: int, rounds: int) -> None:
    """Both tables."""
    import torch

    fix_length(tokens)
    with TemporaryDirectory() as place:
        folder = Path(place)
        sound = recording(folder / "lesson.opus", minutes)
        checkpoint = random_checkpoint(folder / f"{size}.pt", size)
        name = torch.cuda.get_device_name() if device == "cuda" else "CPU, one thread"
        print(f"{size}, {minutes:g} min, {tokens} tokens a window, {name}")
        watch = Watch(device)
        parts_of(watch)
        if device == "cuda":  # the first run warms the GPU up
            whole(sound, checkpoint, watch, folder / "first")
            watch.seconds.clear()
        whole(sound, checkpoint, watch, folder / "second")
        tell_stages(watch, 60 * minutes)
        _, audio = decode(sound, folder / "audio.s16")
        engines = build(
            EngineNames(asr="none"),
            language="zh",
            report_language="en",
            weights=None,
            has_transcript=False,
        )
        speech = engines.vad.speech(audio)
        parts: list[Window] = windows(audio, speech)
        waves = [audio.read(part.heard) for part in parts]
        print(f"\nrecognition alone, {len(parts)} windows; best of {rounds}")
        others = peers(checkpoint, folder, size, device, waves, tokens)
        for name, system in (ours(checkpoint, folder, device, audio, speech) | others).items():
            best = float("inf")
            for _ in range(rounds):
                Written.count = 0
                best = min(best, Watch(device).timed(system))
                if Written.count != tokens * len(parts):
                    raise SystemExit(f"{name} wrote {Written.count}, not {tokens * len(parts)}")
            print(f"{name:34s}{best:9.2f} s{60 * minutes / best:8.1f} x real time")


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=sorted(DIMS), default="large-v3-turbo")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    choices = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    gpu = torch.cuda.is_available()
    if choices.device != "cpu" and not gpu:
        print("no GPU: torch finds none here, so nothing was run (--device cpu --size tiny runs).")
        return int(choices.device == "cuda")
    device = "cpu" if choices.device == "cpu" else "cuda"
    run(choices.size, device, choices.minutes, choices.tokens, choices.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
