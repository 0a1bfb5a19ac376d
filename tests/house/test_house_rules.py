"""House rules that code can check: sizes, errors, what is caught, what may not stand in a tracked file."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

from kithnet.runtime import errors
from kithnet.runtime.errors import KithnetError

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("agents", "app", "bench", "memory", "network", "runtime")
MODULE_LINES, FUNCTION_LINES = 450, 60
BROAD = {"Exception", "BaseException"}
MAY_CATCH_ALL = {
    "app/worlds.py": "a half-made world is removed, then the error goes on",
    "memory/chroma.py": "Chroma raises its Rust part's errors as bare Exceptions; they are told as ours",
    "memory/database.py": "a transaction is rolled back, then the error goes on",
    "memory/store.py": "a half-opened database is closed, then the error goes on",
    "runtime/engine/encoder.py": "whatever ends an embedding thread is told to all who wait for it",
    "runtime/engine/jobs.py": "a grammar is freed, then the error goes on",
    "runtime/engine/thread.py": "whatever ends the engine's thread is told to all who wait for it",
    "runtime/hook.py": "what a hook raises inside the C callback is kept and raised after the decode",
    "runtime/local.py": "a half-loaded model is freed first; what a listener raises is raised where the reply is awaited",
}
TREE_LINE = re.compile(r"(?P<branches>(?:[│ ]   )*(?:[├└]── )?)(?P<name>\w+)")
MACHINE_PATH = re.compile(r"(?<![\w.~$}])/(?:root|home/\w+|Users/\w+|work)/[\w.-]")


def sources() -> Iterator[tuple[str, ast.Module, int]]:
    """(path, tree, lines) of every module of the product."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            yield path.relative_to(ROOT).as_posix(), ast.parse(text), len(text.splitlines())


def test_a_module_stays_short() -> None:
    assert {path: lines for path, _, lines in sources() if lines > MODULE_LINES} == {}


def test_a_function_stays_short() -> None:
    long = {}
    for path, tree, _ in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long[f"{path}:{node.name}"] = lines
    assert long == {}


def test_every_module_and_public_class_says_what_it_is() -> None:
    silent = []
    for path, tree, _ in sources():
        if not ast.get_docstring(tree):
            silent.append(path)
        for node in tree.body:
            is_error = isinstance(node, ast.ClassDef) and path == "runtime/errors.py"  # its tree says it
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not is_error:
                documented = ast.get_docstring(node) or any(
                    ast.get_docstring(part) for part in node.body if _is_method(part)
                )
                silent += [] if documented or _is_shape(node) else [f"{path}:{node.name}"]
    assert silent == []


def _is_method(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _is_shape(node: ast.ClassDef) -> bool:
    """A small row or Protocol whose attributes say everything."""
    return all(isinstance(part, ast.AnnAssign) or _is_method(part) for part in node.body)


def test_only_those_who_pass_errors_on_catch_all_of_them() -> None:
    found = set()
    for path, tree, _ in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                if any(one is None or (isinstance(one, ast.Name) and one.id in BROAD) for one in caught):
                    found.add(path)
    assert found == set(MAY_CATCH_ALL)


def drawn_errors() -> dict[str, str]:
    """Class -> parent, as the docstring of runtime/errors.py draws them."""
    lines = (errors.__doc__ or "").splitlines()
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in lines[lines.index("KithnetError") :]:
        if match := TREE_LINE.match(line):
            depth = len(match["branches"]) // 4
            above[depth:] = [match["name"]]
            parents[match["name"]] = above[depth - 1] if depth else ""
    return parents


def test_the_tree_of_errors_is_as_it_is_drawn() -> None:
    classes = {
        name: "" if one is KithnetError else one.__bases__[0].__name__
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, KithnetError)
    }
    assert drawn_errors() == classes


def test_every_error_has_its_exit_status_by_its_branch() -> None:
    for name in drawn_errors():
        one: type[KithnetError] = getattr(errors, name)
        assert one.exit_status == (2 if issubclass(one, errors.InputError) else 1), name


def test_no_tracked_file_names_a_place_on_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    named = []
    for name in listed.stdout.split():
        path = ROOT / name
        if not path.is_file() or path.suffix in (".png", ".svg", ".npz"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if MACHINE_PATH.search(line):
                named.append(f"{name}:{number}: {line.strip()[:100]}")
    assert named == []


def test_nothing_is_evaluated_and_no_output_is_left_behind() -> None:
    wrong = []
    for path, tree, _ in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                wrong.append(f"{path}:{node.lineno} calls {node.func.id}")
    assert wrong == []
