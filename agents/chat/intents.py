"""What somebody wants with a line of a chat, told by its form and, with an embedder, by examples of each kind."""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Literal

from kithnet.agents.minds.rules.likeness import Likeness
from kithnet.agents.wording import content_words, only_asks
from kithnet.memory.language.text import words
from kithnet.memory.vectors import Embedder

Intent = Literal["ask", "errand", "help", "talk", "correct", "tell"]
"""errand: somebody else is to be asked. help: what the agent can do. talk: courtesy. correct: what was told is otherwise."""

SOMEBODY, THING = "Sam", "this"
"""What stands in the examples for whoever is named, and for other names and numbers."""
EXAMPLES: Mapping[Intent, tuple[str, ...]] = {
    "ask": (
        "Tell me when this is.", "Give me the number of this.", "I want to know who brought this.",
        "Show me what you know of this.", "Remind me where this was.", "When is my appointment?",
        "Where did I put this?", "Who told me about this?", "Do you know what this costs?", "Is this still on?",
        "What did Sam say about this?", "What is the code for this?", "Tell me where my bag is.",
        "Let me know who has it.", "Tell me what Sam said.", "Look up when the party starts.",
        "How much do we pay for this?", "How often do I need this?", "How old is this?", "Who can fix this for us?",
        "What did we agree on?", "How do I get to this?", "Who has my bag?", "How much is the ticket?",
        "What does my brother want for lunch?", "How long does this take?", "Did Sam like this?",
        "Does Sam have a car?", "Which of them is mine?",
    ),
    "errand": (
        "Ask Sam when this is.", "Find out from Sam whether this works.", "Please check with Sam if this is fine.",
        "Can you ask Sam where this is?", "Could you find out from Sam what this costs?",
        "Get in touch with Sam and ask for this.", "Go and ask Sam who comes.", "I need you to ask Sam about this.",
        "Inquire with Sam what this means.", "Drop Sam a line about this, will you?",
        "Can you hear from Sam how this went?", "Send Sam a question about this.",
        "Would you see with Sam whether they have time?", "Let Sam tell you which one they want.",
        "Talk to Sam and find out why.",
    ),
    "help": (
        "What can you do?", "How do you work?", "Help!", "What are you for?", "Who are you?", "How can I use you?",
        "What can I ask you?", "Which commands are there?", "Explain to me how this works with you.",
        "What are you able to do for me?",
    ),
    "talk": (
        "Hello!", "Hi there.", "Good morning.", "Good evening!", "Thanks a lot.", "Thank you, that helps.",
        "How are you?", "How is it going?", "See you later.", "Bye for now.", "Great, well done.",
        "That is nice of you.", "Okay, fine.", "Haha, good one.", "You are a great help.", "Nice to talk to you.",
        "All right then.", "Perfect.", "Good night.", "What's up?",
    ),
    "correct": (
        "No, actually this.", "Sorry, I meant this.", "Wait, it is this.", "That is wrong, it is this.",
        "No, not this but this.", "Correction: this.", "I was mistaken, it is in this.", "Make that this instead.",
        "Oops, I got that wrong: this.", "Change that to this.", "Actually it is at this now.",
        "No, the other one: this.", "It has been moved to this.", "Scratch that, this.",
    ),
    "tell": (
        "Remember that my lesson is on this.", "I bought a new lamp.", "My neighbour is called this.",
        "The code of the door is this.", "Note that the bill is paid.", "Sam wants to visit us in this.",
        "We are going to this next week.", "I have lost my ring.", "The key is under the mat.",
        "My sister moved to this.", "I am allergic to nuts.", "Keep in mind that Sam hates fish.",
        "I left the car at the garage.", "My favourite dish is soup.", "Don't forget that I owe Sam this.",
        "The meeting starts at this.", "Sam is coming on this.", "Sam's number is this.",
        "I asked Sam about this yesterday.", "Sam told me that this is off.", "Sam lives in this with the children.",
        "I talked to Sam about this last week.", "Sam has my drill.", "Sam and I meet at this.",
        "I work for this since this.", "They gave me this for it.", "I like the red one best.",
        "Our train leaves at this.",
    ),
}  # fmt: skip
_CLEAR = 0.05
"""How much liker a kind a line must be than what its form says before that counts."""
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b(?!I\b)[A-Z][\w'-]*|\b\w*\d[\w:.]*")
_ASKS = frozenset("who whom whose what which when where why how".split())
_SENDS = frozenset("ask asks find check".split())


def asks(text: str) -> bool:
    """Whether a line wants something to be known, by its form."""
    return only_asks(text) or text.rstrip().endswith("?") or bool(_ASKS & set(words(text)[:1]))


def intent_of(text: str, named: Collection[str], embedder: Embedder | None, *, corrects: bool = False) -> Intent:
    """What a sentence is for. named: names in it of people who can be asked. corrects: there is something to correct."""
    form: Intent = "ask" if asks(text) else "tell"
    if embedder is None:
        sends = named and _SENDS & set(words(text)[:4])
        return "errand" if sends else form if content_words(text) or form == "ask" else "talk"
    kinds = _fitted(embedder)  # type: ignore[arg-type]  # an object: it can be hashed
    scored = kinds.scores([_masked(text, named)])[0].tolist()
    scores: dict[Intent, float] = dict(zip(EXAMPLES, scored, strict=True))
    if not named:
        scores.pop("errand")
    if not corrects:
        scores.pop("correct")
    if form == "ask":
        scores.pop("tell")
        scores.pop("correct", None)
    best: Intent = max(scores, key=lambda kind: scores[kind])
    return best if scores[best] >= scores[form] + _CLEAR else form


@lru_cache(maxsize=2)
def _fitted(embedder: Embedder) -> Likeness:
    return Likeness({str(kind): examples for kind, examples in EXAMPLES.items()}, embedder)


def _masked(text: str, named: Collection[str]) -> str:
    """A line without its names and numbers, which say nothing about what it is for."""
    for name in sorted(named, key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(name)}\b", SOMEBODY, text, flags=re.IGNORECASE)
    return _NAME.sub(lambda match: match[0] if match[0] == SOMEBODY else THING, text)
