"""docs/api.md shows code; it must do what it says."""

import re
import time
from pathlib import Path
from typing import Any

from api.webhooks import signature

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"


def shown(name: str) -> Any:
    """The function `name` as the document gives it."""
    for block in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), flags=re.S):
        if f"def {name}(" in block:
            space: dict[str, Any] = {}
            exec(block, space)
            return space[name]
    raise AssertionError(f"docs/api.md has no function {name}")


def test_the_check_of_a_webhooks_signature() -> None:
    genuine, body, moment = shown("genuine"), b'{"event": "run.ended"}', int(time.time())
    assert genuine(signature("secret", body, moment), body, "secret")
    assert not genuine(signature("other", body, moment), body, "secret")
    assert not genuine(signature("secret", body, moment), body + b" ", "secret")
    assert not genuine(signature("secret", body, moment - 301), body, "secret")  # sent again


class Parts:
    """Answers three lessons in parts of two, as `GET /lessons` does."""

    def get(self, _address: str, params: dict[str, str]) -> "Parts":
        self.asked = params
        return self

    def raise_for_status(self) -> "Parts":
        return self

    def json(self) -> dict[str, object]:
        last = self.asked.get("after") == "cursor"
        return {"items": [3] if last else [1, 2], "next": None if last else "cursor"}


def test_the_loop_over_parts_of_a_list() -> None:
    assert list(shown("lessons")(Parts())) == [1, 2, 3]
