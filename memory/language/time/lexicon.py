"""The words by which people tell times of day: numbers, units, and what stands before and after them."""

PARTS = {"morning": "am", "afternoon": "pm", "evening": "pm", "night": "night", "tonight": "night"}
PARTS |= {"mornings": "am", "afternoons": "pm", "evenings": "pm", "nights": "night", "forenoon": "am"}
NOONS = {"noon": 720, "midday": 720, "noontime": 720, "noonday": 720, "midnight": 0}
UNITS = {"hour": 60, "hours": 60, "hr": 60, "hrs": 60, "h": 60, "hour's": 60, "hours'": 60}
UNITS |= {"minute": 1, "minutes": 1, "min": 1, "mins": 1, "minutes'": 1, "minute's": 1, "mns": 1}
THROUGH = frozenset({"to", "till", "until", "til", "-", "–", "—", "through", "thru", "→", "~", "/"})
AFTER = frozenset(
    {"later", "earlier", "ago", "before", "after", "away", "longer", "shorter", "early", "late", "sooner"}
)
ABOUT = frozenset(
    "at around about by approximately approx roughly exactly precisely nearly almost circa @ ~ only just again".split()
)
STARTS = frozenset(
    """at from starting beginning starts begins start begin since @ around about on for commences commencing kicks off
    commence now it's its is""".split()
)
LASTING = frozenset("for lasting lasts last takes take taking spend spends spending".split())
"""Words after which a length of time is one, whatever follows it."""
HEDGES = frozenset(
    "about around approximately approx roughly exactly precisely just only nearly almost some maybe circa".split()
)
HALVED = frozenset("first second other better latter last the a my your his her their our one or".split())
"""Words before "half" that say that it is half of something."""
OF_YEARS = frozenset("was were born since died century war year years lived built founded married".split())
"""Words by which four digits are years rather than times."""
ENDS = frozenset(
    """until till til to through ends end ending finish finishes finishing finished stops stop stopping over done up wrap
    wraps wrapping concludes concluding back by closes leave leaving leaves home wakes wake waking rise rises rising
    alarm return returns returning stir quit quits finished""".split()
)
NOT = frozenset("not isn't aren't wasn't won't doesn't don't didn't never".split())
SUBJECTS = frozenset("i i'm i'll we we're we'll it it's it'll he he's he'll she she's she'll".split())
BESIDE = frozenset("before after right straight directly just immediately preceding following leading until".split())
LOOSE = frozenset("for on is now it's its off over up back to about around".split())
"""Words before a bare number that mostly speak of something else than a time."""
MEALS = frozenset("meal lunch break nap snack walk swim run service sun".split())
THINGS = frozenset(
    """people persons kids children men women guests friends students km kilometres kilometers miles mile metres meters
    feet kilos kilo kilograms pounds grams stone litres liters euros euro dollars dollar bucks cents percent years
    year months month point stage another thing weeks week days day times cups bottles seconds second time times pages
    books points degrees rooms pieces packs goals laps reps sets cats dogs of and-a-half th st nd rd""".split()
)
CLOSERS = frozenset(
    """in with and on every for i we you he she they then at tomorrow today tonight because but so is are was will it
    this the my our or after before instead now please if when as each daily again too also there which that am pm""".split()
)
