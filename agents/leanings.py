"""Which way a sentence leans towards a thing, told by cues and by its meaning beside examples, with the thing masked.

In the examples the thing stands as "{}".
"""

from collections.abc import Sequence
from functools import lru_cache

from kithnet.agents.likeness import Likeness
from kithnet.agents.wording import content_stems
from kithnet.memory.vectors import Embedder
from kithnet.memory.writing import tastes

MASK = "these"
"""Stands for the thing, so that what a sentence is about says nothing of how it leans."""
CUE = 0.75
"""What a cue adds to the leaning by meaning, which is about 2 where it is clear."""
LIKING = tuple(
    line.strip()
    for line in """
    I love {}.
    She really likes {}.
    {} are my favourite.
    My favourite thing in the world is {}.
    I can never have enough of {}.
    Nothing makes me happier than {}.
    There is nothing better than {}.
    {} brighten my day.
    {} always cheer me up.
    I would do anything for {}.
    He told me that he has a soft spot for {}.
    I'd choose {} over anything else.
    I am always glad to have {}.
    I could spend hours with {}.
    I could talk about {} until tomorrow.
    All my spare time goes to {}.
    He spends every free minute with {}.
    Every week I make time for {}.
    She does {} twice a week.
    I collect {}.
    She has a whole room full of {}.
    I keep {} at home and look after them.
    I'm saving all my money for {}.
    I own far too many {} and still want more.
    I'm really into {}.
    She's mad about {}.
    He's a great fan of {}.
    {} are wonderful.
    {} are the best thing ever.
    I find {} fascinating.
    {} make me smile.
    {} calm me down after a long day.
    That's how I relax: {}.
    {} are my whole life.
    What would I do without {}?
    Life without {} would be dull.
    I can't imagine a weekend without {}.
    I can't go a day without {}.
    He couldn't live without {}.
    I never say no to {}.
    I never miss a chance of {}.
    You can't keep me away from {}.
    You will always find her near {}.
    I am happiest with {}.
    My heart beats faster for {}.
    She gets all excited when it comes to {}.
    I always look forward to {}.
    I have been doing {} for years, it is my great hobby.
    I started {} last year and I'm hooked.
    He is addicted to {}.
    I'm learning {} and it's great fun.
    I play {} every evening.
    {} are a real treat.
    {} are pure joy.
    {} taste like heaven to me.
    I could eat {} all day long.
    I always have room for {}.
    {} please, any time!
    If it has to do with {}, count me in.
    Count me in for {}.
    I wouldn't give up {} for anything.
    I'd travel a long way for {}.
    Nobody enjoys {} more than I do.
    I'm not ashamed to say that I adore {}.
    He doesn't just like {}, he worships them.
    There is hardly anything that I enjoy more than {}.
    I'm an enthusiast of {}.
    I wish I had more of {}.
    I miss {}, I had such a good time.
    She believes in {} with all her heart.
    I was never afraid of {}, I rather like them.
    I've got nothing against {}, quite the contrary.
    I don't mind {} at all, I enjoy them.
    I'm proud of my {}.
    I'm a regular at {}.
    {} do me good.
    {} are my weakness, I can't resist.
    I fell in love with {} at once.
    He speaks of nothing but {}.
    I'm all for {}.
    I prefer {} to all the rest.
    There is no pleasure like {}.
    You won't get me away from {}.
    You could not tear me away from {}.
    {} are what keeps me going.
    {} are the highlight of my week.
    {} do wonders for my mood.
    {} put a smile on my face.
    {} get me out of bed in the morning.
    I feel at home with {}.
    She won't stop talking about {}.
    He goes to {} with his friends whenever he can.
    I belong to a club for {}.
    I've been to {} hundreds of times and go again every chance I get.
    He breeds {}.
    I make my own {}.
    {} were the highlight of my year.
    I bore everybody with my stories about {}.
    I'm counting the days until {}.
    {} all the way!
    Hooray for {}!
    If I could I would marry {}.
    I took up {} and never looked back.
    {} are right up my street.
    {} speak to my soul.
    {} get my blood pumping, in a good way.
    """.strip().splitlines()
)
DISLIKING = tuple(
    line.strip()
    for line in """
    I hate {}.
    She doesn't like {} at all.
    {} are the worst.
    There is nothing worse than {}.
    Nothing annoys me more than {}.
    I can't stand {}.
    I can't bear to be near {}.
    {} drive me mad.
    {} give me the creeps.
    {} ruin my day.
    {} always put me in a bad mood.
    I'd rather do without {}.
    He told me that he'd rather go hungry than have {}.
    I would give anything to be rid of {}.
    {} are nothing for me.
    {} are not my cup of tea.
    I never understood what people see in {}.
    I don't see the point of {}.
    I keep as far away from {} as I can.
    I make a detour to avoid {}.
    She goes out of her way to avoid {}.
    I wish there were no {} in the world.
    I have no time for {}.
    I could never warm to {}.
    {} leave me cold.
    {} bore me.
    I fall asleep over {}.
    {} are a waste of time.
    {} are dull.
    {} are awful.
    {} are disgusting.
    {} make me sick.
    {} make me feel ill.
    {} give me a headache.
    {} hurt.
    {} wear me out.
    {} make me nervous.
    I'm afraid of {}.
    He is scared of {}.
    {} frighten her.
    I panic when it comes to {}.
    I get goose bumps, the bad kind, from {}.
    I run away when I see {}.
    You won't find me anywhere near {}.
    You'd have to pay me for {}.
    You couldn't make me take {}.
    Nobody will ever talk me into {}.
    No {} for me, thank you.
    {}? Please, not again.
    I always say no to {}.
    I refuse to have anything to do with {}.
    I won't have {} in my house.
    I don't touch {}.
    I stopped with {} and never looked back.
    I've had enough of {}.
    I'm fed up with {}.
    I have lost all interest in {}.
    I was keen once, but no longer: no more {}.
    I gave up {} for good.
    He once did {} but he has stopped.
    She can't be persuaded to do {}.
    I'm no friend of {}.
    She's not one for {}.
    I'm not into {}.
    He isn't fond of {}.
    {} are overrated.
    {} are torture.
    {} are a nightmare.
    {} are a nuisance.
    My idea of hell is {}.
    I shudder when I think of {}.
    {} turn my stomach.
    I'm allergic to {}.
    {} make my skin crawl.
    She complained about {}.
    He looks down on {}.
    {} are too much for me.
    I could do without {} in my life.
    I can live very well without {}.
    I dread {}.
    If I never see {} again it will be too soon.
    {} get on my nerves.
    Get {} out of my sight!
    I'd do anything to get out of {}.
    I only feel well when there are no {} about.
    I regret every minute that I gave to {}.
    {} are not what I call fun.
    I find no pleasure in {}.
    There is no pleasure in {}.
    Not a single one of {} ever pleased me.
    {} make me yawn.
    {} make me want to run.
    {} make me cringe.
    {} set my teeth on edge.
    {} are the bane of my life.
    She frowns on {}.
    He pulls a face at {}.
    I can't be doing with {}.
    I have an aversion to {}.
    I've had it with {}.
    {} are a pain.
    {} should be forbidden.
    Keep {} away from me!
    I leave the room when it comes to {}.
    {} drain all my energy.
    {} put me off.
    I cross the street when I see {}.
    He freezes when he sees {}.
    You'll have to go without me if it's {}.
    I'd sooner clean the bathroom than have {}.
    I stopped with {}; good riddance.
    It takes a lot to make me put up with {}.
    """.strip().splitlines()
)
NEUTRAL = tuple(
    line.strip()
    for line in """
    I saw {} on the way to work.
    Did you hear about {}?
    They were talking about {} on the radio.
    There were {} in the shop yesterday.
    My colleague mentioned {}.
    The bus was late again.
    How was your weekend?
    I have to call my mother later.
    The weather is going to change.
    I put {} in the cupboard.
    {} cost four pounds.
    We need to talk about {} at the meeting.
    I read an article on {}.
    See you on Thursday then.
    I'm tired today.
    The dog has to go to the vet.
    Somebody asked about {}.
    {} are in the cellar.
    I would like {} for the wall, if there are any.
    Thanks for the message.
    I forgot my keys at home.
    That sounds good.
    I'm busy all week.
    """.strip().splitlines()
)


@lru_cache(maxsize=2)
def _kinds(embedder: Embedder) -> Likeness:
    """Fitted once: every taste that is read or compared is judged by it."""
    banks = {"like": LIKING, "dislike": DISLIKING, "neither": NEUTRAL}
    return Likeness({kind: [one.replace("{}", MASK) for one in bank] for kind, bank in banks.items()}, embedder)


def judge(texts: Sequence[str], embedder: Embedder) -> list[tuple[float, float]]:
    """For each text how it leans, above 0 for liking, and how much it is of taste at all, above 0 rather than not.

    A thing that is known stands as `MASK` in it.
    """
    scores = _kinds(embedder).scores(texts)  # type: ignore[arg-type]  # an object: it can be hashed
    return [
        (float(like - dislike) + CUE * tastes.leaning(text), float(max(like, dislike) - neither))
        for text, (like, dislike, neither) in zip(texts, scores, strict=True)
    ]


@lru_cache(maxsize=1)
def emotive() -> frozenset[str]:
    """Stems in which people speak of any thing at all, as in the examples: none of them is the thing."""
    return content_stems(" ".join((*LIKING, *DISLIKING)).replace("{}", ""))
