"""Scores uptake and focusing on the rated exchanges, each read alone.

The shipped weights have learnt from all of them: so the same training is cross-validated here,
all exchanges of a lesson held out together, beside what overlap alone would read.
"""

from collections.abc import Iterator
from pathlib import Path

from models.evaluate.labels import Score, score
from models.exchanges.examples import GUISES, rated, shown
from models.exchanges.runtime import ExchangeReader
from models.exchanges.training import held_out
from models.labeller import Reader
from observer.taxonomies import TAXONOMIES


def scores(data: Path, reader: Reader, taxonomy: str) -> Iterator[Score]:
    """Scores with and without punctuation; talk moves as `reader` has them, an ExchangeReader.

    Exchanges that would not be read are left out. Raises DatasetError, MissingWeights.
    """
    cases, _ = rated(data)
    moves = reader.moves if isinstance(reader, ExchangeReader) else None
    parts = {name: shown(cases, moves, guise) for name, guise in GUISES}
    for what, overlap in (("", False), (", overlap alone", True)):
        for held in held_out(cases, parts, taxonomy, overlap=overlap)[0]:
            codes, read = TAXONOMIES[taxonomy].names, held.read
            said = [codes[k] for k in read.shares.argmax(1)]
            sure = read.shares.max(1).tolist()
            yield score(taxonomy, held.condition + what, read.true, said, sure, codes)
