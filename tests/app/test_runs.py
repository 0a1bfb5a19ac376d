"""Run folders: found by name, held by one process at a time."""

import os
from pathlib import Path

import pytest

from kithnet.app.runs import all_runs, find_run, held, new_run
from kithnet.runtime.config import Config
from kithnet.runtime.errors import StorageError, UnknownRun, WorldBusy


def test_runs_begun_in_the_same_second_get_names_of_their_own(tmp_path: Path) -> None:
    made = [new_run(tmp_path, "ask", Config()) for _ in range(4)]
    assert len({run.id for run in made}) == 4
    assert all(run.id.startswith("ask-") for run in made)
    assert {run.id for run in all_runs(tmp_path)} == {run.id for run in made}


def test_a_run_keeps_its_settings(tmp_path: Path) -> None:
    config = Config.load(None, ["recall.k=7"])
    assert Config.load(new_run(tmp_path, "ask", config).config) == config


def test_a_run_is_found_by_name_or_as_the_last(tmp_path: Path) -> None:
    first, second = (new_run(tmp_path, command, Config()) for command in ("ask", "chat"))
    os.utime(first.config, (1, 1))
    assert [run.id for run in all_runs(tmp_path)] == [first.id, second.id]
    assert find_run(tmp_path, "last").id == second.id
    assert find_run(tmp_path, first.id).folder == first.folder


def test_an_unknown_run_is_told_with_near_matches(tmp_path: Path) -> None:
    run = new_run(tmp_path, "ask", Config())
    with pytest.raises(UnknownRun) as raised:
        find_run(tmp_path, run.id[:-1] + "x")
    assert run.id in raised.value.hint
    with pytest.raises(UnknownRun):
        find_run(tmp_path / "empty", "last")


def test_a_folder_without_settings_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "runs" / "stray").mkdir(parents=True)
    assert all_runs(tmp_path) == []
    assert all_runs(tmp_path / "nowhere") == []


def test_only_one_may_hold_a_run_and_it_is_free_again_after_a_failure(tmp_path: Path) -> None:
    run = new_run(tmp_path, "ask", Config())
    with pytest.raises(ValueError, match="inside"), held(run):
        with pytest.raises(WorldBusy, match=run.id), held(run):
            pass
        raise ValueError("inside")
    with held(run):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(StorageError, match="cannot make") as raised:
        new_run(tmp_path, "ask", Config())
    assert raised.value.hint
