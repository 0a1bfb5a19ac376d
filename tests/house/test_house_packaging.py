"""What is installed: the folders of the house under one name, with their data files, and nothing else."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("agents", "app", "bench", "memory", "network", "runtime")
NOT_CODE = {"__pycache__", "data", "prompts", "templates", "phrases", "examples"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as it would be published, built from a copy without caches and earlier builds."""
    place = tmp_path_factory.mktemp("wheel")
    copy = place / "kithnet"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    done = subprocess.run([*command, "--wheel-dir", str(place), str(copy)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = place.glob("*.whl")
    return zipfile.ZipFile(built)


def folders() -> list[Path]:
    """Folders of the house that hold modules."""
    inside = (path for room in ROOMS for path in (ROOT / room, *(ROOT / room).rglob("*")) if path.is_dir())
    return sorted(path for path in inside if not NOT_CODE & set(path.relative_to(ROOT).parts))


def test_the_packages_that_are_declared_are_the_folders_on_disk(project: dict[str, Any]) -> None:
    on_disk = [".".join(("kithnet", *path.relative_to(ROOT).parts)) for path in folders()]
    assert project["tool"]["setuptools"]["packages"] == on_disk
    assert [str(path) for path in folders() if not (path / "__init__.py").is_file()] == []


def test_every_room_says_that_it_is_typed() -> None:
    assert [room for room in ROOMS if not (ROOT / room / "py.typed").is_file()] == []


def test_the_name_kithnet_is_a_namespace() -> None:
    assert not (ROOT / "__init__.py").exists()


def test_a_wheel_installs_only_kithnet(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"kithnet"}
    assert not [name for name in wheel.namelist() if "/tests/" in name or "/docs/" in name]


def test_a_wheel_holds_every_file_of_the_rooms(wheel: zipfile.ZipFile) -> None:
    here = {
        f"kithnet/{path.relative_to(ROOT).as_posix()}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert here - set(wheel.namelist()) == set()


def test_a_wheel_gives_the_command_kith_and_carries_the_licence(wheel: zipfile.ZipFile) -> None:
    (entry,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "kith = kithnet.app.cli:main" in wheel.read(entry).decode()
    assert [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
