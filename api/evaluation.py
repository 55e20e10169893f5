"""Printing what `observer evaluate` measured."""
