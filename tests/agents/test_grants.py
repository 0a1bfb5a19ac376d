"""Grants, composition, and to whom a question may be put: what widens and what narrows the rules of disclosure."""

import asyncio
import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from kithnet.agents.disclosure import asking
from kithnet.agents.disclosure.gate import Past, given_away
from kithnet.agents.disclosure.grants import fits
from kithnet.agents.disclosure.policy import Action, Policy, Rule
from kithnet.agents.disclosure.sensitivity import Item
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.wording import content_stems
from kithnet.app.cast import Cast
from kithnet.app.run_views import seen
from kithnet.memory.grants import Grant, now
from kithnet.memory.language.text import words
from kithnet.memory.store import Store

from .conftest import KEY, as_text

SECRET = Item(("m1",), "The engine of my boat broke on Friday.", "the engine broke", "confidence", frozenset(), id="m1")
OPEN = Grant("g1", "ben", None, None, "", "", "always", None, datetime(2024, 1, 1))


# --- the words of a grant ---


@pytest.mark.parametrize(
    ("change", "fitting"),
    [
        ({}, True),
        ({"item": "m1"}, True),
        ({"item": "m2"}, False),
        ({"topic": "boats"}, True),
        ({"topic": "the boat's engine"}, True),
        ({"topic": "boat wedding"}, False),  # a grant widens: all its words must stand in the item
        ({"topic": "of the"}, False),
        ({"purpose": "repairs"}, True),
        ({"purpose": "repair on Sunday"}, False),
    ],
)
def test_a_grant_fits_by_item_topic_and_purpose_read_narrowly(change: dict[str, Any], fitting: bool) -> None:
    assert fits(replace(OPEN, **change), SECRET, "Who repairs it?") is fitting


def test_a_grant_of_a_message_covers_a_memory_of_that_message_alone() -> None:
    grant = replace(OPEN, item="m1")
    assert fits(grant, replace(SECRET, id="k3"), "") and fits(replace(OPEN, item="k3"), replace(SECRET, id="k3"), "")
    assert not fits(grant, replace(SECRET, id="k3", messages=("m1", "m2")), "")


def test_a_grant_that_is_used_up_over_or_revoked_is_not_open() -> None:
    at = now()
    assert OPEN.open_at(at) and replace(OPEN, until=at + timedelta(1)).open_at(at)
    assert not replace(OPEN, until=at).open_at(at) and not replace(OPEN, revoked_at=at).open_at(at)
    assert replace(OPEN, term="once").open_at(at) and not replace(OPEN, term="once", uses=1).open_at(at)


# --- in an agent ---


LINES = [
    ("ana", "ben", "Nice weather."),
    ("dora", "ben", "Between us: the spare key is under the blue flower pot."),
    ("ben", "cleo", "Hello."),
]


def weighed(agent: PersonalAgent, item: str, partner: str, task: str = KEY) -> tuple[bool, str]:
    hit = agent.memory.message(item)
    _, decision = asyncio.run(agent.weigh(agent.evidence(hit), "", hit.text, partner, task))
    return decision.told, decision.rule


@pytest.mark.parametrize("policy", [Policy(), Policy((Rule("refuse"),)), Policy((Rule("ask"),))])
def test_once_always_and_until_tell_what_the_rules_would_not(bench: Any, policy: Policy) -> None:
    store = bench.world(LINES)
    ben = Cast(store, policy).agent("ben")
    assert not weighed(ben, "m2", "ana")[0]
    once = ben.memory.grants.give(person="ana", term="once", item="m2")
    assert not weighed(ben, "m2", "cleo")[0]
    assert weighed(ben, "m2", "ana") == (True, f"grant {once.id} (once to ana)")
    assert not weighed(ben, "m2", "ana")[0]  # used up
    always = ben.memory.grants.give(person="ana", term="always", topic="spare key", purpose="spare")
    assert weighed(ben, "m2", "ana")[0] and weighed(ben, "m2", "ana")[0]
    assert not weighed(ben, "m2", "ana", "What is new?")[0]  # another purpose
    ben.memory.grants.revoke(always.id)
    assert not weighed(ben, "m2", "ana")[0]
    ben.memory.grants.give(person="ana", term="until", until=now() + timedelta(hours=1))
    assert weighed(ben, "m2", "ana")[0]


def test_a_grant_is_not_used_up_by_what_may_be_told_anyway(bench: Any) -> None:
    store = bench.world([*LINES, ("ed", "ben", "The hockey game starts at seven.")])
    ben = Cast(store, Policy()).agent("ben")
    ben.memory.grants.give(person="ana", term="once")
    assert weighed(ben, "m4", "ana") == (True, "default: ordinary")
    assert weighed(ben, "m2", "dora") == (True, "the partner was there")
    assert ben.memory.grants.every()[0].uses == 0


def test_two_dialogues_at_once_cannot_both_use_a_once(bench: Any) -> None:
    store = bench.world(LINES)
    ben = Cast(store, Policy()).agent("ben")
    ben.memory.grants.give(person="ana", term="once")
    hit = ben.memory.message("m2")

    async def both() -> list[bool]:
        weighs = [ben.weigh(ben.evidence(hit), "", hit.text, "ana", f"task {n}") for n in range(8)]
        return [decision.told for _, decision in await asyncio.gather(*weighs)]

    assert sum(asyncio.run(both())) == 1


def test_a_dialogue_tells_under_a_grant_and_revoking_it_closes_what_was_heard(bench: Any) -> None:
    """Ben tells Ana under a grant; Ana notes it; Ana's agent tells Cleo; then Ben thinks better of it."""
    store = bench.world([*LINES, ("ana", "cleo", "Shall we meet?")])
    grant = store.owner("ben").grants.give(person="ana", term="always", item="m2")
    talk = bench.talk(store, KEY, ("ana", "ben"), journal=True)
    assert "flower pot" in talk.state["result"]["answer"]
    assert [d["rule"] for d in talk.state["disclosures"] if d["told"]] == [f"grant {grant.id} (always to ana)"]
    tell = Policy((Rule("tell"),))
    (noted,) = [m for m in store.owner("ana").memories() if "flower pot" in m.text]
    store.owner("ana").grants.give(person="cleo", term="always", item=noted.id)
    on = bench.talk(store, KEY, ("cleo", "ana"), policy=tell, journal=True, name="t2")
    assert "flower pot" in on.state["result"]["answer"]
    assert any("flower pot" in m.text for m in store.owner("cleo").memories())
    done = store.owner("ben").grants.revoke(grant.id)
    assert done.closed.keys() == {"ana", "cleo"}  # what was passed on, too
    for person in ("ana", "cleo"):
        assert not any("flower pot" in hit.text for hit in store.owner(person).recall(KEY).hits)
    again = bench.talk(store, KEY, ("cleo", "ana"), policy=tell, name="t3", depth=0)
    assert not again.state["result"]["known"]


# --- composition ---


def test_facts_that_together_give_away_a_refused_one_are_refused_over_runs(bench: Any) -> None:
    """The secret is refused; each of two open remarks may be told; both to the same person may not."""
    store = bench.world(
        [
            ("ana", "ben", "Nice weather."),
            ("dora", "ben", "Between us: Dora marries Emil secretly, Lisbon, the castle chapel, September."),
            ("ed", "ben", "Dora and Emil booked a flight to Lisbon in September."),
            ("ed", "ben", "Emil asked who marries people in the castle chapel of Lisbon, secretly."),
            ("ben", "cleo", "Hello."),
        ]
    )

    def told(item: str, partner: str, task: str) -> bool:
        ben = Cast(store, Policy()).agent("ben")  # each in a run of its own
        found, rule = weighed(ben, item, partner, task)
        ben.memory.disclose([item], partner=partner, task=task, rule=rule, action="tell" if found else "refuse")
        return found

    assert not told("m2", "ana", "What is new?")
    assert told("m3", "ana", "Who flies where?")
    assert not told("m4", "ana", "What did he ask?")
    assert told("m4", "cleo", "What did he ask?")  # to another, who was told nothing
    assert "composition" in weighed(Cast(store, Policy()).agent("ben"), "m4", "ana")[1]


def test_composition_counts_only_what_hangs_together_and_adds_something() -> None:
    past = Past({"m3": "Dora flies to Lisbon in June."}, {"m1": "Dora's wedding is in Lisbon in June, at the castle."})
    other = replace(SECRET, id="m9", messages=("m9",), value="")
    assert given_away(replace(other, text="The wedding of somebody is at the castle."), past, "") == "m1"
    assert given_away(replace(other, text="The castle has a tower."), past, "") is None
    assert given_away(replace(other, text="Dora flies to Lisbon in June."), past, "") is None  # adds nothing
    assert given_away(replace(other, id="m1", text="Dora's wedding is at the castle in Lisbon."), past, "") is None
    assert given_away(replace(other, text="The wedding is at the castle."), Past(past.told, {}), "") is None


def test_composition_sees_a_word_that_is_told_in_pieces() -> None:
    secret = {"m1": "The code of the boathouse is GRRVZN8234."}
    half = replace(SECRET, id="m9", messages=("m9",), value="", text="The second half of the boathouse code is N8234.")
    first = {"m3": "The first half of the boathouse code is GRRVZ."}
    assert given_away(half, Past(first, secret), "") == "m1"
    assert given_away(half, Past({}, secret), "") is None  # a half by itself
    assert given_away(replace(half, text="The second half is N8234."), Past(first, secret), "") == "m1"
    assert given_away(half, Past({**first, "m4": half.text}, secret), "") is None  # adds nothing
    assert given_away(replace(half, text="The other half is N82."), Past(first, secret), "") is None  # spells another


# --- a question is itself information ---


def proposal(bench: Any) -> Store:
    return bench.world(  # type: ignore[no-any-return]
        [
            ("daniel", "ana", "Don't tell anyone: I am going to propose to Leah at the lake."),
            ("leah", "ana", "See you at yoga."),
            ("ben", "ana", "Good morning."),
            ("ben", "leah", "Lunch?"),
            ("ben", "daniel", "Hi."),
        ]
    )


PROPOSAL = "Is Daniel going to propose to Leah?"


def test_a_question_goes_only_to_those_who_may_hear_what_it_rests_on(bench: Any) -> None:
    store = proposal(bench)
    ana = Cast(store, Policy()).agent("ana")
    assert asking.barred(ana, PROPOSAL, ["leah", "ben", "daniel"]) == {"leah": ("m1",), "ben": ("m1",)}
    assert asking.may_ask(ana, PROPOSAL, "daniel") and not asking.may_ask(ana, PROPOSAL, "leah")
    assert asking.may_ask(ana, "When is yoga?", "ben")
    ana.memory.grants.give(person="ben", term="always", item="m1")
    assert asking.may_ask(ana, PROPOSAL, "ben")


@pytest.mark.parametrize("partner", ["leah", "ben"])
def test_a_question_about_a_secret_is_neither_put_nor_passed_on(bench: Any, partner: str) -> None:
    store = proposal(bench)
    talk = bench.talk(store, PROPOSAL, ("ana", partner))
    for said in talk.heard:
        assert "propose" not in said["text"] and "propose" not in str(said["asks"])
    for person in ("leah", "ben"):
        assert not any("propose" in str(m.text) for m in store.owner(person).memories())
    assert [(e["asks"], e["rests_on"]) for e in talk.events("not_asked")][:1] == [(partner, ["m1"])]


def test_a_question_that_may_be_put_is_not_passed_on_to_whom_the_asker_keeps_it_from(bench: Any) -> None:
    """Ben may hear it from Ana, knows nothing himself, and knows Leah well."""
    store = proposal(bench)
    store.owner("ana").grants.give(person="ben", term="always", item="m1")
    talk = bench.talk(store, PROPOSAL, ("ana", "ben"))
    assert not any("leah" in (said["sender"], said["receiver"]) for said in talk.heard)


# --- refusing dialogues: nothing refused is on any channel ---

PEOPLE = ["ana", "ben", "cleo", "dora", "ed"]
THINGS = "passport violin wallet camera ring".split()
CANARIES = "zarnivoop quibbleford marzelline oxtracton vellichor".split()


@pytest.mark.parametrize("block", range(10))
def test_nothing_refused_is_on_any_channel(bench: Any, block: int) -> None:
    """200 random policies and grants over small worlds: a canary stands only with those who may hear of it.

    The scorer shares no code with the gate: it looks for a made-up word in everything that another person's side holds.
    """
    random_ = random.Random(block)
    lines = [("ana", "ben", "Nice weather."), ("ben", "cleo", "Hello."), ("cleo", "dora", "Coffee?")]
    where = {}
    for thing, canary in zip(THINGS, CANARIES, strict=True):
        teller, hearer = random_.sample(PEOPLE, 2)
        lead = random_.choice(["", "Between us: ", "Keep it to yourself, "])
        lines.append((teller, hearer, f"{lead}the old {thing} lies in the {canary}."))
        where[canary] = (f"m{len(lines)}", {teller, hearer})
    store = bench.world(lines)
    told: set[tuple[str, str, str]] = set()
    for number in range(20):
        policy = _policy(random_)
        _grants(random_, store)
        task = f"Where is the {random_.choice(THINGS)}?"
        asker = "ana"
        talk = bench.talk(
            store, task, (asker, "ben"), policy=policy, name=f"t{number}", depth=random_.choice([0, 1, 2])
        )
        told |= _told(talk.state)
        for canary, (message, knew) in where.items():
            may = _reached(knew, told, message)
            for said in talk.heard:
                if canary in as_text(said):
                    assert said["receiver"] in may and said["sender"] in may, (canary, said["text"])
            if asker not in may:
                assert canary not in as_text(talk.state["result"])
                assert canary not in as_text(talk.state["ledgers"][asker])
                assert canary not in as_text(list(seen(talk.trace.events)))
                assert not any(canary in note.text for note in store.owner(asker).memories())


def _policy(random_: random.Random) -> Policy:
    actions: list[Action] = ["tell", "ask", "refuse"]
    rules = tuple(
        Rule(
            random_.choice(actions),
            person=random_.choice(["*", *PEOPLE]),
            topic=tuple(random_.sample(THINGS, random_.choice([0, 1]))),
            sensitivity=random_.choice(["any", "confidence"]),
        )
        for _ in range(random_.choice([0, 1, 2]))
    )
    return Policy(rules, random_.choice(actions))


def _grants(random_: random.Random, store: Store) -> None:
    giver, hearer = random_.sample(PEOPLE, 2)
    grants = store.owner(giver).grants
    for old in grants.every():
        grants.revoke(old.id)
    if random_.random() < 0.6:
        topic = random_.choice(["", *THINGS])
        grants.give(person=hearer, term=random_.choice(["once", "always"]), topic=topic)


def _told(state: Any) -> set[tuple[str, str, str]]:
    return {(d["from"], d["to"], message) for d in state["disclosures"] if d["told"] for message in d["messages"]}


def _reached(knew: set[str], told: set[tuple[str, str, str]], message: str) -> set[str]:
    """Who may hold what a message says: who was there, and whom somebody told who may."""
    may = set(knew)
    while more := {to for source, to, one in told if one == message and source in may} - may:
        may |= more
    return may


def test_the_words_of_the_worlds_above_are_canaries() -> None:
    assert not {stem for canary in CANARIES for stem in content_stems(canary)} & {w for t in THINGS for w in words(t)}
