"""A blackboard for the video: chalk strokes drawn with numpy, no font and no image library."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Point = tuple[float, float]
Stroke = list[Point]

WIDTH, HEIGHT = 640, 360
BOARD, FRAME, CHALK = (38, 74, 58), (122, 84, 48), (236, 236, 224)
BORDER = 14
CHALK_WIDTH = 1.7
CORNERS: Stroke = [(110.0, 250.0), (330.0, 250.0), (250.0, 80.0)]


def _arc(centre: Point, radius: float, begin: float, end: float, steps: int = 24) -> Stroke:
    """Part of a circle; angles in degrees, counter-clockwise from the right."""
    angles = np.radians(np.linspace(begin, end, steps))
    return [(centre[0] + radius * np.cos(a), centre[1] - radius * np.sin(a)) for a in angles]


GLYPHS: dict[str, list[Stroke]] = {
    "0": [[(0.3 + 0.28 * np.sin(a), 0.5 - 0.5 * np.cos(a)) for a in np.linspace(0, 6.2832, 25)]],
    "1": [[(0.15, 0.2), (0.35, 0.0), (0.35, 1.0)]],
    "2": [[*_arc((0.3, 0.28), 0.28, 170, -40), (0.0, 1.0), (0.6, 1.0)]],
    "3": [[*_arc((0.28, 0.25), 0.25, 150, -80), *_arc((0.28, 0.74), 0.27, 85, -150)]],
    "8": [_arc((0.3, 0.24), 0.23, 0, 360), _arc((0.3, 0.73), 0.27, 0, 360)],
    "+": [[(0.05, 0.5), (0.55, 0.5)], [(0.3, 0.25), (0.3, 0.75)]],
    "=": [[(0.05, 0.38), (0.55, 0.38)], [(0.05, 0.64), (0.55, 0.64)]],
    "°": [_arc((0.18, 0.12), 0.11, 0, 360)],
    "?": [[*_arc((0.3, 0.24), 0.24, 170, -70), (0.3, 0.74)], [(0.3, 0.93), (0.3, 0.98)]],
    "∠": [[(0.6, 1.0), (0.0, 1.0), (0.5, 0.3)]],
}
"""Signs as strokes in a box 0.6 wide and 1 high, y downwards."""


def board(stage: int) -> Image:
    """Picture `stage` of the lesson, uint8 of shape (HEIGHT, WIDTH, 3).

    0: a triangle; 1: its angles marked and a question; 2: what they add up to.
    """
    strokes = [[*CORNERS, CORNERS[0]]]
    if stage >= 1:
        for number, corner in enumerate(CORNERS):
            strokes += _angle(corner, str(number + 1))
        strokes += _written("∠1+∠2+∠3=" + ("?" if stage == 1 else "180°"), (372.0, 100.0), 24.0)
    if stage >= 2:
        strokes += _half_turn((475.0, 250.0))
    return _drawn(strokes)


def _angle(corner: Point, name: str) -> list[Stroke]:
    """An arc between the two sides that meet in `corner`, and the number of the angle."""
    towards = [
        np.degrees(np.arctan2(corner[1] - y, x - corner[0])) for x, y in CORNERS if (x, y) != corner
    ]
    low, high = sorted(towards)
    middle = np.radians((low + high) / 2)
    place = (corner[0] + 44 * np.cos(middle) - 4, corner[1] - 44 * np.sin(middle) - 8)
    return [_arc(corner, 28.0, low, high), *_written(name, place, 15.0)]


def _half_turn(centre: Point) -> list[Stroke]:
    """Three angles side by side on a straight line: a half turn."""
    sides = [0.0, 65.0, 115.0, 180.0]
    spokes = [[centre, _arc(centre, 80.0, a, a, 1)[0]] for a in sides]
    drawn = list(spokes)
    for name, (a, b) in zip("213", pairwise(sides), strict=True):
        (x, y), *_ = _arc(centre, 48.0, (a + b) / 2, b, 1)
        drawn += [_arc(centre, 28.0, a, b), *_written(name, (x - 4, y - 8), 15.0)]
    return drawn


def _written(signs: str, place: Point, size: float) -> list[Stroke]:
    return [
        [(place[0] + size * (0.75 * column + x), place[1] + size * y) for x, y in stroke]
        for column, sign in enumerate(signs)
        for stroke in GLYPHS[sign]
    ]


def _drawn(strokes: list[Stroke]) -> Image:
    """Chalk on the board, edges smoothed over one pixel, inside a wooden frame."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    ink = np.zeros((HEIGHT, WIDTH))
    for stroke in strokes:
        for a, b in pairwise(stroke):
            near = _around(a, b)
            thick = np.clip(CHALK_WIDTH - _distance(x[near], y[near], a, b), 0.0, 1.0)
            ink[near] = np.maximum(ink[near], thick)
    surface = np.asarray(BOARD) + 6.0 * (y / HEIGHT)[..., None]
    edge = np.minimum(np.minimum(x, WIDTH - 1 - x), np.minimum(y, HEIGHT - 1 - y))
    surface[edge < BORDER] = FRAME
    mixed = surface * (1 - ink[..., None]) + np.asarray(CHALK) * ink[..., None]
    return np.asarray(np.round(mixed), np.uint8)


def _around(a: Point, b: Point) -> tuple[slice, slice]:
    """The pixels (rows, columns) that a line between two points can touch."""
    (left, right), (top, bottom) = sorted((a[0], b[0])), sorted((a[1], b[1]))
    return slice(max(0, int(top) - 3), int(bottom) + 4), slice(
        max(0, int(left) - 3), int(right) + 4
    )


def _distance(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], a: Point, b: Point
) -> npt.NDArray[np.float64]:
    """Distance of every pixel from the line between two points."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = max(dx * dx + dy * dy, 1e-9)
    along = np.clip(((x - a[0]) * dx + (y - a[1]) * dy) / length, 0.0, 1.0)
    return np.asarray(np.hypot(x - a[0] - along * dx, y - a[1] - along * dy))
