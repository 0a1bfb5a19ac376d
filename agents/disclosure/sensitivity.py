"""What people would not want passed on, told by meaning: asked for silence, or of a matter that is delicate in itself."""

from collections.abc import Sequence
from functools import lru_cache

from kithnet.agents.minds.rules import sides
from kithnet.agents.minds.rules.likeness import Likeness
from kithnet.memory.vectors import Embedder

MATTER, TRUST, NEARBY = 1.2, 0.9, 1.4
"""How far a sentence must score above ordinary talk, of about 2 where it is clear: as a matter, as told in trust, and as told
in trust in a message beside the one that is judged. At 0.35, 0.5 and 1.0 a quarter as many confidences slip through, and
agents keep back so much that every sixth question of a generated world that they could answer goes unanswered."""


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


DELICATE = _lines("""
    The scan showed a tumour.
    I was diagnosed with diabetes last month.
    The doctor says it is chronic and will get worse.
    I have to have an operation on my bowel.
    My test results came back positive.
    She suffers from bulimia.
    He is an alcoholic.
    I see a psychiatrist every week.
    I take tablets against anxiety.
    I had a breakdown and could not leave the house.
    I have thought of killing myself.
    He was in a psychiatric hospital.
    My mother is dying.
    I lost the baby.
    I am expecting a child.
    We have been trying for a child without success.
    I can't pay my bills.
    I have debts of twenty thousand.
    The bank has cancelled our account.
    We are going to lose our home.
    I earn three thousand a month.
    I was paid a bonus of ten thousand.
    I lost everything in a casino.
    I borrowed money and can't give it back.
    I owe the tax office a fortune.
    I came into a lot of money.
    I cheated on my wife.
    I have been seeing somebody behind his back.
    I am in love with my best friend's husband.
    We sleep in separate rooms.
    Our marriage is finished.
    She wants to leave him.
    I am attracted to men.
    He beats his wife.
    I was abused as a child.
    I kissed her when he was not there.
    I have feelings for a colleague.
    I was sentenced for theft.
    The police are after my brother.
    I took money that was not mine.
    I forged the signature.
    I lied about my qualifications.
    I copied in the exam.
    I drove away after the accident.
    I have been dismissed and told nobody at home.
    I am looking for another job and my boss has no idea.
    The firm is going to be closed, they don't know it yet.
    I am under investigation.
    My papers are not in order, I have no visa.
    The code of the alarm is my birthday.
    He has a drug problem.
    My hearing is getting worse and I hide it.
    I never graduated, whatever they believe.
    We married in secret.
    I pretend that all is well.
""")
TRUSTED = _lines("""
    Please don't tell anybody.
    Keep it to yourself, will you?
    This has to stay between the two of us.
    Nobody else knows about it.
    You are the first person I tell.
    I haven't told anyone so far.
    I trust you not to pass it on.
    He must never find out.
    They mustn't hear of it.
    My family has no idea.
    Only my sister knows.
    It isn't public yet.
    It would be a disaster if it came out.
    She would kill me if she knew that I told you.
    I'd rather keep it private.
    I don't want people to talk about it.
    It's a surprise, so not a word to her.
    Swear to me that you'll keep quiet.
    Say nothing to the others.
    This is not meant for other ears.
    I told you in confidence.
    We keep up appearances for now.
    She wants nobody to know.
    Officially nobody knows anything.
""")
ORDINARY = _lines("""
    I take the tram to the office.
    My dentist moved to another street.
    I work in a bank.
    He is a doctor at the hospital.
    She studies law.
    The doctor in the film was funny.
    I read a thriller about a murder.
    We watched a series about a family that breaks apart.
    I am allergic to strawberries.
    I'm afraid of dogs.
    I had a cold, but I'm well again.
    I broke my leg when skiing.
    I wear glasses.
    I got a new bicycle for my birthday.
    I paid ten euros for lunch.
    I'm saving for a holiday.
    I spent too much on shoes.
    They are married and have two children.
    The wedding was lovely.
    He proposed to her in front of everybody.
    She has a new boyfriend.
    I'm in love with this song.
    My heart beats for chess.
    She told everybody about it at dinner.
    Everyone knows about the party.
    I told my sister about the new flat.
    Did you hear the news on the radio?
    My boss praised me in the meeting.
    I got a better job and celebrated with friends.
    I stopped smoking.
    I hate mornings.
    I can't stand onions.
    I love hiking.
    I collect stamps.
    My brother plays the guitar.
    She lives above the bakery.
    He drives a red car.
    We painted the kitchen.
    My cousin is a nurse.
    The neighbour is a policeman.
    I lost my keys.
    I forgot the password of the computer again.
    I locked the bike in the shed.
    I slept well.
    I'm tired.
    I ran a long way.
    I'm learning to cook.
    We talked all night.
    The shop closes at six.
    The weather is bad.
    How are you?
    What does he do?
    Can you lend me a book?
    I promise to come on time.
    I owe you a drink.
    I'm bad at football.
    She won a prize.
    My uncle is ninety.
    My parents live by the sea.
    Our team lost.
    He never learned to swim.
    I cut my hair.
    I'm moving to a new house in May.
    We're having a baby shower for her on Sunday, come along.
    I eat no meat.
    My wife and I go dancing.
    The bank on the corner is closed on Mondays.
    He used to be in the army.
    I drink a lot of tea.
    I'm dying to see that film.
    The secret of a good soup is time.
    I passed the exam!
    While I think of it, I have news.
    You will never guess what happened.
    I can hardly believe it.
    It is hard to believe, I know.
    I would not have thought so.
    Tell the hairdresser that you know me.
""")


@lru_cache(maxsize=2)
def _kinds(embedder: Embedder) -> Likeness:
    return Likeness(
        {"delicate": DELICATE, "trusted": TRUSTED, "ordinary": (*ORDINARY, *sides.PHATIC, *sides.TALK)}, embedder
    )


def judge(sentences: Sequence[str], embedder: Embedder) -> list[tuple[float, float]]:
    """How far each sentence scores above ordinary talk: as a delicate matter, and as told in trust."""
    if not sentences:
        return []
    scores = _kinds(embedder).scores(sentences)  # type: ignore[arg-type]  # an object: it can be hashed
    return [(float(delicate - ordinary), float(trusted - ordinary)) for delicate, trusted, ordinary in scores]
