"""Where an engine computes: the device that was asked for, if it is there."""

from observer.errors import EngineError


def chosen_device(asked: str, library: str, *, gpu: bool) -> str:
    """ "cpu", "cuda" or "cuda:n" for the setting `asked` ("auto": a GPU where there is one).

    `gpu`: whether `library`, which the message names, finds one. Raises EngineError.
    """
    if asked == "auto":
        return "cuda" if gpu else "cpu"
    if asked.startswith("cuda") and not gpu:
        raise EngineError(
            en=f"Device {asked!r} was asked for, but {library} finds no GPU. Use --device auto or "
            "cpu.",
            zh=f"指定了设备“{asked}”，但 {library} 找不到 GPU。请改用 auto 或 cpu。",
        )
    return asked
