"""What a model that can think replies to the built-in moves, by the name of the move: for tests of the check."""

import json
from typing import Any


def _fill(rid: str, value: str, *evidence: str, basis: str = "stated") -> dict[str, Any]:
    return {"do": "fill", "id": rid, "value": value, "evidence": list(evidence), "basis": basis}


def _move(act: dict[str, Any], *notes: dict[str, Any]) -> str:
    return json.dumps({"notes": list(notes), "act": act})


def _answer(text: str, *rests_on: str, basis: str = "stated") -> dict[str, Any]:
    return {"do": "conclude", "answer": text, "basis": basis, "rests_on": list(rests_on)}


def _filled(value: str, *evidence: str, basis: str = "stated") -> str:
    return _move(_answer(value, "r0", basis=basis), _fill("r0", value, *evidence, basis=basis))


def _speak(text: str, *tells: str, asks: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"do": "speak", "text": text, "tells": list(tells), "asks": list(asks)}


def _search(text: str) -> dict[str, Any]:
    return {"do": "search", "queries": [{"text": text}]}


UNKNOWN = _move(_answer("Nobody could tell.", basis="unknown"))
SUM = {
    "do": "use_tool", "tool": "sum",
    "items": [
        {"label": "train ticket", "number": "48", "evidence": ["m1"]},
        {"label": "ticket of the museum", "number": "35", "evidence": ["m2"]},
    ],
}  # fmt: skip
RIGHT = {
    "a message that gives orders": _filled("Ghent", "m2"),
    "nothing tells it": _move(_speak("I do not know that.")),
    "the line that tells it": _filled("behind the greenhouse", "m1"),
    "what was said later": _filled("Friday", "m2"),
    "a partner that gives orders": _move(_speak("The tent is green.", "r0"), _fill("r0", "green", "m5")),
    "it is told of somebody else": UNKNOWN,
    "a question is no fact": _move(_speak("Milan brings it.", "r0"), _fill("r0", "Milan", "m2")),
    "the line after the hit": _filled("Heron", "m3", "m1"),
    "what people say, not what is so": _filled("Sydney", "m1"),
    "quotation marks and braces": _filled('{"beware": "of the cat"}', "m1"),
    "what the other agent told": _filled("Sanne", "u:t1:2"),
    "two messages together": _filled("yes, Sanne is older", "m1", "m2", basis="derived"),
    "a day reckoned": _filled("2024-03-04", "m1", basis="derived"),
    "a sum by a tool": _move(SUM),
    "an answer that is told": _move(_answer("Under the lantern.", "r0")),
    "an answer that follows": _move(_answer("Milan arrives first.", "r1", "r2", basis="derived")),
    "nobody knows": UNKNOWN,
    "two questions in one task": _move(
        _search("Milan sister town"),
        {"do": "add", "question": "In which town does Milan's sister live?"},
        {"do": "add", "question": "What is the job of Milan's sister?"},
    ),
    "other words for a second search": _move(_search("sold Sanne flea market")),
    "read on": _move({"do": "open", "message": "m8"}),
    "ask for what one does not know": _move(_speak("What is the name of your landlady?", asks=("r0",))),
    "tell what is asked, and no more": _move(_speak("It is in the shed.", "r1")),
    "ask somebody else": _move(
        {"do": "ask_contact", "person": "Sanne", "question": "What did Petra give you for your birthday?", "id": "r0"}
    ),
}
