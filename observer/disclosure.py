"""Disclosure control: which groups must not be shown, so that nothing is told of a few teachers.

A group is hidden when it has fewer than `FEWEST` teachers. It is hidden, too, when such a one could
be had by subtraction: of the parts of a group that is shown, those that are hidden must be at
least two and have `FEWEST` teachers between them; of one that is hidden, not all parts may be
shown. Otherwise the smallest part that is still shown is hidden as well, and where none is left,
the group itself (complementary suppression: FCSM, Statistical Policy Working Paper 22, ch. 4).
This is done for every group that can be asked for, until nothing changes, so that two questions
do not tell what one would not. What it leaves open is in docs/decisions/0014-group-figures.md.
"""

from collections import deque
from collections.abc import Iterable, Mapping

from observer.indicators import Missing

Cell = tuple[str | None, ...]
"""A group of lessons: one value for each dimension, None where any value will do."""

FEWEST = 5
"""Teachers in a group that is shown. The threshold rule with n = 5: no figure stands for fewer than
five people. Schools that publish figures use 5 to 30 (NCES 2011-603, Statistical Methods for
Protecting Personally Identifiable Information in Aggregate Reporting; FCSM, Statistical Policy
Working Paper 22, ch. 2). Five because a subject group of a school is seldom larger, and because
nothing is shown here that comes from fewer than all of them."""
FEW = Missing(
    en=f"Fewer than {FEWEST} teachers: no figure, so that nobody can be recognised.",
    zh=f"不足{FEWEST}位教师：为避免识别出个人，不显示数据。",
)
TIED = Missing(
    en="Not shown, because a group with too few teachers could be worked out from it by"
    " subtraction.",
    zh="不显示：否则可以通过相减推算出人数不足的组的数据。",
)


def withheld(taught: Mapping[Cell, int], *, joint: bool) -> Mapping[Cell, Missing]:
    """The cells that must not be shown, each with the reason; `taught` as `crossed` makes it.

    `joint`: all values of the first dimension together are a group, too. Each value of it is
    looked at alone first: who sees but one of them is not kept from anything for the sake of its
    neighbours, and who sees them all sees no more of each.
    """
    hidden = {cell: FEW for cell, teachers in taught.items() if teachers.bit_count() < FEWEST}
    width = len(next(iter(taught), ()))
    _protect(taught, hidden, range(1, width))
    if joint:
        _protect(taught, hidden, range(width))
    return hidden


def _protect(
    taught: Mapping[Cell, int], hidden: dict[Cell, Missing], dimensions: Iterable[int]
) -> None:
    """Hide more cells, until nothing that is hidden can be had by subtraction."""
    tables: dict[tuple[Cell, int], list[Cell]] = {}
    touched: dict[Cell, list[tuple[Cell, int]]] = {}
    for cell in sorted(taught, key=_order):
        for d in dimensions:
            whole = part_of(cell, d, None)
            if cell[d] is not None and whole in taught:
                table = (whole, d)
                if table not in tables:
                    touched.setdefault(whole, []).append(table)
                tables.setdefault(table, []).append(cell)
                touched.setdefault(cell, []).append(table)
    waiting = deque(t for cell in sorted(hidden, key=_order) for t in touched.get(cell, ()))
    while waiting:
        table = waiting.popleft()
        while (victim := _next_hidden(taught, hidden, table[0], tables[table])) is not None:
            hidden[victim] = TIED
            waiting.extend(touched.get(victim, ()))


def _next_hidden(
    taught: Mapping[Cell, int], hidden: Mapping[Cell, Missing], whole: Cell, parts: list[Cell]
) -> Cell | None:
    """What has to be hidden next, so that `whole` and its parts do not tell one another."""
    gone = [part for part in parts if part in hidden]
    left = [part for part in parts if part not in hidden]
    together = 0
    for part in gone:
        together |= taught[part]
    if whole in hidden:
        safe = bool(gone)  # the parts must not add up to what is hidden
    else:
        safe = not gone or (len(gone) > 1 and together.bit_count() >= FEWEST)
    if safe:
        return None
    return min(left, key=lambda p: (taught[p].bit_count(), _order(p))) if left else whole


def crossed(lessons: Iterable[tuple[Cell, int]], *, joint: bool) -> dict[Cell, int]:
    """Each cell that holds a lesson, with its teachers as bits of a number.

    `lessons` gives the values of each lesson in all dimensions, and the bit of its teacher; `joint`
    as for `withheld`.
    """
    found: dict[Cell, int] = {}
    for cell, teacher in lessons:
        found[cell] = found.get(cell, 0) | teacher
    for d in range(0 if joint else 1, len(next(iter(found), ()))):
        wider: dict[Cell, int] = {}
        for cell, teachers in found.items():
            whole = part_of(cell, d, None)
            wider[whole] = wider.get(whole, 0) | teachers
        found |= wider
    return found


def part_of(cell: Cell, dimension: int | None, value: str | None) -> Cell:
    """`cell` with another value in a dimension; itself where that is None."""
    if dimension is None:
        return cell
    return (*cell[:dimension], value, *cell[dimension + 1 :])


def _order(cell: Cell) -> tuple[tuple[bool, str], ...]:
    return tuple((value is not None, value or "") for value in cell)
