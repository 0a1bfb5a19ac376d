"""Where weights lie that travel with the product."""

from importlib.resources import files
from pathlib import Path

READER_WEIGHTS = Path(str(files("kithnet.runtime") / "reader.npz"))
"""The reader's adapter and heads; its card is inside."""
