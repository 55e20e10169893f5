"""Measuring engines against labelled data: roles on lessons, labels on corpora."""
