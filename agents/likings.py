"""What is asked about the tastes of two people: what they share, or see in opposite ways; by meaning beside examples.

In the examples the two are Ann and Ben; so they are made in a task before it is compared.
"""

from collections.abc import Sequence
from functools import lru_cache

from kithnet.agents.likeness import Likeness
from kithnet.agents.meanings import EXAMPLES, OTHERS, Tool
from kithnet.agents.wording import stem, words
from kithnet.memory.vectors import Embedder

PLACEHOLDERS = ("Ann", "Ben")
FIRST, CUE = 0.2, 0.5
"""How far the winning kind must score above other questions, where examples are about 1 and others -1; what a cue adds."""

ALIKE = tuple(
    line.strip()
    for line in """
    What do Ann and Ben both like?
    What is loved by Ann as well as by Ben?
    Which thing are Ann and Ben both fond of?
    Which enthusiasm do Ann and Ben share?
    Name something that makes both Ann and Ben happy.
    What does Ann like that Ben likes as well?
    What do Ann and Ben have in common?
    What taste do Ann and Ben have in common?
    What is the common hobby of Ann and Ben?
    Ann and Ben have the same passion. Which one?
    Ann and Ben agree on one thing. What is it?
    On what do Ann and Ben agree?
    What would both Ann and Ben be pleased with?
    Find a present that would delight Ann just as much as Ben.
    About what could Ann and Ben rave together?
    What are Ann and Ben united in?
    Which of Ann's favourite things is also one of Ben's?
    Is there anything that Ann and Ben are equally keen on?
    What brings Ann and Ben together, taste-wise?
    What interest of Ann's does Ben share?
    In what way are Ann and Ben alike?
    What do Ann and Ben feel the same about?
    Where do the preferences of Ann and Ben overlap?
    Where do the tastes of Ann and Ben come together?
    What does Ann feel the same way about as Ben?
    What do Ann and Ben see in the same light?
    What links Ann with Ben?
    Which pastime could Ann and Ben enjoy with each other?
    """.strip().splitlines()
)
ALIKE_IN_DISLIKE = tuple(
    line.strip()
    for line in """
    What do Ann and Ben both hate?
    What can neither Ann nor Ben stand?
    Which dislike do Ann and Ben share?
    What are both Ann and Ben afraid of?
    Name something that annoys Ann and Ben alike.
    Which thing would Ann and Ben both rather avoid?
    What does Ann detest just as Ben does?
    What aversion do Ann and Ben have in common?
    Which thing is loathed by the two of them, Ann and Ben?
    Neither Ann nor Ben likes one thing. Which?
    """.strip().splitlines()
)
APART = tuple(
    line.strip()
    for line in """
    What does Ann love and Ben hate?
    What does one of Ann and Ben like that the other can't bear?
    On which thing do the tastes of Ann and Ben differ?
    What do Ann and Ben have opposite feelings about?
    Which thing is adored by Ann and detested by Ben?
    About what do Ann and Ben disagree?
    Ann and Ben don't see eye to eye on one thing. Which?
    What is a joy for Ann and a pain for Ben?
    What would Ann and Ben argue about?
    Over which matter of taste would Ann and Ben fall out?
    What are Ann and Ben at odds over?
    Which thing splits Ann and Ben?
    Name a thing on which Ann and Ben take contrary positions.
    What does Ann enjoy but Ben doesn't?
    What is it that Ann can't stand even though Ben loves it?
    Where do the preferences of Ann and Ben diverge?
    If it delights Ann, it disgusts Ben. What is it?
    Ann and Ben think differently of something. Of what?
    What comes between Ann and Ben: the one is mad about it, the other sick of it?
    What makes Ann happy and Ben miserable?
    One of Ann and Ben is a fan, the other an enemy. Of what?
    In what are Ann and Ben unlike each other?
    What should not be offered to Ann and Ben together, as only one likes it?
    Ann's favourite is what Ben avoids. What is it?
    What separates Ann from Ben?
    What drives a wedge between Ann and Ben?
    What is a delight to Ann but a nightmare to Ben?
    In which matter do Ann and Ben go different ways?
    What appeals to Ann alone and repels Ben?
    Which thing is liked by just one of the two, Ann and Ben, and hated by the other?
    What would cause a dispute between Ann and Ben?
    What is Ann for and Ben against?
    Where do the tastes of Ann and Ben go apart?
    To whom of Ann and Ben is it a pleasure, to whom a plague, and what is it?
    """.strip().splitlines()
)
NEITHER = tuple(
    line.strip()
    for line in """
    Where did Ann and Ben meet?
    What did Ann tell Ben about the job?
    When are Ann and Ben going to the cinema?
    What is Ann giving Ben for his birthday?
    Who introduced Ann to Ben?
    How long have Ann and Ben been married?
    What did Ann and Ben do on Saturday?
    Which of Ann and Ben is older?
    How much does Ann owe Ben?
    Where do Ann and Ben live?
    What does Ann do for a living?
    Who is the landlord of Ann and Ben?
    In which town is the shop of Ann's brother?
    What is the name of Ann's dog?
    What are Ann and Ben planning for the holidays?
    Why did Ann leave Ben?
    What did Ben buy at the shop of Ann?
    What book did Ann lend to Ben?
    What is Ben afraid of?
    What does Ann collect?
    What is Ann's favourite food?
    What time does Ann pick up Ben?
    """.strip().splitlines()
)


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


_LIKING = _stems(
    "like love enjoy adore fond fan keen favourite favorite passion treat delight joy pleasure please pleases cherish mad"
)
_HATING = _stems(
    "hate dislike loathe detest stand bear despise aversion horror pain annoy avoid fear afraid disgust torment"
)
_PARTED = _stems(
    "disagree differ different differently opposite opposed contrary divide divided quarrel argue clash odds conflict apart "
    "dispute unlike separate contrast diverge disagreement split"
)
_JOINED = _stems(
    "both share shared sharing common same agree too alike also equally neither united unite each mutual as"
)


@lru_cache(maxsize=2)
def _kinds(embedder: Embedder) -> Likeness:
    calendar = [example for tool, bank in EXAMPLES.items() if tool not in ("alike", "apart") for example in bank]
    banks = {"alike": ALIKE, "dislike": ALIKE_IN_DISLIKE, "apart": APART, "other": (*NEITHER, *OTHERS, *calendar)}
    return Likeness(banks, embedder)


def asked_of(task: str, people: Sequence[str], embedder: Embedder) -> tuple[Tool, bool] | None:
    """Whether the tastes of two people are compared, and whether what they like is meant; None where they are not."""
    said = task
    for name, placeholder in zip(people, PLACEHOLDERS, strict=True):
        said = said.replace(name, placeholder)
    ((alike, dislike, apart, other),) = _kinds(embedder).scores([said])  # type: ignore[arg-type]  # an object: it can be hashed
    stems = {stem(word) for word in words(task)}
    likes, hates = bool(stems & _LIKING), bool(stems & _HATING)
    agree = {stem(one) for one in ("agree", "share")}
    denied = bool(stems & agree) and bool({"can't", "cannot", "don't", "not", "never", "doesn't"} & set(words(task)))
    apart += CUE * bool(stems & _PARTED or denied or (likes and hates and "neither" not in stems))
    alike += CUE * bool(stems & _JOINED and not hates and not denied)
    dislike += CUE * bool(stems & _JOINED and hates and not likes)
    best = max(alike, dislike, apart)
    if best - other < FIRST:
        return None
    if best == apart:
        return "apart", True
    return "alike", bool(best == alike)
