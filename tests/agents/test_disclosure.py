"""Disclosure: code decides what may be told to whom, and nothing refused leaves in any wording it can see."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kithnet.agents.disclosure.gate import leak
from kithnet.agents.disclosure.policy import Action, Decision, Owner, Policy, Rule, UnattendedOwner, decide
from kithnet.agents.disclosure.sensitivity import Discretion, Item
from kithnet.agents.wording import content_words
from kithnet.app.cast import Cast
from kithnet.memory.language.text import stem
from kithnet.runtime.reader import LlamaReader

SECRET = Item(("m1",), "The engine of my boat broke on Friday.", "the engine broke", "confidence", frozenset())
PLAIN = replace(SECRET, sensitivity="ordinary")


class Asked:
    """An owner who notes what was put to them."""

    def __init__(self, says: bool) -> None:
        self.says, self.seen = says, []  # type: ignore[var-annotated]

    async def approve(self, item: Item, partner: str, task: str) -> bool:
        self.seen.append((item.messages, partner, task))
        return self.says

    async def clarify(self, question: str) -> str:
        return ""


def decided(policy: Policy, item: Item, partner: str = "ben", tie: int = 10, owner: Owner | None = None) -> Decision:
    return asyncio.run(decide(policy, owner or UnattendedOwner(), item, partner, tie, "the task"))


def test_the_first_rule_that_fits_decides() -> None:
    tell, refuse = Rule("tell", person="ben"), Rule("refuse")
    assert decided(Policy((tell, refuse)), SECRET).told
    assert not decided(Policy((refuse, tell)), SECRET).told
    assert decided(Policy((tell, refuse)), SECRET, partner="cleo").action == "refuse"
    assert decided(Policy((tell,)), SECRET).rule == str(tell)


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule("refuse", topic=("boats",)), True),
        (Rule("refuse", topic=("cars", "engines")), True),
        (Rule("refuse", topic=("cars",)), False),
        (Rule("refuse", sensitivity="confidence"), True),
        (Rule("refuse", sensitivity="private"), False),
        (Rule("refuse", min_tie=10), True),
        (Rule("refuse", min_tie=11), False),
        (Rule("refuse", after=datetime(2024, 5, 1)), True),
        (Rule("refuse", after=datetime(2024, 5, 2)), False),
        (Rule("refuse", before=datetime(2024, 5, 2)), True),
        (Rule("refuse", before=datetime(2024, 5, 1)), False),
        (Rule("refuse", person="cleo"), False),
    ],
)
def test_a_rule_fits_by_person_topic_sensitivity_tie_and_time(rule: Rule, fits: bool) -> None:
    item = replace(SECRET, at=datetime(2024, 5, 1, 12))
    assert (decided(Policy((rule,), "tell"), item).action == "refuse") == fits


def test_a_rule_about_a_time_does_not_fit_what_has_no_date() -> None:
    assert decided(Policy((Rule("refuse", after=datetime(2024, 5, 1)),), "tell"), SECRET).told


def test_without_a_rule_the_ordinary_is_told_and_the_sensitive_is_put_to_the_owner() -> None:
    assert decided(Policy(), PLAIN) == Decision(True, "tell", "default: ordinary")
    for sensitivity in ("private", "confidence"):
        item = replace(SECRET, sensitivity=sensitivity)
        assert decided(Policy(), item) == Decision(False, "ask", f"default: {sensitivity}")  # nobody is there
        owner = Asked(True)
        assert decided(Policy(), item, owner=owner).told
        assert owner.seen == [(("m1",), "ben", "the task")]
        assert not decided(Policy(), item, owner=Asked(False)).told


@pytest.mark.parametrize("default", ["tell", "ask", "refuse"])
def test_the_default_for_sensitive_items_is_a_setting(default: Action) -> None:
    assert decided(Policy((), default), SECRET).action == default


def test_what_the_partner_said_or_heard_itself_is_no_disclosure() -> None:
    shared = replace(SECRET, shared_with=frozenset({"ben"}))
    owner = Asked(False)
    assert decided(Policy((Rule("refuse"),)), shared, owner=owner).told
    assert owner.seen == []
    assert not decided(Policy((Rule("refuse"),)), shared, partner="cleo").told


# --- how sensitive a message is ---


@pytest.mark.parametrize(
    "text", ["Don't tell Ben.", "This stays between us!", "It is OUR SECRET, okay?", "keep it to yourself please"]
)
def test_words_of_confidence_make_a_message_confidential(text: str) -> None:
    assert Discretion().of([("Ana", text)]) == "confidence"


def test_a_confidence_is_found_in_the_messages_around() -> None:
    said = ("Ana", "I am moving to Lisbon.")
    assert Discretion().of([("Ana", "Can I trust you?"), said, ("Ana", "Don't tell anyone.")], 1) == "confidence"
    assert Discretion().of([("Ben", "Nice weather."), said], 1) == "ordinary"


@pytest.mark.parametrize("text", ["She is pregnant.", "He was diagnosed in May.", "Our divorces cost a fortune."])
def test_private_matters_are_private_without_being_called_so(text: str) -> None:
    assert Discretion().of([("Ana", text)]) == "private"


def test_an_agent_weighs_a_message_with_its_neighbours_and_knows_who_was_there(bench: Any) -> None:
    store = bench.world(
        [
            ("dora", "cleo", "Can I tell you something?"),
            ("dora", "cleo", "I am leaving the company in June."),
            ("dora", "cleo", "Not a word to the others, please."),
            ("cleo", "ed", "I am going to the lake in June."),
        ]
    )
    cleo = Cast(store, Policy()).agent("cleo")

    def weigh(message: str, partner: str) -> tuple[Item, Decision]:
        evidence = cleo.evidence(cleo.memory.message(message))
        return asyncio.run(cleo.weigh(evidence, "June", "in June", partner, "When?"))

    item, decision = weigh("m2", "ed")
    assert (item.sensitivity, decision.told) == ("confidence", False)
    assert weigh("m2", "dora")[1].told  # her own words
    assert weigh("m4", "dora")[1].told  # nothing confidential about the lake


def test_a_memory_kept_from_everybody_is_not_told_though_its_words_are_harmless(bench: Any) -> None:
    store = bench.world([("dora", "cleo", "Hello."), ("cleo", "ed", "Hi.")])
    cleo = Cast(store, Policy()).agent("cleo")
    noted = cleo.memory.remember(
        about="dora", text="Where does Dora move? To Lisbon", told_by="dora", kind="fact", evidence=(), audience=()
    )
    evidence = cleo.evidence(cleo.memory.message(noted.id))
    _, decision = asyncio.run(cleo.weigh(evidence, "To Lisbon", "To Lisbon", "ed", "Where?"))
    assert not decision.told
    assert asyncio.run(cleo.recall("Where does Dora move?", k=5, budget=400, partner="ed")).hits == ()
    assert asyncio.run(cleo.recall("Where does Dora move?", k=5, budget=400)).hits


# --- the gate ---


@pytest.mark.parametrize(
    "text",
    [
        "I heard the engine of my boat broke.",
        "It broke, the engine.",
        "THE ENGINE OF MY BOAT!",
        "engines, broken? broke!",
    ],
)
def test_a_text_that_repeats_a_refused_memory_does_not_leave(text: str) -> None:
    assert leak(text, [SECRET]) is SECRET


def test_other_words_leave_and_words_the_partner_has_said_itself_repeat_nothing() -> None:
    assert leak("The weather on Friday was fine.", [SECRET]) is None
    assert leak("I do not know why the engine broke.", [SECRET], known="Why is it that the engine broke?") is None


FACTS = st.lists(
    st.sampled_from("lisbon engine marathon violin orchid granite seventeen compass lantern".split()),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip
FILLER = st.lists(st.sampled_from("well you see the weather is fine and we had tea".split()), max_size=6)


@settings(max_examples=80, deadline=None)
@given(value=FACTS, before=FILLER, between=FILLER, after=FILLER, order=st.randoms())
def test_a_refused_value_is_stopped_in_any_order_and_between_any_words(
    value: list[str], before: list[str], between: list[str], after: list[str], order: Any
) -> None:
    item = Item(("m1",), f"I tell you: {' '.join(value)}.", " ".join(value), "confidence", frozenset())
    spoken = [word for part in value for word in (*between, part)]
    order.shuffle(spoken)
    assert leak(" ".join([*before, *spoken, *after]), [item]) is item


@settings(max_examples=80, deadline=None)
@given(secret=st.lists(FACTS, min_size=1, max_size=2), said=FILLER)
def test_what_the_gate_lets_out_never_holds_the_whole_of_a_refused_value(
    secret: list[list[str]], said: list[str]
) -> None:
    items = [Item((), " ".join(one), " ".join(one), "confidence", frozenset()) for one in secret]
    text = " ".join([*said, *secret[0][:1]])
    assume(leak(text, items) is None)
    stems = {stem(word) for word in content_words(text)}
    assert all(not {stem(word) for word in content_words(item.value)} <= stems for item in items)


# --- wordings of confidence nobody wrote a rule for ---

HELD_OUT = """
I would rather the others did not find out. | Let's agree this conversation never happened. | I trust you not to spread it.
Please don't let it get around. | You didn't hear it from me. | It would be a disaster if people knew.
I'm telling you because I trust you. | Swear that you'll stay silent. | Don't let on that you know.
Nobody is supposed to know yet. | Can this remain private? | I don't want anyone else to hear about it.
Keep your mouth shut about it. | I need you to be discreet here. | We keep this from Mum, okay?
I'm not ready for people to know. | Please never bring this up in front of him. | You're the first person I have told.
I beg you, say nothing. | It must not come out.
"""
EVERYDAY = """
The train leaves at nine from platform two. | I bought two tickets for the concert. | Can you bring the salad on Sunday?
My sister is moving to the new flat next week. | He told me the meeting was moved to Tuesday. | I love the colour of your coat.
We should tell Paul that dinner is ready. | Don't forget your umbrella. | The cat is sleeping on the sofa again.
I know a good place for breakfast. | Everybody was talking about the match. | Did anyone see my glasses?
She said the exam went well. | Keep the change. | I heard you got the job, congratulations!
Promise me to call when you arrive. | Nobody came to the party. | Please close the door quietly. | I trust the new mechanic.
You can share the photos with everyone.
"""


def parted(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split("|")]


@pytest.mark.model
def test_the_reader_finds_wordings_of_confidence_that_no_list_holds_and_lets_everyday_talk_be(
    reader: LlamaReader, record_property: Any
) -> None:
    judge = Discretion(reader)
    kept = [text for text in parted(HELD_OUT) if judge.of([("Ana", text)]) == "confidence"]
    needless = [text for text in parted(EVERYDAY) if judge.of([("Ana", text)]) == "confidence"]
    recall, false = len(kept) / len(parted(HELD_OUT)), len(needless) / len(parted(EVERYDAY))
    print("missed:", set(parted(HELD_OUT)) - set(kept), "needless:", needless)
    record_property("recall", recall)
    record_property("false_positives", false)
    assert recall >= 0.75
    assert false <= 0.1
