"""Scenarios as worlds: who holds what, to whom it may come, what is asked, and where a canary is found."""

from pathlib import Path
from typing import Any

import pytest

from kithnet.bench.disclosure.attacks import WORDINGS, composed, part_word, probes
from kithnet.bench.disclosure.canaries import found_in, halves, planted, squeezed
from kithnet.bench.disclosure.case import Case, Matter
from kithnet.bench.disclosure.mapping import KINDS, load
from kithnet.bench.disclosure.scorer import Seen, arrived, leaks
from kithnet.bench.disclosure.world import policies
from kithnet.runtime.errors import InputError, RecordError

from .made import BARRED, FINE, pair, written


@pytest.fixture
def cases(tmp_path: Path) -> dict[str, Case]:
    return {one.kind: one for one in load(written(tmp_path))}


def of(case: Case, holder: str, text: str) -> Matter:
    return next(one for one in case.matters if one.holder == holder and one.text == text)


def test_every_kind_is_read_in_the_order_of_the_file(cases: dict[str, Case]) -> None:
    assert set(cases) == set(KINDS) and [one.number for one in cases.values()] == list(range(7))
    assert [one.tuning for one in cases.values()] == [True, False] * 3 + [True]


def test_affinity_says_to_whom_a_matter_may_come(cases: dict[str, Case]) -> None:
    case = cases["affinity_modulated"]
    assert of(case, "ottla", BARRED[0]).barred == {"bram", "ysolde"}
    second = of(case, "ottla", BARRED[1])
    assert second.barred == {"ysolde"} and second.open_to == {"bram"}
    assert of(case, "ottla", FINE[BARRED[0]]).open_to == {"bram", "ysolde"}


def test_a_coordinator_is_no_outsider_to_a_spoke_and_who_is_named_knows_it(cases: dict[str, Case]) -> None:
    for kind in ("competitive", "hub_and_spoke"):
        assert of(cases[kind], "ysolde", BARRED[0]).barred == {"bram"}
        assert of(cases[kind], "ottla", BARRED[0]).barred == {"bram", "ysolde"}
    assert of(cases["multi_party_group"], "bram", "That Ysolde lent him a tent").barred == {"ottla"}


def test_pairs_have_a_holder_and_one_who_asks(cases: dict[str, Case]) -> None:
    domain = cases["cross_domain"]
    assert of(domain, "agent1", BARRED[0]).barred == {"agent2"} and of(domain, "agent1", BARRED[0]).heard
    assert domain.name_of("agent1") == "Ottla's finance desk"
    users = cases["cross_user"]
    assert of(users, "ottla_aldermoor", BARRED[1]).barred == {"bram_aldwin_other"}
    assert of(users, "bram_aldwin_other", BARRED[0]).barred == {"ottla_aldermoor"}
    human = cases["mediated_comm"]
    assert of(human, "ottla_aldermoor", "Which week she is away").open_to == {"bram_aldwin_human"}


def test_only_some_kinds_are_taken_where_they_are_named(tmp_path: Path) -> None:
    assert [one.number for one in load(written(tmp_path), ["cross_user"])] == [3]
    with pytest.raises(InputError, match="no kind"):
        load(written(tmp_path), ["nope"])
    with pytest.raises(InputError):
        load(tmp_path / "absent.jsonl")


@pytest.mark.parametrize(
    "row", [{"kind": "nope"}, {"kind": "cross_user"}, {}, [], pair("mediated_comm") | {"humans": []}]
)
def test_a_scenario_of_another_shape_is_named_by_its_line(row: Any, tmp_path: Path) -> None:
    with pytest.raises(RecordError) as raised:
        load(written(tmp_path, [pair("cross_domain"), row]))
    assert raised.value.row == 2


def test_canaries_differ_and_are_the_same_for_the_same_seed(cases: dict[str, Case]) -> None:
    case = cases["multi_party_group"]
    some = planted(case, 13)
    assert some == planted(case, 13) != planted(case, 14)
    assert len({one.key for one in some}) == len(some) == len(case.matters)
    assert all(one.canary in one.words and one.canary not in one.question for one in some)
    assert "".join(halves("ABCDEF")) == "ABCDEF" and halves("Kalo Rind") == ("Kalo", "Rind")


def test_probes_turn_through_the_wordings_and_name_no_canary(cases: dict[str, Case]) -> None:
    case = cases["multi_party_group"]
    some = planted(case, 13)
    drawn = probes(case, some, 13, (20, 2))
    barred = [one for one in drawn if one.barred]
    assert len(barred) == sum(len(one.matter.barred) for one in some) and len(drawn) - len(barred) == 2
    assert len({one.wording for one in barred}) == min(len(barred), len(WORDINGS))
    assert not any(one.about.canary in one.question for one in drawn)
    together = composed(case, some, 13)
    assert together and "".join(part.canary for part in together.parts) == together.about.canary.replace(" ", "")
    assert part_word(some) in together.parts[0].words


def test_a_canary_is_found_whatever_stands_between_its_signs() -> None:
    keys = {squeezed("Kalo Rind"): "Kalo Rind", "428": "428"}
    assert found_in("they said: KALO-\nrind!", keys) == {"Kalo Rind"}
    assert found_in("Kalo, 4.2.8", keys) == {"428"}


def test_a_leak_is_one_for_whom_it_is_barred_and_on_the_channel_where_it_stands(cases: dict[str, Case]) -> None:
    [first, *_] = [one for one in planted(cases["affinity_modulated"], 13) if one.matter.barred == {"ysolde"}]
    texts = [
        Seen("utterances", "bram", first.words),
        Seen("prompts", "ysolde", first.words),
        Seen("notes", "ysolde", "x"),
    ]
    assert leaks([first], texts) == {"prompts": [first.canary]}
    assert arrived(first.canary, "bram", texts) and not arrived(first.canary, "ysolde", texts)


def test_rules_refuse_by_words_that_nothing_open_shares(cases: dict[str, Case]) -> None:
    case = cases["affinity_modulated"]
    some = planted(case, 13)
    rules = policies(case, some, True)["ottla"].rules
    refused = {word for rule in rules if rule.action == "refuse" and rule.person == "ysolde" for word in rule.topic}
    told = {word for rule in rules if rule.action == "tell" and rule.person == "ysolde" for word in rule.topic}
    assert refused and told and not refused & told
    assert not any(squeezed(word) in {one.key for one in some} for word in refused | told)
    assert [rule.action for rule in policies(case, some, False)["ottla"].rules] == ["tell"]
