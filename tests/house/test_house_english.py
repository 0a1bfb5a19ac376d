"""How much of the house is English written by hand: it may only become less (docs/reader.md)."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST, GOAL = 8_860, 3_500
"""Lines that there may be now, and that are to be left."""
ROOMS = ("agents/minds/rules", "memory/language", "memory/writing")
MODULES = (
    "agents/chat/intents.py", "agents/chat/statements.py", "agents/disclosure/sensitivity.py", "agents/wording.py",
    "memory/asking.py", "memory/correcting.py", "memory/currency.py",
)  # fmt: skip
NO_ENGLISH = {"__init__.py", "reader.py"}


def lines_of_english() -> int:
    """Lines of the modules that read English, of the word files, and pattern literals elsewhere."""
    modules = {path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path.name not in NO_ENGLISH}
    modules |= {ROOT / name for name in MODULES}
    words = {path for room in ("agents", "memory") for end in ("*.toml", "*.txt") for path in (ROOT / room).rglob(end)}
    others = {path for room in ("agents", "memory") for path in (ROOT / room).rglob("*.py")} - modules
    patterns = sum(len(re.findall(r"re\.compile\(", path.read_text(encoding="utf-8"))) for path in others)
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in modules | words) + patterns


def test_english_written_by_hand_becomes_no_more() -> None:
    assert GOAL < lines_of_english() <= MOST
