"""The sides of a person's life that `attributes` tells apart, in examples: how each is asked for, and how people tell of it."""

_BLOCKS = """
    Where does she live?
    What is his address?
    Where is her home?
    I live in this.
    We moved to this.
    The new flat is in this.
    I got the keys to this.
    Send the post to this.
    It is this street and number.

    Who does she work for?
    Who is his employer?
    Which company hired her?
    I work for this.
    This gave me the job.
    I signed the contract with this.
    They made me an offer at this.
    I start at this on Monday.

    What does he do for a living?
    What is her profession?
    I am a carpenter.
    She works as a nurse.
    He trained as a teacher.

    What car does she drive?
    What is his car?
    Which car did she buy?
    I drive this.
    I bought a used car, a red one.
    The garage sold me this.
    It has four doors and starts every time.

    Who is her dentist?
    Who takes care of his teeth?
    My dentist is this.
    I had a tooth pulled by this.
    This did my filling, it did not hurt.

    Who is his doctor?
    Which doctor does she see?
    My doctor is this.
    I went to this for a check-up.

    Who is her landlord?
    Who does he rent from?
    I rent from this.
    The house is owned by this.
    I pay the rent to this.
    This is my landlord.

    What is his thesis about?
    What does she research?
    What is she writing her dissertation on?
    My thesis is about this.
    I do research on this.
    The supervisor accepted this as a subject.
    I could lecture for hours on this.

    What tattoo does she have?
    What is the tattoo of?
    I got a tattoo of this.
    It is on my arm, in ink.
    The needle hurt, but now this is on my shoulder.

    Where is the wedding?
    Where does she marry?
    What is the wedding venue?
    We marry at this.
    The wedding is at this.
    We booked this for the ceremony.
    The reception is in this.
    We saw many places for the party and took this.

    Who is she married to?
    Who is his wife?
    Who is she dating?
    I am married to her.
    We are engaged.
    He is my boyfriend.

    What instrument does she play?
    What is he learning to play?
    I play this in a band.
    I practise this every day.
    I take lessons in this.
    The neighbours hear me practise.

    What colour are her walls?
    What paint did he use?
    I painted the room this.
    The walls are this now.
    I chose this shade for the kitchen.
    Two coats of this, it is all over my hands.

    What is he allergic to?
    What can't she eat?
    I am allergic to this.
    I can't have this, I swell up.
    No this for me, or I need my inhaler.
    I found out the hard way that I can't eat this.

    What book is she reading?
    Which book did he pick?
    I am reading this.
    I am in the middle of this.
    I recommend this, a great novel.
    I finished this last night.

    What film did she see?
    What does he watch on television?
    I watched this.
    The series is called this.
    We saw this at the cinema.

    What pet does she have?
    What is the name of his dog?
    I have a dog called this.
    My cat is this.
    We adopted a rabbit.

    Which sport does he do?
    Which team does she support?
    I play this on Sundays.
    I train for the race.
    My team won.

    What is her hobby?
    What does he collect?
    I collect these.
    My hobby is this.
    In my spare time I make these.

    Where did she go to school?
    What did he study?
    I went to school at this.
    I studied this.
    I graduated from this.

    Which language does he learn?
    What languages does she speak?
    I am learning this language.
    I speak this.

    Where was she born?
    Where is he from?
    I was born in this.
    I come from this.
    I grew up in this.

    When is his birthday?
    How old is she?
    My birthday is in June.
    I turned forty.

    Where does she go on holiday?
    Where did he travel?
    We are going to this for two weeks.
    I booked a flight to this.

    What is his favourite food?
    What did she cook?
    My favourite dish is this.
    I cooked this.
    We had this for dinner.

    What does she drink?
    How does he take his coffee?
    I drink this.
    I take it with milk.

    What is he afraid of?
    What is her phobia?
    I am afraid of this.
    This scares me.

    What illness does she have?
    What is wrong with him?
    I am ill with this.
    I broke my arm.
    I have a cold.

    What did she win?
    Which prize did he get?
    I won this.
    They gave me the prize.

    What did he lose?
    What was stolen from her?
    I lost this.
    Somebody stole my bag.

    What is the name of her child?
    Who is his brother?
    My son is called this.
    My sister came to visit.

    What did she buy?
    What did he get as a present?
    I bought this in the sale.
    She gave me this.

    What is his nickname?
    What do they call her?
    They call me this.
    My nickname is this.

    Which club is he in?
    Where does she volunteer?
    I joined this club.
    I help out at this.

    What is her phone number?
    What is his e-mail?
    My number is this.
    Write to me at this.

    What time do they meet?
    When is the appointment?
    See you at eight.
    The appointment is on Friday.
""".strip().split("\n\n")
"""A block for each side; lines that end in a question mark ask. "this" stands for any value."""


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


ASKED = tuple(tuple(line for line in _lines(block) if line.endswith("?")) for block in _BLOCKS)
TOLD = tuple(tuple(line for line in _lines(block) if not line.endswith("?")) for block in _BLOCKS)
PHATIC = tuple(
    _lines("""
    Hi, how are you?
    Good morning!
    Nice to hear from you.
    Bye, take care.
    Thanks for telling me.
    Congratulations!
    Good for her.
    Say hello from me.
    I'm so happy for you.
    No way!
    Tell me more.
    What's up?
    Talk to you soon.
    Big hug.
    Sleep well.
    I did not see that coming.
    Who would have thought.
    Wow, lucky him.
    Not busy at all.
    I'm listening.
    See you.
    """)
)
TALK = tuple(
    _lines("""
    It is raining again.
    The bus was late.
    I slept badly.
    I'm tired.
    I lost at cards.
    The neighbours are noisy.
    I was waiting for the train.
    We talked half the night.
    I found it at the market.
    It was on the news.
    """)
)
