"""Another name of `language.time.clock`, for those who still import it from here."""

from kithnet.memory.language.time.clock import DAY, Token, settle, tokens

__all__ = ["DAY", "Token", "settle", "tokens"]
