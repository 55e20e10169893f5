"""The confusions that ship beside the weights belong to known taxonomies and can be used."""

import pytest

from models.labeller import CONFUSIONS, WEIGHTS
from observer.confusion import NONE, UNCLEAR, Confusion, dumps, loads, true_counts
from observer.taxonomies import TAXONOMIES

TEXT = (WEIGHTS / CONFUSIONS).read_text("utf-8")
SHIPPED = loads(TEXT)


def test_the_file_is_as_it_is_written() -> None:
    assert dumps(SHIPPED) == TEXT


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_each_one_is_of_a_taxonomy_and_gives_counts(name: str) -> None:
    known: Confusion = SHIPPED[name]
    taxonomy, language = name.split(".")
    assert language in ("zh", "en")
    assert set(known.codes) <= {*TAXONOMIES[taxonomy].names, NONE}
    assert set(known.predicted) <= {*known.codes, UNCLEAR}
    assert len(known.steadiness) == len(known.codes) == len(known.counts)
    assert known.source
    assert known.measured
    draws = true_counts(known, dict.fromkeys(known.predicted, 5))
    assert set(draws.sum(axis=1).tolist()) == {5.0 * len(known.predicted)}
