"""`observer models pull`: weights of the catalogue into the folder, verified and recorded."""

import json
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from models.weights_download import OnBytes, Remote, fetch, fetch_text
from models.weights_store import PART, Weights, by_hand, record_sums
from observer.errors import EngineError


def pull(
    weights: Weights,
    folder: Path,
    on_bytes: OnBytes = lambda _done, _total: None,
    *,
    wait: float = 1.0,
) -> Path:
    """Fetch weights into the folder and record their checksums; returns where they are.

    What is there already and whole is not fetched again. `wait` seconds pass before a broken
    connection is tried anew. Raises EngineError (network, checksum) and OutputError (disk);
    the same call later goes on where it stopped.
    """
    if weights.repo is None:
        return _pull_file(weights, folder, on_bytes, wait)
    return _pull_repo(weights, folder, on_bytes, wait)


def _pull_file(weights: Weights, folder: Path, on_bytes: OnBytes, wait: float) -> Path:
    """One of OpenAI's checkpoints, from the address that openai-whisper itself uses."""
    import whisper

    remote = Remote(whisper._MODELS[weights.name], weights.place, sha256=weights.sha256)
    digest = fetch(remote, folder, on_bytes, wait=wait)
    record_sums(folder, {weights.place: digest})
    return folder / weights.place


def _pull_repo(weights: Weights, folder: Path, on_bytes: OnBytes, wait: float) -> Path:
    """All files into ``ENGINE/NAME.part/``, which is renamed when the last one is right."""
    target = folder / weights.place
    unfinished = target.with_name(target.name + PART)
    base = target if target.is_dir() else unfinished
    remotes = hub_files(weights)
    total = sum(remote.size or 0 for remote in remotes)
    done = 0
    sums: dict[PurePosixPath, str] = {}
    for remote in remotes:

        def told(n: int, _total: int | None, before: int = done) -> None:
            on_bytes(before + n, total)

        sums[weights.place / remote.path] = fetch(remote, base, told, wait=wait)
        done += remote.size or 0
    if base is unfinished:
        unfinished.replace(target)
    record_sums(folder, sums)
    return target


def hub_files(weights: Weights) -> list[Remote]:
    """The files of a hub repo that are needed, at its present revision, with checksums.

    The hub's address comes from `huggingface_hub` (HF_ENDPOINT names a mirror). Raises
    EngineError for gated weights, and when that library is not installed or the hub cannot be read.
    """
    if weights.gated or find_spec("huggingface_hub") is None:
        raise _by_hand(weights)
    from huggingface_hub import constants

    repo = weights.repo or ""
    listing = json.loads(fetch_text(f"{constants.ENDPOINT}/api/models/{quote(repo)}?blobs=true"))
    content = f"{constants.ENDPOINT}/{quote(repo)}/resolve/{listing['sha']}"
    remotes = [
        Remote(
            f"{content}/{quote(entry['rfilename'])}",
            PurePosixPath(entry["rfilename"]),
            entry.get("size"),
            (entry.get("lfs") or {}).get("sha256"),
            entry.get("blobId"),
        )
        for entry in listing["siblings"]
        if any(fnmatch(entry["rfilename"], pattern) for pattern in weights.files)
    ]
    if not remotes:
        raise EngineError(
            en=f"The hub's {repo} holds none of the files that are needed "
            f"({', '.join(weights.files)}). It may have been rearranged.",
            zh=f"模型库中的 {repo} 没有所需文件（{'、'.join(weights.files)}），其结构可能已改变。",
        )
    return remotes


def _by_hand(weights: Weights) -> EngineError:
    en, zh = by_hand(weights)
    if weights.gated:
        return EngineError(
            en=f"{weights.name} is given only to people who accept its terms. {en}",
            zh=f"{weights.name} 只提供给接受其条款的人。{zh}",
        )
    return EngineError(
        en=f"Pulling {weights.name} needs the library huggingface_hub (pip install "
        f"huggingface_hub). Or without it: {en}",
        zh=f"下载 {weights.name} 需要 huggingface_hub 库（pip install huggingface_hub）。"
        f"不用该库时：{zh}",
    )
