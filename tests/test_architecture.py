"""The arrow `api -> models -> observer`, and that importing the domain stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "observer": {"observer"},
    "models": {"models", "observer"},
    "api": {"api", "models", "observer"},
}
# Libraries that the domain must not know at all: engines, web, database.
FOREIGN_TO_OBSERVER = {"torch", "onnxruntime", "whisper", "fastapi", "sqlmodel", "sklearn", "typer"}


def imported_by(path: Path) -> set[str]:
    """Top-level packages that a module imports anywhere, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; absolute ones show the arrow"
            found.add((node.module or "").split(".")[0])
    return found


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", ALLOWED)
def test_arrow(package: str) -> None:
    assert modules(package), "the package is there"
    for path in modules(package):
        wrong = (imported_by(path) & set(ALLOWED)) - ALLOWED[package]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}: against the arrow"


def test_the_domain_knows_no_engine_web_or_database() -> None:
    for path in modules("observer"):
        wrong = imported_by(path) & FOREIGN_TO_OBSERVER
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_the_checker_sees_a_wrong_arrow(tmp_path: Path) -> None:
    """The test above can fail: a function-level import is found too."""
    module = tmp_path / "wrong.py"
    module.write_text("def f():\n    from models.vad import SileroVad\n")
    assert imported_by(module) == {"models"}


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return {name.split(".")[0] for name in run.stdout.split()}


@pytest.mark.parametrize(
    "module", ["observer", "observer.pipeline", "observer.observation", "models", "api.cli"]
)
def test_imports_stay_light(module: str) -> None:
    """Neither the domain, nor the engine tables, nor `observer --help` wait for heavy libraries.

    What is loaded is asserted rather than seconds: it is the cause, and does not flicker.
    """
    heavy = {"torch", "fastapi", "spacy", "sklearn", "whisper", "onnxruntime", "altair", "av"}
    assert not loaded_after(f"import {module}") & heavy


def test_no_module_asserts_or_hides() -> None:
    """`assert` vanishes under -O and a broad except hides defects: neither is in the product."""
    for package in ALLOWED:
        for path in modules(package):
            tree = ast.parse(path.read_text("utf-8"))
            assert path.read_text("utf-8").strip() == "" or ast.get_docstring(tree), (
                f"{path.relative_to(ROOT)} has no docstring"
            )
            for node in ast.walk(tree):
                assert not isinstance(node, ast.Assert), f"{path.relative_to(ROOT)}:{node.lineno}"
