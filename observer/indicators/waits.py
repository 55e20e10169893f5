"""Wait time 1 and 2: medians, shares of at least three seconds, and questions without a pause.

The waits themselves, with the reasons why some do not count, are found by observer.structure.
"""

from statistics import median

from observer.discourse import Wait
from observer.indicators import Indicator, Missing
from observer.indicators.basis import NO_LABELS, NO_TIMES, Basis, absent, figure
from observer.reliability import median_interval, wilson
from observer.timeline import Seconds

RULES = "waits/1"
AIM: Seconds = 3.0
"""The usual aim for a wait (Rowe 1974)."""
EDGE: Seconds = 0.1
ROUGH_EDGE: Seconds = 0.4
"""How far a bound heard in the recording, or taken from a transcript, may be off."""
_NONE = {
    1: Missing("No wait after a question could be measured.", "没有可以计量的提问后等待。"),
    2: Missing("No pause after an answer could be measured.", "没有可以计量的应答后停顿。"),
}


def indicators(basis: Basis) -> list[Indicator]:
    """For each kind median, share ≥ 3 s and count; then the questions without a pause."""
    found: list[Indicator] = []
    for kind in (1, 2):
        found += _kind(basis, kind)
    return [*found, _without_pause(basis)]


def _why_none(basis: Basis, kind: int) -> Missing | None:
    """Why waits of this kind cannot be looked for, or None when they can."""
    if kind == 1:
        why = basis.no_talk()
        if why is not None:
            return why
        if not basis.material.discourse.codes("question_form"):
            return NO_LABELS
    return None if basis.timed else NO_TIMES


def _kind(basis: Basis, kind: int) -> list[Indicator]:
    listed = [w for w in basis.material.waits if w.kind == kind]
    counted = [w for w in listed if w.excluded is None]
    lengths = [w.duration for w in counted]
    ids = [w.id for w in counted]
    stem, n = f"wait_time_{kind}", len(counted)
    how = f"{n}/{len(listed)}; {basis.by}"
    why = _why_none(basis, kind)
    count = (
        absent(f"{stem}_count", "count", f"n(w{kind}); {how}; {RULES}", why)
        if why is not None
        else figure(f"{stem}_count", "count", n, n, f"n(w{kind}); {how}; {RULES}", evidence=ids)
    )
    how = f"w{kind}; {how}"
    share_how = f"P(w ≥ {AIM:g} s), w = {how}; ci95=Wilson; {RULES}"
    if why is not None or not counted:
        reason = why or _NONE[kind]
        return [
            absent(f"{stem}_median", "s", f"median(w), w = {how}; {RULES}", reason),
            absent(f"{stem}_share_3s", "share", share_how, reason),
            count,
        ]
    long = [w.id for w in counted if w.duration >= AIM]
    share = figure(
        f"{stem}_share_3s",
        "share",
        len(long) / n,
        n,
        share_how,
        interval=wilson(len(long), n),
        evidence=long,
    )
    return [_median(f"{stem}_median", basis, lengths, ids, how), share, count]


def _median(name: str, basis: Basis, lengths: list[Seconds], ids: list[str], how: str) -> Indicator:
    low, high, coverage = median_interval(lengths)
    edge = ROUGH_EDGE if basis.source == "transcript" else EDGE
    method = f"median(w), w = {how}; ci{100 * coverage:.1f}=order statistics ± {edge:g}s; {RULES}"
    interval = (max(0.0, low - edge), high + edge)
    return figure(name, "s", median(lengths), len(lengths), method, interval=interval, evidence=ids)


def _without_pause(basis: Basis) -> Indicator:
    """Content questions after which the teacher went straight on."""
    name = "questions_without_pause_share"
    asked = [w for w in basis.material.waits if w.kind == 1 and _content_question(w)]
    method = f"n(continued) / n(w1 + continued + overlap + long); {basis.by}; ci95=Wilson; {RULES}"
    why = _why_none(basis, 1)
    if why is not None or not asked:
        return absent(name, "share", method, why or _NONE[1])
    on = [w.after for w in asked if w.excluded == "continued"]
    n = len(asked)
    return figure(name, "share", len(on) / n, n, method, interval=wilson(len(on), n), evidence=on)


def _content_question(wait: Wait) -> bool:
    return wait.excluded in (None, "continued", "overlap", "long")
