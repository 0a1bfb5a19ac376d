"""T1 and T2 chosen by what they cost, kept beside the store."""

from pathlib import Path

import pytest

from kithnet.runtime.errors import StoreError
from kithnet.runtime.offload.routing import record
from kithnet.runtime.offload.tuning import keep, kept, kept_in, tune

from .running import make, tokens


def test_more_lowering_costs_more_and_the_cheapest_within_the_limit_is_chosen(tmp_path: Path) -> None:
    made = make(tmp_path)
    routing = record(made.model, tokens(300))
    shares = ((1.0, 0.0, 0.0), (0.75, 0.25, 0.0), (0.5, 0.5, 0.0))
    found = tune(made.store, routing, tokens(128, seed=1), shares=shares, limit=1.0)
    exact, some, most = found.rows
    assert exact.kl < 1e-4 and exact.agreement == 1.0
    assert exact.kl < some.kl < most.kl
    assert exact.bytes > some.bytes > most.bytes
    assert found.chosen == most and found.positions == 128
    strict = tune(made.store, routing, tokens(128, seed=1), shares=shares, limit=(some.kl + most.kl) / 2)
    assert strict.chosen == some


def test_a_choice_is_kept_and_read_again(tmp_path: Path) -> None:
    made = make(tmp_path)
    assert kept(made.store.path) is None
    found = tune(made.store, record(made.model, tokens(150)), tokens(128), shares=[(0.5, 0.5, 0.0)], limit=9.0)
    assert found.chosen is not None
    keep(made.store.path, found.chosen)
    assert kept(made.store.path) == found.chosen.thresholds
    kept_in(made.store.path).write_text("{}")
    with pytest.raises(StoreError, match="cannot be understood"):
        kept(made.store.path)


def test_nothing_is_chosen_where_nothing_is_within_the_limit(tmp_path: Path) -> None:
    made = make(tmp_path)
    found = tune(made.store, record(made.model, tokens(150)), tokens(128), shares=[(0.5, 0.5, 0.0)], limit=-1.0)
    assert found.chosen is None and found.rows
