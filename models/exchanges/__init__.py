"""Exchanges in English: how a teacher's turn takes up a student's, and whether it focuses.

runtime reads them from the talk moves and the words; examples and training make the weights.
"""
