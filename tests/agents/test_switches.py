"""Abilities that can be turned off: the plan of unknowns, and the search in memory."""

from typing import Any

TWO = "Where is the spare key? Who feeds the cat?"


def test_without_a_plan_the_task_is_one_unknown(bench: Any) -> None:
    store = bench.world([("ben", "dora", "The spare key is under the pot."), ("ana", "ben", "Hello.")])
    for infonav in (True, False):
        talk = bench.talk(store, "Where is the spare key kept?", ("ana", "ben"), name=f"one {infonav}", infonav=infonav)
        assert bool(talk.events("plan")) == infonav
    assert len(bench.talk(store, TWO, ("ana", "ben"), name="two").state["ledgers"]["ana"]["rationales"]) == 3
    assert (
        len(bench.talk(store, TWO, ("ana", "ben"), name="one", infonav=False).state["ledgers"]["ana"]["rationales"])
        == 1
    )


def test_without_a_memory_an_agent_sees_its_latest_messages_and_nothing_older(bench: Any) -> None:
    talk = [("ben", "dora", f"Small talk number {n} about the weather.") for n in range(20)]
    store = bench.world([("ben", "dora", "The spare key is under the pot."), *talk, ("ana", "ben", "Hello.")])
    searched = bench.talk(store, "Where is the spare key?", ("ana", "ben"), name="with")
    assert searched.state["result"]["citations"] == ["m1"]
    blind = bench.talk(store, "Where is the spare key?", ("ana", "ben"), name="without", memory=False)
    assert "m1" not in blind.state["result"]["citations"]
    recalled = [event for event in blind.events("recall") if event["person"] == "ben"]
    assert recalled and all(event["mode"] == "latest" for event in recalled)
    shown = [hit for hit, _ in recalled[0]["hits"]]
    assert shown[0] == "m22" and "m1" not in shown
    assert [int(one[1:]) for one in shown] == sorted((int(one[1:]) for one in shown), reverse=True)
