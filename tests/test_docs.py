"""Documents that can be false are tested: commands, help texts, file map, schema, links."""

import ast
import doctest
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from api.cli import app
from observer.observation import Observation, json_schema

ROOT = Path(__file__).parent.parent
SCRIPT = ("demo", "test", "bench", "setup", "help")
READMES = ("README.md", "README.zh-CN.md")
DOCUMENTS = [*READMES, *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))]


def commands(document: str) -> list[str]:
    """The lines of its ```sh blocks, joined where they end in a backslash."""
    text = (ROOT / document).read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def help_of(*command: str) -> str:
    # Rich and click read the width from COLUMNS: the text must not depend on the terminal.
    environment = {"COLUMNS": "90", "TERM": "dumb"}
    runner = CliRunner(env=environment)
    result = runner.invoke(app, [*command, "--help"], prog_name="observer", terminal_width=90)
    assert result.exit_code == 0
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def test_both_readmes_give_the_same_commands() -> None:
    assert commands(READMES[0]) == commands(READMES[1])
    assert "./x demo" in commands(READMES[0])
    assert "./x test" in commands(READMES[0])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_exists_with_its_options(document: str) -> None:
    known = subprocess.run(
        ["sh", "./x", "help"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    for line in commands(document):
        words = line.split("#")[0].split()
        if words[0] == "./x" and words[1] in SCRIPT:
            assert re.search(rf"^  {re.escape(words[1])}\b", known, re.M), line
            continue
        if words[0] in ("observer", "./x"):
            path = words[1:3] if words[1] in ("evaluate", "models") else words[1:2]
            text = help_of(*path)
            for option in (w.split("=")[0] for w in words if w.startswith("--")):
                assert option in text, f"{document}: {line}: no {option}"


def test_the_help_in_the_documents_is_the_programs() -> None:
    """docs/cli.md shows each help text; `python tests/test_docs.py` writes it anew."""
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == cli_document()


def cli_document() -> str:
    parts = ["# Command line\n\nWritten by `python tests/test_docs.py` from the program itself.\n"]
    shown: list[tuple[str, ...]] = [(), ("observe",), ("transcript",)]
    shown += [("label",), ("train",), ("evaluate", "roles"), ("evaluate", "labels"), ("schema",)]
    for command in (*shown, *(("models", name) for name in ("list", "pull", "check"))):
        name = " ".join(("observer", *command))
        parts.append(f"\n## `{name}`\n\n```text\n{help_of(*command)}\n```\n")
    return "".join(parts)


@pytest.mark.parametrize("readme", READMES)
def test_the_notebook_lines_do_what_they_show(readme: str) -> None:
    text = (ROOT / readme).read_text("utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    example = doctest.DocTestParser().get_doctest(block, {}, readme, readme, 0)
    assert len(example.examples) >= 3
    assert doctest.DocTestRunner(verbose=False).run(example).failed == 0


def test_the_published_schema_is_that_of_the_program() -> None:
    published = json.loads((ROOT / "observer" / "observation.schema.json").read_text("utf-8"))
    assert published == json_schema()


def test_the_documented_example_follows_the_schema() -> None:
    text = (ROOT / "docs" / "observation.md").read_text("utf-8")
    example = re.search(r"```json\n(.*?)```", text, flags=re.S)
    assert example
    document = json.loads(example[1])
    jsonschema.validate(document, json_schema())
    observation = Observation.from_json(example[1])
    assert json.loads(observation.to_json()) == document


def mapped(readme: str) -> list[str]:
    """Paths named in the README's file map: "- `path` – what it is"."""
    return re.findall(r"^- `([^`]+)` [–—-]", (ROOT / readme).read_text("utf-8"), flags=re.M)


@pytest.mark.parametrize("readme", READMES)
def test_the_file_map_is_whole_and_true(readme: str) -> None:
    listed = mapped(readme)
    for path in listed:
        assert (ROOT / path).exists(), f"{readme} names {path}, which is not there"
    modules = {
        str(p.relative_to(ROOT))
        for package in ("observer", "models", "api")
        for p in (ROOT / package).rglob("*.py")
        if p.name != "__init__.py"
    }
    covered = {
        m for m in modules for p in listed if m == p or (p.endswith("/") and m.startswith(p))
    }
    assert not modules - covered, f"missing in the file map: {sorted(modules - covered)}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
        assert ((ROOT / document).parent / target).exists(), f"{document}: {target}"


def file_map() -> str:
    """One line a file, from the first sentence of each module's docstring."""
    lines = [
        "- `x` – makes the environment and runs everything; `./x help`",
        "- `pyproject.toml` – dependencies and tool settings",
        "- `constraints.txt` – the versions that were tested together",
        "- `fixtures/` – synthetic lessons with exact truth; worked examples with hand arithmetic",
        "- `tests/` – mirrors the packages",
        "- `docs/` – command line, document and transcript formats, decisions",
    ]
    for package in ("observer", "models", "api", "benchmarks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            if path.name != "__init__.py":
                first = text.split("\n\n")[0].replace("\n", " ").rstrip(".")
                lines.append(f"- `{path.relative_to(ROOT)}` – {first}")
    return "\n".join(lines) + "\n"


def test_the_file_map_is_what_the_modules_say() -> None:
    """`python tests/test_docs.py` writes it anew."""
    assert (ROOT / "README.md").read_text("utf-8").endswith(file_map())


if __name__ == "__main__":
    readme = (ROOT / "README.md").read_text("utf-8")
    head = readme.partition("## File map\n")[0]
    (ROOT / "README.md").write_text(f"{head}## File map\n\n{file_map()}", "utf-8")
    (ROOT / "docs" / "cli.md").write_text(cli_document(), "utf-8")
    (ROOT / "observer" / "observation.schema.json").write_text(
        json.dumps(json_schema(), ensure_ascii=False, indent=1) + "\n", "utf-8"
    )
    sys.stdout.write(
        "written: file map of README.md, docs/cli.md, observer/observation.schema.json\n"
    )
