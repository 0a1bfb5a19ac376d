"""Whom an agent without a partner asks: those its own memory speaks for, and nobody who may not hear the question."""

from kithnet.agents.dialogue.routing import asked_already, route
from kithnet.agents.disclosure.policy import Policy
from kithnet.app.cast import Cast
from kithnet.memory.store import Store


def test_nobody_is_asked_who_may_not_be(key_world: Store) -> None:
    agent = Cast(key_world, Policy()).agent("ben")
    everybody = [one.person for one in route(agent, "Where is the spare key?")]
    assert len(everybody) > 1
    barred = everybody[0]
    rest = route(agent, "Where is the spare key?", lambda asker, question, person: person != barred)
    assert [one.person for one in rest] == everybody[1:]
    assert route(agent, "Where is the spare key?", lambda *_: False) == ()


def test_a_question_is_known_as_it_is_put_and_as_it_is_read() -> None:
    found = asked_already("Can you tell me where the key is?", {"ben", "ana"})
    assert found["Can you tell me where the key is?"] == ["ana", "ben"]
    assert all(people == ["ana", "ben"] for people in found.values())
    assert asked_already("Where?", ()) == {}
