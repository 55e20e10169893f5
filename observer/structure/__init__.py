"""Structure found in a lesson: the waits around questions and answers, and the exchanges."""

from observer.structure.exchanges import find_exchanges
from observer.structure.waits import EXCLUSIONS, Exclusion, find_waits

__all__ = ["EXCLUSIONS", "Exclusion", "find_exchanges", "find_waits"]
