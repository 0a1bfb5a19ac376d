"""The arrows between the rooms (docs/architecture.md), and what an import may do: nothing."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("agents", "app", "bench", "memory", "network", "runtime")
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "runtime": ("runtime",),
    "network": ("network", "runtime.errors"),
    "memory": ("memory", "runtime.errors"),
    "agents": ("agents", "memory", "network", "runtime.chat", "runtime.errors", "runtime.fencing", "runtime.trace"),
    "bench": ROOMS,
    "app": ROOMS,
}
HEAVY = (
    "llama_cpp", "chromadb", "langgraph", "openai", "matplotlib", "scipy", "sqlalchemy", "networkx", "numpy", "fastapi",
    "uvicorn",
)  # fmt: skip
QUICK_COMMANDS = (
    "--help",
    "world --help",
    "world generate --help",
    "world list",
    "model list",
    "ask --help",
    "chat --help",
    "serve --help",
    "simulate --help",
    "trace --help",
    "doctor --help",
    "bench headline --help",
)


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the product: ("memory.store", its file)."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, what is imported) of a module, wherever the import stands; `from a import b` gives "a.b"."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def test_rooms_import_only_what_the_map_allows() -> None:
    wrong = []
    for name, path in modules():
        allowed = MAY_IMPORT[name.partition(".")[0]]
        for line, imported in imports(path):
            if imported.startswith("."):
                wrong.append(f"{name}:{line} imports relatively: {imported}")
            ours = imported.removeprefix("kithnet.")
            if ours != imported and not any(ours == one or ours.startswith(f"{one}.") for one in allowed):
                wrong.append(f"{name}:{line} imports {imported}")
    assert wrong == []


def test_the_rooms_are_imported_as_kithnet_and_never_by_their_bare_names() -> None:
    bare = [
        f"{name}:{line} imports {imported}"
        for name, path in modules()
        for line, imported in imports(path)
        if imported.partition(".")[0] in ROOMS
    ]
    assert bare == []


def test_no_module_is_named_after_a_library_it_stands_beside() -> None:
    libraries = {*HEAVY, "typer", "rich", "httpx", "pydantic", "jinja2", "psutil", "gguf", "filelock", "platformdirs"}
    assert [name for name, _ in modules() if name.rpartition(".")[2] in libraries] == []


TRAINING = {"bench.reading.encoder", "bench.reading.speaking", "bench.reading.train"}
"""They need PyTorch, which only the extra `train` installs."""


def test_importing_every_module_touches_nothing_on_disk(tmp_path: Path) -> None:
    home, here, temporary = (tmp_path / name for name in ("home", "here", "tmp"))
    for folder in (home, here, temporary):
        folder.mkdir()
    names = [f"kithnet.{name}" for name, _ in modules() if name not in TRAINING]
    script = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    environ = {"HOME": str(home), "TMPDIR": str(temporary), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *names], cwd=here, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.parent != tmp_path] == []


@pytest.mark.parametrize("command", QUICK_COMMANDS)
def test_a_command_that_needs_no_model_imports_nothing_heavy(command: str, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom kithnet.app.cli import main\nstatus = main(sys.argv[1:])\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\nsys.exit(status)"
    )
    environ = {**os.environ, "KITHNET_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", script, *command.split()], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == ""
    assert not (tmp_path / "home").exists()
