"""Exchanges: how many of each kind, how deep they go, how often an answer is followed up."""

from statistics import median

from observer.indicators import Indicator, Missing
from observer.indicators.basis import NO_LABELS, Basis, absent, figure
from observer.reliability import median_interval, wilson

RULES = "exchanges/1"
KINDS = ("IRE", "IR", "IRIRE", "IDRE")
DEEPEST = 5
"""Exchanges of this many rounds and more are counted together (对话深度)."""
_NO_EXCHANGES = Missing("No question was answered aloud.", "没有听到对提问的口头应答。")


def indicators(basis: Basis) -> list[Indicator]:
    """Counts (all, by kind), median rounds on one question, share with a follow-up."""
    why = basis.no_talk()
    if why is None and not basis.material.discourse.codes("question_form"):
        why = NO_LABELS
    found = [_count(basis, "exchanges_total", KINDS, why)]
    found += [_count(basis, f"exchanges_{kind.lower()}", (kind,), why) for kind in KINDS]
    found += [_rounds(basis, why), _follow_up(basis, why)]
    return found + [_depth(basis, rounds, why) for rounds in range(1, DEEPEST + 1)]


def _count(basis: Basis, name: str, kinds: tuple[str, ...], why: Missing | None) -> Indicator:
    method = f"#{{{', '.join(kinds)}}}; {RULES}"
    if why is not None:
        return absent(name, "count", method, why)
    ids = [x.id for x in basis.material.exchanges if x.kind in kinds]
    return figure(name, "count", len(ids), len(basis.material.exchanges), method, evidence=ids)


def _rounds(basis: Basis, why: Missing | None) -> Indicator:
    name, method = "exchange_rounds_median", "median(rounds)"
    exchanges = basis.material.exchanges
    if why is not None or not exchanges:
        return absent(name, "rounds", f"{method}; {RULES}", why or _NO_EXCHANGES)
    rounds = [x.rounds for x in exchanges]
    low, high, coverage = median_interval(rounds)
    method += f"; ci{100 * coverage:.1f}=order statistics; {RULES}"
    ids = [x.id for x in exchanges]
    n = len(exchanges)
    return figure(name, "rounds", median(rounds), n, method, interval=(low, high), evidence=ids)


def _follow_up(basis: Basis, why: Missing | None) -> Indicator:
    name = "exchange_follow_up_share"
    method = f"n(IRIRE) / n; ci95=Wilson; {RULES}"
    exchanges = basis.material.exchanges
    if why is not None or not exchanges:
        return absent(name, "share", method, why or _NO_EXCHANGES)
    ids = [x.id for x in exchanges if x.kind == "IRIRE"]
    n = len(exchanges)
    return figure(
        name, "share", len(ids) / n, n, method, interval=wilson(len(ids), n), evidence=ids
    )


def _depth(basis: Basis, rounds: int, why: Missing | None) -> Indicator:
    last = rounds == DEEPEST
    name = f"dialogue_depth_{rounds}" + ("_plus" if last else "")
    method = f"#{{rounds {'≥' if last else '='} {rounds}}}; {RULES}"
    if why is not None:
        return absent(name, "count", method, why)
    found = basis.material.exchanges
    ids = [x.id for x in found if x.rounds == rounds or (last and x.rounds > rounds)]
    return figure(name, "count", len(ids), len(found), method, evidence=ids)
