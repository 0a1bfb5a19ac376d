"""Plots of a run, and a page with them and the table."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kithnet.bench.offload import arms as of
from kithnet.bench.offload.measure import Measured
from kithnet.runtime.files import put_in_place

_STYLE = (
    "body{font:14px system-ui;margin:2em;max-width:75em}table{border-collapse:collapse;font-size:12px}"
    "td,th{padding:2px 8px;text-align:right;border-bottom:1px solid #ddd}td:nth-child(3){text-align:left}"
)


def write_report(
    folder: Path, rows: Sequence[Mapping[str, Any]], found: Sequence[Measured], spans: Mapping[str, Any]
) -> Path:
    """`report.html` and its pictures, `speed-*.png`, `kl-*.png`, `timeline.png`, in the folder. Returns the page."""
    pictures = []
    for subject in dict.fromkeys(each.subject for each in found):
        mine = [each for each in found if each.subject == subject and each.outcomes]
        pictures.append((f"speed-{subject}.png", _against_memory(mine, "tokens/s", _speed)))
        pictures.append((f"kl-{subject}.png", _against_memory(mine, "KL from the high model, nats", _kl)))
    if spans:
        pictures.append(("timeline.png", _timeline(spans)))
    for name, data in pictures:
        (folder / name).write_bytes(data)
    page = folder / "report.html"
    part = folder / "report.html.part"
    part.write_text(_page(rows, pictures), encoding="utf-8")
    put_in_place(part, page)
    return page


def _speed(each: Measured) -> float | None:
    speeds = sorted(each.speeds())
    return speeds[len(speeds) // 2]


def _kl(each: Measured) -> float | None:
    return each.outcomes[-1].kl


def _against_memory(found: Sequence[Measured], label: str, value: Any) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5))
    axes = figure.subplots()
    for arm in dict.fromkeys(each.run.arm for each in found if each.run.arm != of.UNLIMITED):
        points = [(each.share * 100, y) for each in found if each.run.arm == arm and (y := value(each)) is not None]
        if points:
            axes.plot(*zip(*sorted(points), strict=True), marker="o", label=arm)
    best = [y for each in found if each.run.arm == of.UNLIMITED and (y := value(each)) is not None]
    if best:
        axes.axhline(best[0], color="black", linestyle=":", label=of.UNLIMITED)
    axes.set_xlabel("memory, % of the high model")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    return _png(figure)


def _timeline(spans: Mapping[str, Any]) -> bytes:
    """What the hook did in each layer of one token; between its bars llama.cpp computed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.6))
    axes = figure.subplots()
    for label, start, end in spans["spans"]:
        late = label.startswith(("ffn_moe_down", "ffn_moe_out"))
        axes.barh(int(late), end - start, left=start, height=0.8, color="tab:orange" if late else "tab:blue")
    axes.set_yticks([0, 1], ["deciding, waiting for reads", "computing beside the graph"])
    axes.set_xlabel(f"ms within one token ({spans['arm']}, 50 % of the memory)")
    return _png(figure)


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.tight_layout()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _page(rows: Sequence[Mapping[str, Any]], pictures: Sequence[tuple[str, bytes]]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_shown(row.get(column, '')))}</td>" for column in columns) + "</tr>"
        for row in rows
    )
    images = "".join(
        f'<p><img alt="{name}" src="data:image/png;base64,{base64.b64encode(data).decode()}"></p>'
        for name, data in pictures
    )
    return (
        f"<!doctype html><meta charset=utf-8><title>Expert offloading</title><style>{_STYLE}</style>"
        f"<h1>Expert offloading</h1>{images}<table><tr>{head}</tr>{body}</table>"
    )


def _shown(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
