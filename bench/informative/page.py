"""report.html of a run: one page that stands alone, with bars, plots, all figures and every dialogue."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kithnet.bench.informative import plots
from kithnet.bench.informative.item import Item
from kithnet.bench.informative.playing import Outcome
from kithnet.bench.report import Result
from kithnet.runtime.files import put_in_place, storing


def write_page(
    path: Path, result: Result, about: Mapping[str, Any], items: Sequence[Item],
    outcomes: Mapping[tuple[str, str], Outcome], arms: Sequence[str],
) -> None:  # fmt: skip
    """Write the page, whole or not at all. Raises StorageError."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), undefined=StrictUndefined, autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["figure"] = _figure
    rows = result.table
    played = any("calls" in row for row in rows)
    drawn = {
        "scores": {family: Markup(svg) for family, svg in plots.scores(rows).items()},
        "others": [Markup(plots.cost(rows)), Markup(plots.rationales(rows))] if played else [],
    }
    dialogues = [(item, [outcomes[item.id, arm] for arm in arms if (item.id, arm) in outcomes]) for item in items]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = environment.get_template("informative.html.j2").render(
        result=result, about=about, plots=drawn, columns=columns, dialogues=dialogues
    )
    part = path.with_suffix(".part")
    with storing(path.parent):
        part.write_text(text, encoding="utf-8", errors="replace")
        put_in_place(part, path)


def _figure(value: object) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
