"""The plot of the growth: one labelled line per operation, with logarithmic axes."""

from collections import defaultdict
from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.figures import LATENCY, Figures, Ratio, spread

matplotlib.use("Agg")

INK, GRID = "#333333", "#e4e4e4"
COLOURS = {
    "GET entry": "#0072b2",
    "list of 100": "#009e73",
    "list of all, first page": "#e69f00",
    "list of all, deep": "#d55e00",
    "POST": "#cc79a7",
}
"""From the palette of Okabe and Ito, which is safe for color-blind readers."""

NAMES = {
    "list of 100": "first page of a task",
    "list of all, first page": "first page of all",
    "list of all, deep": "offset at nine tenths",
}

Line = dict[int, Ratio]


def draw(figures: Figures, to: Path) -> None:
    """Plot the medians of all rounds, with a band from the lowest to the highest, into a file."""
    lines = _lines(figures)
    figure, axes = pyplot.subplots(figsize=(9, 5.6), layout="constrained")
    for operation, line in lines.items():
        _draw_line(axes, line, COLOURS[operation])
    _name_lines(axes, lines)
    _dress(axes, sorted({size for line in lines.values() for size in line}))
    figure.savefig(to, dpi=160)
    pyplot.close(figure)


def _lines(figures: Figures) -> dict[str, Line]:
    lines: dict[str, Line] = defaultdict(dict)
    for figure, microseconds in figures.items():
        if figure.what == LATENCY:
            lines[figure.operation][figure.entries] = spread([each / 1000 for each in microseconds])
    return lines


def _draw_line(axes: Axes, line: Line, colour: str) -> None:
    sizes, (medians, lowest, highest) = list(line), zip(*line.values(), strict=True)
    axes.fill_between(sizes, lowest, highest, color=colour, alpha=0.15, linewidth=0)
    axes.plot(
        sizes,
        medians,
        color=colour,
        linewidth=2.2,
        marker="o",
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=1.2,
    )


def _name_lines(axes: Axes, lines: dict[str, Line]) -> None:
    """Label each line at its end with its name and last figure, without overlaps."""
    ends = sorted((line[max(line)].median, operation) for operation, line in lines.items())
    lowest = 0.0
    for median, operation in ends:
        lowest = max(median, lowest * 1.3)  # a line of text, on this scale
        axes.annotate(
            f"{NAMES.get(operation, operation)}  {median:.3g} ms",
            (max(lines[operation]), lowest),
            xytext=(12, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS[operation],
            fontsize=10,
            fontweight="bold",
            annotation_clip=False,
        )


def _dress(axes: Axes, sizes: list[int]) -> None:
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel("entries in the table", color=INK)
    axes.set_xlim(right=sizes[-1] * 1.06)
    axes.set_title(
        "Latency as the table grows",
        loc="left",
        color=INK,
        fontsize=14,
        fontweight="bold",
        pad=26,
    )
    axes.text(
        0,
        1.025,
        "milliseconds, p50 · this server on SQLite, in one process",
        transform=axes.transAxes,
        color=INK,
        fontsize=10,
    )
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)
