"""The routes, one module a subject; each has `router`."""

from importlib import import_module
from importlib.util import find_spec

from fastapi import APIRouter

MODULES = (
    "signing",
    "account",
    "pages",
    "lesson_forms",
    "administration",
    "administration_people",
    "uploads",
    "media",
    "progress",
    "exports",
    "overview",
    "v1",
    "v1_account",
    "health",
)
"""In the order in which they are asked."""


def routers() -> list[APIRouter]:
    """The router of every module that is there."""
    names = [f"api.routes.{name}" for name in MODULES]
    return [import_module(name).router for name in names if find_spec(name)]
