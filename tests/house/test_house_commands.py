"""Every command is documented, with an example that is a command, and the reference is up to date."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from kithnet.app.cli import build
from kithnet.app.cli.reference import commands, example, is_group, main, reference

ROOT = Path(__file__).resolve().parents[2]
TREE = [pytest.param(name, node, id=name) for name, node in commands(typer.main.get_command(build()))]


def test_the_command_reference_is_up_to_date() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == reference(), "run `make docs`"


def test_the_reference_is_written_to_the_file_that_is_named(tmp_path: Path) -> None:
    assert main([str(tmp_path / "commands.md")]) == 0
    assert (tmp_path / "commands.md").read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize("width", ["40", "200"])
def test_the_reference_does_not_depend_on_the_terminal(width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = reference()
    monkeypatch.setenv("COLUMNS", width)
    assert reference() == before


@pytest.mark.parametrize(("name", "node"), TREE)
def test_a_command_says_what_it_does(name: str, node: Any) -> None:
    assert (node.help or "").strip(), name
    for parameter in node.params:
        assert is_group(node) or parameter.name == "help" or parameter.help, f"{name}: {parameter.name}"


@pytest.mark.parametrize(("name", "node"), TREE)
def test_a_command_has_an_example_of_itself_and_json(name: str, node: Any) -> None:
    if is_group(node):
        return
    words = shlex.split(example(node))
    assert " ".join(words).startswith(name), f"{name} has the example {words}"
    context = node.make_context(name, words[len(name.split()) :])
    assert "as_json" in context.params
