"""Claims and the report: short sentences, each with evidence that plays.

A claim without evidence is refused. Claims are invitations, never verdicts; nothing is said
about a single child, no composite score, no ranking.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the report."""

    id: str
    text: str
    evidence: tuple[str, ...]
    """Ids as in Indicator.evidence; never empty in a valid report."""
    indicator: str
    """Name of the indicator that the sentence rests on."""
