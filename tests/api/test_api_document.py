"""Documents of the service: the code they show does what they say, the tests they name exist."""

import re
import time
from pathlib import Path
from typing import Any

from api.webhooks import signature

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "api.md"


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


def test_the_threat_model_names_tests_that_are_there() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
    named = set(re.findall(r"`((?:tests/\w+/)?test_\w+\.py)`", text))
    assert len(named) > 10
    for name in named:
        assert (ROOT / (name if "/" in name else f"tests/api/{name}")).is_file(), name
