"""Mandarin questions and instructional acts: trained on DialogID, questions_zh and our labels.

features (characters, n-grams, rules that fire) feed two learners: a linear one over n-grams and
rules (wide) and a small network. runtime adds their scores; training makes both, reads them for
calibration and writes the folder that ships. The network is cut out of a pretrained encoder
(encoder, distilling) where there is one, else convolutional and trained from nothing (network).
"""
