"""Names beside points, placed so that they cover neither each other nor what is taken already."""

from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 24
_NARROW, _WIDE = set("iljtfrI.,:;'|! ()-"), set("mwMW@%")


@dataclass(frozen=True, slots=True)
class Label:
    """x, y: where the text begins, on its baseline. anchor: SVG's text-anchor."""

    text: str
    x: float
    y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: float, y: float, r: float) -> "Box":
        return cls(x - r, y - r, x + r, y + r)

    def overlap(self, other: "Box") -> float:
        """Area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def outside(self, width: float, height: float) -> float:
        """How far the box sticks out of a canvas."""
        return (
            max(0.0, -self.left) + max(0.0, -self.top) + max(0.0, self.right - width) + max(0.0, self.bottom - height)
        )


def place(
    wanted: Sequence[tuple[str, float, float, float]], taken: Sequence[Box], width: float, height: float, font: float,
    *, everyone: bool,
) -> tuple[Label, ...]:  # fmt: skip
    """A label for each (text, x, y, r), the first ones first; where it cannot be free it is left out unless `everyone`."""
    boxes = list(taken)
    labels: list[Label] = []
    for text, x, y, r in wanted:
        options = _options(shortened(text), x, y, r, font)
        own = Box.around(x, y, r)
        costs = [
            sum(box.overlap(other) for other in boxes if other != own) + 400 * box.outside(width, height)
            for _, box in options
        ]
        best = min(range(len(options)), key=lambda at: (costs[at], at))
        if costs[best] > 1 and not everyone:
            continue
        label, box = options[best]
        labels.append(label)
        boxes.append(box)
    return tuple(labels)


def shortened(text: str, most: int = LONGEST) -> str:
    """A name that is too long for a drawing, cut with an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def width_of(text: str, font: float) -> float:
    """About how wide a text is in a common sans-serif face; rather too wide than too narrow."""
    units = sum(0.34 if c in _NARROW else 0.92 if c in _WIDE else 1.02 if ord(c) > 0x2E80 else 0.6 for c in text)
    return units * font


def _options(text: str, x: float, y: float, r: float, font: float) -> list[tuple[Label, Box]]:
    """Places around a point, the preferred first: right, left, above, below, then the corners, then further away."""
    wide, gap = width_of(text, font), 4.0
    found = []
    for away in (0.0, 10.0, 22.0):
        reach = r + gap + away
        slant = reach * 0.7
        for anchor, px, middle in (
            ("start", x + reach, y), ("end", x - reach, y),
            ("middle", x, y - reach - font * 0.5), ("middle", x, y + reach + font * 0.5),
            ("start", x + slant, y - slant), ("start", x + slant, y + slant),
            ("end", x - slant, y - slant), ("end", x - slant, y + slant),
        ):  # fmt: skip
            left = px if anchor == "start" else px - wide if anchor == "end" else px - wide / 2
            box = Box(left - 1, middle - font * 0.6, left + wide + 1, middle + font * 0.6)
            found.append((Label(text, round(px, 1), round(middle + font * 0.35, 1), anchor), box))
    return found
