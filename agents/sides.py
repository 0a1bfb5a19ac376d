"""The sides of a person's life that `attributes` tells apart, in examples: how each is asked for, and how people tell of it."""

_BLOCKS = """
    = 14 Elm Street; 207 Garden Row; Flat 3, 9 Mill Lane
    Where does she live?
    What is his address?
    Where is her home?
    Where is he living these days?
    What is the street and number of her house?
    Which address do I put on the envelope for him?
    Where did she move to?
    To what address has he moved?
    Where should I send her post?
    Where do I find him at home?
    What is the address I should give the taxi to visit her?
    Which house is hers now?
    Have you got his current address?
    I want to post her a card, where to?
    On which street is his new flat?
    Where has she settled since she moved out?
    I live in {}.
    We moved to {}.
    The new flat is in {}.
    I got the keys to {}.
    Send the post to {}.
    It is {} street and number.
    She lives at {} now.
    He has moved to {}.
    My address is {} from now on.
    We are at {} these days, come and see us.
    Write to me at {}, that is home now.
    I carried her boxes up to {}.
    You will find him at {}.
    We got the house, {}.
    Her letters go to {}.
    I have the keys to {} in my hand.
    The lease for {} is mine.
    He bought a place, {}.
    Her home is {}.
    Ring the bell at {} and I will open.
    We spent our first night at {}.
    Not the other one after all, we are moving to {}.
    {} is where I sleep now.
    His new place at {} has a garden.
    She is all settled in at {}.

    = Baxter Logistics; Northgate Bank; Miller & Sons; Orion Software
    Who does she work for?
    Who is his employer?
    Which company hired her?
    Where does he work?
    Which firm employs her?
    Who pays his salary?
    Where did she find a job?
    What company is he with now?
    Who is her boss's company?
    Whose payroll is he on?
    In whose service does she earn her living?
    Where is he employed?
    What is the name of the firm she joined?
    Who has taken him on?
    Who signs her pay cheque?
    Which outfit does he earn his money with?
    I work for {}.
    This gave me the job.
    I signed the contract with {}.
    They made me an offer at {}.
    I start at {} on Monday.
    She works for {} now.
    He got a job at {}.
    {} hired me.
    I have joined {}.
    My new boss is at {}.
    {} took her on.
    He is on the payroll of {}.
    I begin at {} next week.
    {} called, I have the position.
    She handed in her notice and goes to {}.
    He is with {} these days and likes it.
    I accepted the offer from {}.
    {} pays my wages.
    I earn my money at {} now.
    They gave her the position at {}.
    It did not work out at the old firm, so I went to {}.
    First day at {} and they already gave me a desk.
    {} won, they pay better.

    What does he do for a living?
    What is her profession?
    I am a carpenter.
    She works as a nurse.
    He trained as a teacher.

    = blue Toyota; red Volkswagen Golf; silver Volvo; black Ford Fiesta
    What car does she drive?
    What is his car?
    Which car did she buy?
    What sort of car did he get?
    Which vehicle does she own?
    What is parked outside her house?
    What is he driving these days?
    Which model did she go for at the dealer?
    What does his car look like?
    What wheels has she got?
    What motor did he buy?
    Which car is hers?
    I drive {}.
    I bought a used car, a red one.
    The garage sold me {}.
    It has four doors and starts every time.
    She drives a {}.
    He bought a {}.
    My car is a {}.
    I got myself a {}, second hand.
    There is a {} in front of my door, and it is mine.
    The dealer sold him a {}.
    She turned up in a {}.
    I am driving a {} now.
    He is the proud owner of a {}.
    I sold the old one and took a {}.
    If a {} hoots at you, it is me.
    They had a {} on offer and I signed.
    He gave us a lift in his {}.
    I have wheels, a {}.

    = Dr Howard; Dr Sommer; Doctor Patel
    Who is her dentist?
    Who takes care of his teeth?
    Which dentist does he go to?
    Who looks after her teeth?
    Who did his filling?
    Whose dental practice does she visit?
    Who treats him when a tooth aches?
    What is the name of the dentist she sees?
    By whom does he have his teeth checked?
    Who pulls her teeth?
    My dentist is {}.
    I had a tooth pulled by {}.
    This did my filling, it did not hurt.
    She goes to {} for her teeth.
    {} pulled my wisdom tooth.
    {} put in a crown and I felt nothing.
    He sits in the chair of {} twice a year.
    For a toothache I recommend {}.
    {} drilled, and it was over in a minute.
    {} looks after her teeth.
    I have changed dentists, it is {} now.
    I had a check-up with {}, no holes.
    The one with the drill is {}.
    {} fixed his molar.

    Who is his doctor?
    Which doctor does she see?
    My doctor is {}.
    I went to {} for a check-up.

    = Mr Howard; Mrs Klein; Ms Duarte
    Who is her landlord?
    Who does he rent from?
    Who owns the flat he lives in?
    Whom does she pay the rent to?
    Whose tenant is he?
    Who lets the house to her?
    Who is he renting from?
    Which landlord does she call when the heating breaks?
    To whom does he owe the rent?
    Who is the owner of her building?
    I rent from {}.
    The house is owned by {}.
    I pay the rent to {}.
    This is my landlord.
    My landlord is {}.
    She rents from {}.
    The flat belongs to {}.
    {} lets me the flat.
    He sends the rent to {} each month.
    {} still has not repaired the heating.
    I rang {} about the leak in the ceiling.
    {} is the owner of our building.
    The house was sold, {} is the new landlord.
    He quarrels with his landlord, {}.
    {} put the rent up.
    I am a tenant of {}.

    = the history of lighthouses; the behaviour of bees; medieval trade in salt; the physics of bridges
    What is his thesis about?
    What does she research?
    What is she writing her dissertation on?
    What is the topic of her thesis?
    Which subject is he researching?
    On what does she write her dissertation?
    What does he deal with in his doctorate?
    What has she been studying for her degree paper?
    About what is his doctoral work?
    What is the title of her thesis?
    Which theme did he settle on for the thesis?
    My thesis is about {}.
    I do research on {}.
    The supervisor accepted {} as a subject.
    I could lecture for hours on {}.
    She is writing a thesis on {}.
    He does research on {}.
    My dissertation deals with {}.
    The topic is settled, I write about {}.
    She can talk for hours about {}, it is her subject.
    I have read everything there is on {}, for the thesis.
    He is doing his doctorate on {}.
    The professor let me have {} as a topic.
    Four years of my life go into {}.
    I changed the subject of my thesis to {}.
    She will be the expert on {}.

    = a small dragon; a rose with thorns; a flying whale; a broken anchor
    What tattoo does she have?
    What is the tattoo of?
    What did he get tattooed?
    What is inked on her skin?
    What picture is his tattoo of?
    What design did she choose at the tattooist's?
    What does the tattoo on his arm show?
    Which motif has she got on her skin for life?
    What did the needle leave on him?
    I got a tattoo of {}.
    It is on my arm, in ink.
    The needle hurt, but now {} is on my shoulder.
    She has {} tattooed on her back.
    There is {} on my arm now, for ever.
    He let them ink {} on his leg.
    My tattoo is {}.
    The tattooist drew {} on my shoulder.
    She has {} on her ankle.
    They inked {} into his skin.
    The plaster came off, and there it is: {}.
    I have {} under my skin now.
    He rolled up his sleeve and showed us {}.
    It shows {}, and it still itches.

    = the Rose Barn; Lakeside Manor; the Old Library; the Harbour Chapel
    Where is the wedding?
    Where does she marry?
    What is the wedding venue?
    Where will he get married?
    At which place does she tie the knot?
    What location did he book for the wedding?
    Where do they say yes?
    Where is the marriage to be held?
    Which venue has she chosen for the big day?
    Where do we go in our best clothes to see him marry?
    Where will she walk down the aisle?
    We marry at {}.
    The wedding is at {}.
    We booked {} for the ceremony.
    The reception is in {}.
    We saw many places for the party and took {}.
    We get married at {}.
    The wedding will be at {}.
    She is marrying at {}.
    They booked {} for the wedding.
    {} is where we say yes.
    We saw many places and {} was the one.
    The party and the ceremony are at {}.
    He is having his wedding at {}.
    {} is reserved for our big day.
    We tie the knot at {}.
    The vows are at {}, dinner too.
    There was a flood at the other place, so we marry at {}.
    Come to {}, we are getting married.
    I fell in love with {} and paid the deposit.
    {} had a day free for the wedding.

    Who is she married to?
    Who is his wife?
    Who is she dating?
    I am married to her.
    We are engaged.
    He is my boyfriend.

    = the violin; the drums; the saxophone; the recorder; the organ
    What instrument does she play?
    What is he learning to play?
    Which instrument is he learning?
    What is she taking music lessons in?
    What does he practise every evening?
    On what does she play scales?
    Which instrument did he take up?
    What is she being taught to play?
    What makes that noise at his place?
    I play {} in a band.
    I practise {} every day.
    I take lessons in {}.
    The neighbours hear me practise.
    I am learning {}.
    She plays {}.
    He took up {}.
    I have lessons on {}.
    My teacher says I make progress on {}.
    I bought {} and a book for beginners.
    She practises {} after work.
    The whole house hears me play {}.
    He has started with {}.
    I play {} badly, but I play.
    An hour a day on {}.
    I switched to {}, the other one was too loud.
    My fingers ache from {}.

    = Ocean Blue; Soft Lemon; Pale Moss; Brick Red
    What colour are her walls?
    What paint did he use?
    What shade did he choose for the walls?
    Which paint did she put on the wall?
    In what colour did he have the rooms painted?
    What colour would I see on the walls at her place?
    Which colour did he settle on for the living room?
    What did she paint her bedroom?
    What is the colour of his hall called?
    I painted the room {}.
    The walls are {} now.
    I chose {} shade for the kitchen.
    Two coats of {}, it is all over my hands.
    We painted the walls {}.
    The living room is {} now.
    She chose {} for the hall.
    The paint is called {}.
    I have {} on my hands, the bedroom is finished.
    His walls are {}.
    We went for {} in the kitchen.
    After many samples we took {}.
    Two coats of {} and it looks like new.
    The colour on my walls is {}.
    {} covers everything, even the cat.
    The old shade was awful, now it is {}.
    She did up the flat in {}.

    = peanuts; cat hair; milk; wasp stings; pollen; aspirin
    What is he allergic to?
    What can't she eat?
    What gives her a rash?
    What must he not eat?
    What does she have to avoid because of an allergy?
    What brings on his allergy?
    Which thing makes her swell up?
    What should I leave out of the food for him?
    What does she react to?
    What must be kept away from him?
    Which allergy does she have?
    I am allergic to {}.
    I can't have {}, I swell up.
    No {} for me, or I need my inhaler.
    I found out the hard way that I can't eat {}.
    She can't have {}.
    He reacts badly to {}.
    {} makes me swell up.
    It was {} that gave me the rash.
    No {} for her, it could kill her.
    The test showed it, {}.
    I had to go to hospital because of {}.
    He must stay away from {}.
    Keep {} away from me.
    The doctor says I must avoid {}.
    I check every packet for {}.
    My throat closes when there is {} in it.
    It was not the other thing, it is {} I react to.
    She carries a pen because of {}.

    = The Silent River; The Last Garden; A House of Glass
    What book is she reading?
    Which book did he pick?
    What is he reading?
    Which book did she choose for the club?
    What is the title of his book?
    What did she put forward for the reading group?
    What is the book club reading because of him?
    Which title does she want us to read?
    What was his choice for the book club?
    What is her pick for the club?
    I am reading {}.
    I am in the middle of {}.
    I recommend {}, a great novel.
    I finished {} last night.
    She chose {} for the book club.
    We read {} next, it is my turn to choose.
    I am half way through {}.
    He can't stop talking about {}.
    {} kept me up all night.
    She lent me {}.
    My pick for the club is {}.
    I put {} on the list for the reading group.
    The book is {}.
    I finished {} and cried.
    Nobody liked the first one, so I proposed {}.
    He recommends {}.

    What film did she see?
    What does he watch on television?
    I watched {}.
    The series is called {}.
    We saw {} at the cinema.

    What pet does she have?
    What is the name of his dog?
    I have a dog called {}.
    My cat is {}.
    We adopted a rabbit.

    Which sport does he do?
    Which team does she support?
    I play {} on Sundays.
    I train for the race.
    My team won.

    What is her hobby?
    What does he collect?
    I collect these.
    My hobby is {}.
    In my spare time I make these.

    Where did she go to school?
    What did he study?
    I went to school at {}.
    I studied {}.
    I graduated from {}.

    Which language does he learn?
    What languages does she speak?
    I am learning {} language.
    I speak {}.

    Where was she born?
    Where is he from?
    I was born in {}.
    I come from {}.
    I grew up in {}.

    When is his birthday?
    How old is she?
    My birthday is in June.
    I turned forty.

    Where does she go on holiday?
    Where did he travel?
    We are going to {} for two weeks.
    I booked a flight to {}.

    What is his favourite food?
    What did she cook?
    My favourite dish is {}.
    I cooked {}.
    We had {} for dinner.

    What does she drink?
    How does he take his coffee?
    I drink {}.
    I take it with milk.

    What is he afraid of?
    What is her phobia?
    I am afraid of {}.
    This scares me.

    What illness does she have?
    What is wrong with him?
    I am ill with {}.
    I broke my arm.
    I have a cold.

    What did she win?
    Which prize did he get?
    I won {}.
    They gave me the prize.

    What did he lose?
    What was stolen from her?
    I lost {}.
    Somebody stole my bag.

    What is the name of her child?
    Who is his brother?
    My son is called {}.
    My sister came to visit.

    What did she buy?
    What did he get as a present?
    I bought {} in the sale.
    She gave me {}.

    What is his nickname?
    What do they call her?
    They call me {}.
    My nickname is {}.

    Which club is he in?
    Where does she volunteer?
    I joined {} club.
    I help out at {}.

    What is her phone number?
    What is his e-mail?
    My number is {}.
    Write to me at {}.

    What time do they meet?
    When is the appointment?
    See you at eight.
    The appointment is on Friday.
""".strip().split("\n\n")
"""A block for each side: values, if they are of one sort, lines that ask, lines that tell. {} stands for any value."""


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def _values(block: str) -> list[str]:
    return [value for line in _lines(block) if line.startswith("=") for value in line[1:].strip().split("; ")]


def _told(block: str) -> tuple[str, ...]:
    """The lines of a block that tell, with any value and with one of its own; and its values by themselves, as replies."""
    lines, values = _lines(block), _values(block)
    told = [line for line in lines if not line.startswith("=") and not line.endswith("?")]
    filled = [line.format(values[at % len(values)]) for at, line in enumerate(told)] if values else []
    replies = [f"{value[0].upper()}{value[1:]}." for value in values] + [f"It's {value}." for value in values]
    return (*(line.format("this") for line in told), *filled, *replies)


ASKED = tuple(tuple(line for line in _lines(block) if line.endswith("?")) for block in _BLOCKS)
TOLD = tuple(_told(block) for block in _BLOCKS)
NAMED = tuple(
    all(any(sign.isupper() or sign.isdigit() for sign in value) for value in _values(block)) and bool(_values(block))
    for block in _BLOCKS
)
"""Whether what is told of a side is a name or a number."""
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
