"""Fixtures that more than one package's tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def _chromium() -> str | None:
    """A Chromium: $CHROMIUM, one on the PATH, or the one that playwright downloaded."""
    named = os.environ.get("CHROMIUM")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = named or next((p for n in names if (p := shutil.which(n))), None)
    if found:
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A real Chromium. Without one the test fails, unless OBSERVER_NO_BROWSER=1 asks to skip."""
    from playwright.sync_api import sync_playwright

    if os.environ.get("OBSERVER_NO_BROWSER") == "1":
        pytest.skip("OBSERVER_NO_BROWSER=1")
    executable = _chromium()
    if executable is None:
        pytest.fail(
            "No Chromium was found: install one (apt install chromium, or "
            "`playwright install chromium`), name it in $CHROMIUM, or set OBSERVER_NO_BROWSER=1."
        )
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield opened
        opened.close()
