"""Makes lessons whose truth is known, from a folder of single-speaker clips.

``python -m models.simulate OUT --clips DIR --noise DIR --lessons N --seed S`` writes recordings
(Opus, 16 kHz), JSON and RTTM as `observer evaluate roles` reads them. The voices are real people
reading sentences; who speaks when, the room and the noise are drawn. What that cannot show: real
children, spontaneous speech, real group work. Speech development lessons elsewhere are made in
the same way, and `clips.audible` marks speech as they do, so figures can be compared.
"""
