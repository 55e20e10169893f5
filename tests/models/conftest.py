"""Sound for the tests of the speech engines."""

from pathlib import Path

import pytest

from observer.media import Audio, decode

LESSONS = Path(__file__).parents[2] / "fixtures" / "lessons"


@pytest.fixture(scope="session")
def fixture_lesson(tmp_path_factory: pytest.TempPathFactory) -> Audio:
    """The Mandarin fixture lesson (synthetic voices), decoded once."""
    return decode(LESSONS / "zh_triangle.opus", tmp_path_factory.mktemp("sound") / "samples")[1]
