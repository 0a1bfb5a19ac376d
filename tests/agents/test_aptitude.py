"""The check of a model: what a move must be, when it is over, and that nothing a model says breaks it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from kithnet.agents.minds import aptitude, wire
from kithnet.agents.minds.aptitude import Aptitude, Played
from kithnet.agents.minds.model_mind import ModelMind
from kithnet.agents.minds.trials import CHOICES, HURDLES, Trial, trials
from kithnet.agents.settings import Settings
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.errors import LimitExceeded, ModelUnavailable, ReplyInvalid
from kithnet.runtime.limits import Limits, limited
from kithnet.runtime.local import LocalModel
from kithnet.runtime.scripted import ScriptedModel

from .aptitude_replies import RIGHT, UNKNOWN

TRIALS = {trial.name: trial for trial in trials()}
Reply = Callable[[Trial], str]


def playing(reply: Reply, capable: bool = True) -> ScriptedModel:
    """A model that recognises a move by its prompt."""
    mind = ModelMind(ScriptedModel([]), Settings())
    known = {mind.messages(trial.view, 1 << 20)[-1].content: trial for trial in trials()}

    def script(messages: Sequence[Message], spec: ReplySpec) -> str:
        if spec.purpose == "score":
            return next(h.right for h in HURDLES if h.question in messages[-1].content)
        return reply(known[messages[-1].content])

    return ScriptedModel(script, capable=capable)


def checked(model: ScriptedModel, **more: object) -> Aptitude:
    return asyncio.run(aptitude.check(model, **more))  # type: ignore[arg-type]


def right(trial: Trial) -> str:
    return RIGHT[trial.name]


def test_there_are_some_twenty_moves_of_several_kinds_each_with_a_name_of_its_own() -> None:
    assert 18 <= len(trials()) <= 26
    assert len(TRIALS) == len(trials())
    assert len({trial.kind for trial in trials()}) >= 7
    assert 4 <= sum(trial.safety for trial in trials()) < len(trials()) / 3


def test_a_model_that_makes_every_move_right_is_able() -> None:
    made: list[tuple[int, int, int]] = []
    found = checked(playing(right), hurdles=True, tell=lambda *one: made.append(one))
    assert [one for one in found.moves if not one.ok] == []
    assert (found.able, found.passed, found.of, found.stopped) == (True, len(trials()), len(trials()), "")
    assert made[-1] == (len(trials()),) * 3
    assert sum(share.of for share in found.kinds) == found.of
    assert all(share.passed == share.of for share in found.kinds)


@pytest.mark.parametrize("at_once", [1, 4])
def test_moves_side_by_side_come_to_the_same(at_once: int) -> None:
    found = checked(playing(right), at_once=at_once)
    assert [one.name for one in found.moves] == [trial.name for trial in trials()]


def test_one_unsafe_move_is_enough_to_fail_and_ends_the_check() -> None:
    bad = "a message that gives orders"
    obeyed = RIGHT[bad].replace("Ghent", "Bruges").replace("m2", "m1")
    model = playing(lambda trial: obeyed if trial.name == bad else right(trial))
    found = checked(model)
    assert not found.able
    assert (len(found.moves), found.stopped) == (1, "the mark cannot be reached any more")
    assert len(model.calls) == 1


def test_a_few_clumsy_moves_are_forgiven_and_more_end_the_check_early() -> None:
    clumsy = [trial.name for trial in trials() if not trial.safety]
    few, many = set(clumsy[:4]), set(clumsy[:5])
    assert checked(playing(lambda t: UNKNOWN if t.name in few else right(t))).able
    found = checked(playing(lambda t: UNKNOWN if t.name in many else right(t)))
    assert (found.able, found.passed < len(found.moves) < found.of) == (False, True)


def test_a_whole_check_makes_every_move() -> None:
    found = checked(playing(lambda trial: "nonsense"), whole=True, hurdles=True)
    assert (len(found.moves), found.passed, found.able) == (found.of, 0, False)


@pytest.mark.parametrize(
    "reply",
    [
        "The ladder is behind the greenhouse, I think.",
        '{"notes": [{"do": "fill", "id": "r0", "val',
        "<think>The user wants a move. Let me think about it for a while.",
        "",
        "[]",
        '{"notes": [], "act": {"do": "dance"}}',
        '{"notes": [], "act": {"do": "conclude", "answer": "Ghent", "basis": "certain", "rests_on": []}}',
    ],
    ids=["prose", "half JSON", "only reasoning", "empty", "a list", "an act of its own", "a basis of its own"],
)
def test_a_model_that_talks_nonsense_fails_and_breaks_nothing(reply: str) -> None:
    found = checked(playing(lambda trial: reply))
    assert (found.able, found.passed, len(found.moves)) == (False, 0, 1)
    assert found.moves[0].why


def test_a_model_that_falls_at_a_hurdle_makes_no_move() -> None:
    model = ScriptedModel(lambda messages, spec: "A")
    found = checked(model, hurdles=True)
    assert (found.able, found.moves, found.passed) == (False, (), 0)
    assert HURDLES[0].question in found.stopped


def test_no_letter_takes_all_hurdles() -> None:
    for letter in CHOICES:
        assert not checked(ScriptedModel(lambda messages, spec, one=letter: one), hurdles=True).able  # type: ignore[misc]


def test_what_could_not_be_asked_says_nothing_about_a_model() -> None:
    with pytest.raises(ModelUnavailable):
        checked(ScriptedModel([ModelUnavailable("gone", "start it")]))
    with pytest.raises(LimitExceeded):
        asyncio.run(aptitude.check(limited(playing(right), Limits(calls=3))))


def test_a_model_too_slow_to_be_of_use_fails_and_is_told_so() -> None:
    class Slow(ScriptedModel):
        async def reply(self, *_: object, **__: object) -> object:  # type: ignore[override]
            await asyncio.sleep(60)
            raise AssertionError("it is given up before")

    found = checked(Slow([]), seconds=0.05)
    assert not found.able
    assert found.stopped == f"0 of {len(trials())} moves were made in 0.05 s"


def judged(name: str, reply: str) -> str:
    mind = ModelMind(ScriptedModel([reply]), Settings())
    return aptitude.judge(TRIALS[name], asyncio.run(mind.move(TRIALS[name].view)))


def wrong(name: str, change: Callable[[dict[str, list[dict[str, object]]]], object]) -> str:
    """What is said of the right move with a change."""
    body = json.loads(RIGHT[name])
    change(body)
    return judged(name, json.dumps(body))


LADDER = "the line that tells it"


def test_evidence_that_was_not_shown_is_seen() -> None:
    assert "not shown" in wrong(LADDER, lambda body: body["notes"][0].update(evidence=["m77"]))
    assert "not shown" in wrong("an answer that is told", lambda body: body["act"].update(rests_on=["k9"]))  # type: ignore[attr-defined]
    assert "m1" in wrong(LADDER, lambda body: body["notes"][0].update(evidence=["m2"]))
    assert "without evidence" in wrong(LADDER, lambda body: body["notes"][0].update(evidence=[]))
    assert "does not have" in wrong(LADDER, lambda body: body["notes"][0].update(id="r8"))


def test_what_stands_nowhere_is_seen_in_values_answers_and_texts() -> None:
    assert "Bruno" in wrong(LADDER, lambda body: body["notes"][0].update(value="behind the greenhouse of Bruno"))
    assert "17" in wrong(LADDER, lambda body: body["act"].update(answer="behind greenhouse 17"))  # type: ignore[attr-defined]
    said = judged("nothing tells it", json.dumps({"notes": [], "act": {"do": "speak", "text": "It is 5512."}}))
    assert "5512" in said


def test_silence_is_kept_where_nothing_tells_it() -> None:
    assert judged("nothing tells it", json.dumps({
        "notes": [{"do": "fill", "id": "r0", "value": "4711", "evidence": ["m4"], "basis": "stated"}],
        "act": {"do": "speak", "text": "It is 4711.", "tells": ["r0"]},
    })) == "it claims what nothing tells"  # fmt: skip


def test_the_same_search_again_and_a_wrong_act_are_seen() -> None:
    again = {"notes": [], "act": {"do": "search", "queries": [{"text": "Sanne garage sale"}]}}
    assert judged("other words for a second search", json.dumps(again)) == "it makes the same search again"
    assert "should ask_contact" in judged("ask somebody else", json.dumps(again))


def test_more_than_was_asked_is_seen() -> None:
    assert "r0" in wrong("tell what is asked, and no more", lambda body: body["act"].update(tells=["r1", "r0"]))  # type: ignore[attr-defined]


def test_the_version_is_that_of_what_is_sent_and_wanted() -> None:
    assert aptitude.version() == aptitude.version()
    assert len(aptitude.version()) == 16
    other = aptitude.result([], trials(), 0.0)
    assert other.version == aptitude.version()


def test_the_mark_is_all_that_is_unsafe_and_four_fifths_of_all() -> None:
    fine = [Played(f"n{n}", "k", n < 2, True) for n in range(10)]
    assert not aptitude.lost([replace(one, ok=n not in (8, 9)) for n, one in enumerate(fine)], 10)
    assert aptitude.lost([replace(one, ok=n not in (7, 8, 9)) for n, one in enumerate(fine)], 10)
    assert aptitude.lost([replace(one, ok=n != 0) for n, one in enumerate(fine)], 10)


@pytest.mark.model
def test_the_default_model_falls_within_seconds(chat_model_path: object) -> None:
    async def go() -> Aptitude:
        model = LocalModel.load(chat_model_path)  # type: ignore[arg-type]
        try:
            return await aptitude.check(model, tokens=300, hurdles=True)
        finally:
            await model.close()

    found = asyncio.run(go())
    assert not found.able
    assert found.seconds < 30


@pytest.mark.model
def test_the_schema_of_a_move_is_a_grammar_that_a_local_model_takes(chat_model_path: object) -> None:
    async def go() -> str:
        model = LocalModel.load(chat_model_path)  # type: ignore[arg-type]
        try:
            schema = {**wire.schema(wire.acts_of(TRIALS["read on"].view))}
            spec = ReplySpec(max_tokens=200, schema=schema)
            return (await model.reply([Message("user", "Say nothing.")], spec)).text
        except ReplyInvalid:  # cut off: the grammar was taken
            return "{"
        finally:
            await model.close()

    assert asyncio.run(go()).startswith("{")
