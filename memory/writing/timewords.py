"""Another name of `language.time.expressions`, for those who still import it from here."""

from kithnet.memory.language.time.expressions import marks

__all__ = ["marks"]
