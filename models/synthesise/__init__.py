"""Make a lesson recording, and the exact truth about it, out of a script and synthetic voices.

    python -m models.synthesise OUT [SCRIPT.toml ...]

A script says who says what, after how long a pause, and what kind of question it is. The voices
come from espeak-ng, flite and sox, which must be on the PATH (Debian: ``apt-get install
espeak-ng flite sox``); nothing else in this repository needs them, for what they made is kept in
fixtures/lessons. Every utterance is cut to its audible part before it is laid on the clock, so
the truth comes from the arithmetic of the script, not from a measurement of the mixture.
"""
