"""Words of scripts that the full-text index cannot cut into words, or in which a word is found inside another.

The index splits at white space and punctuation. Chinese, Japanese, Thai, Lao, Khmer and Burmese have no spaces; in Korean, Arabic,
Hebrew and the scripts of India endings and articles are written onto the word, and vowel signs count as separators. Such text is
indexed a second time as pairs of characters, and single ones, in their order: what is searched is then found wherever it stands.
A pair is spelt in digits after a letter, which no tokeniser or stemmer changes. So is an emoji, which would be no word at all.
"""

import re
import unicodedata

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese, Khmer
    "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"  # Chinese characters
)
_SPACED = (
    "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"  # Hebrew, Arabic and their kin
    "\u0900-\u0dff"  # the scripts of India
    "\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff"  # Korean
)
_PUNCTUATION = (
    "\u05be\u05c0\u05c3\u05c6\u05f3\u05f4\u060c\u060d"
    "\u061b\u061e\u061f\u066a-\u066d\u06d4\u0964\u0965\u0e2f\u0e4f\u0e5a\u0e5b\u30fb\u30a0"
)
_RUN = re.compile(f"(?:(?![{_PUNCTUATION}])[{_UNSPACED}])+|(?:(?![{_PUNCTUATION}])[{_SPACED}])+")
_EMOJI = "[\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
"""Without the colours of skin: whoever looks for a hand finds any."""
_ANY = re.compile(f"[{_UNSPACED}{_SPACED}ıİ]|{_EMOJI}")
_DOTLESS = re.compile(r"\w*[ıİ]\w*")
_TATWEEL = "\u0640"


def runs(text: str) -> list[tuple[str, bool]]:
    """The stretches of such scripts in a text, folded, and whether each is of a script without spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    found = ((run[0], run[0][0]) for run in _RUN.finditer(folded))
    return [(bare, bool(re.match(f"[{_UNSPACED}]", first))) for run, first in found if (bare := _bare(run))]


def _bare(run: str) -> str:
    """Without the points of Hebrew and the vowels of Arabic, which most people leave out."""
    if not "\u0590" <= run[0] <= "\u08ff":
        return run
    return "".join(one for one in run if unicodedata.category(one) != "Mn" and one != _TATWEEL)


def pairs(run: str) -> list[str]:
    """The tokens of a run that say what stands in it in its order: of each two characters, or of the only one."""
    if len(run) == 1:
        return [_token(run)]
    return [_token(run[place : place + 2]) for place in range(len(run) - 1)]


def emoji(text: str) -> list[str]:
    """The distinct emoji of a text."""
    return list(dict.fromkeys(re.findall(_EMOJI, text)))


def cut(run: str) -> list[str]:
    """A run of a script without spaces as it is searched for: each two characters of it, or the only one."""
    return [run] if len(run) == 1 else [run[place : place + 2] for place in range(len(run) - 1)]


def without_runs(text: str) -> str:
    """The rest of a text."""
    return _RUN.sub(" ", unicodedata.normalize("NFKC", text))


def folded(word: str) -> str:
    """A word with the dotless ı of Turkish as i: who writes one for the other is understood."""
    return word.replace("ı", "i").replace("i\u0307", "i")


def extra(text: str) -> str | None:
    """What the full-text index holds of a text beside its words; None for most texts."""
    if text.isascii() or not _ANY.search(unicodedata.normalize("NFKC", text)):
        return None
    tokens: list[str] = []
    for run, _ in runs(text):
        tokens += pairs(run)
        if len(run) > 1:
            tokens += [_token(one) for one in dict.fromkeys(run)]
    tokens += [_token(one) for one in emoji(text)]
    tokens += [folded(word.casefold()) for word in _DOTLESS.findall(text)]
    return " ".join(tokens) or None


def _token(characters: str) -> str:
    return "q" + "".join(f"{ord(one):06d}" for one in characters)
