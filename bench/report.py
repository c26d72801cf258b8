"""The report of a run, in Markdown: the bars with this machine's figures, then all medians."""

from collections.abc import Callable
from datetime import date

from bench.bars import Bar, bars
from bench.figures import (
    CPU,
    FAILED,
    LATENCY,
    P50,
    P99,
    PSS,
    RATE,
    RSS,
    SERVER_CPU,
    START,
    Figure,
    Figures,
    Ratio,
    spread,
)

_NOT_ASKED = "not selected"


def table(figures: Figures, failures: dict[str, str]) -> str:
    """Return the table of bars; `failures` maps failed sections to their reasons."""
    rows = [_row(bar, figures, failures) for bar in bars()]
    return _markdown(["what", "median (lowest to highest)", "bar", ""], rows)


def details(figures: Figures) -> str:
    """Return tables of all medians."""
    grids = [
        _grid("CPU per request in one process, µs", figures, CPU, _where, _who),
        _grid(
            "requests per second through gunicorn (p50 and p99 in ms; failed requests)",
            figures,
            RATE,
            _where,
            _who,
        ),
        _grid(
            "CPU of the server per request through gunicorn, µs", figures, SERVER_CPU, _where, _who
        ),
        _grid(
            "p50 of this server in one process as the table grows, µs",
            figures,
            LATENCY,
            lambda figure: figure.operation,
            lambda figure: f"{figure.entries:,} entries",
        ),
        *(
            _grid(what, figures, what, _who, lambda figure: figure.database)
            for what in (START, RSS, PSS)
        ),
    ]
    return "\n\n".join(grid for grid in grids if grid)


def _row(bar: Bar, figures: Figures, failures: dict[str, str]) -> list[str]:
    measured = bar.measured(figures)
    if measured is None:
        return [bar.what, "", str(bar), f"not measured: {failures.get(bar.section, _NOT_ASKED)}"]
    return [bar.what, _shown(measured), str(bar), "met" if bar.is_met(measured) else "**missed**"]


def _shown(measured: Ratio) -> str:
    return "{} ({} to {})".format(*map(_number, measured))


def _number(number: float) -> str:
    """Return a number with three significant digits, or all digits before the decimal point."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _where(figure: Figure) -> str:
    over = {0: "", 1: ", 1 connection"}.get(
        figure.connections, f", {figure.connections} connections"
    )
    return f"{figure.database}, {figure.operation}{over}"


def _who(figure: Figure) -> str:
    return figure.contender


def _grid(
    title: str,
    figures: Figures,
    what: str,
    row: Callable[[Figure], str],
    column: Callable[[Figure], str],
) -> str:
    """Return a table of medians; rows and columns are in the order of their first figures."""
    found = [figure for figure in figures if figure.what == what]
    columns = list(dict.fromkeys(map(column, found)))
    cells: dict[str, dict[str, str]] = {}
    for figure in found:
        cells.setdefault(row(figure), {})[column(figure)] = _cell(figure, figures)
    rows = [[name, *(each.get(name_, "") for name_ in columns)] for name, each in cells.items()]
    return f"## {title}\n\n{_markdown(['', *columns], rows)}" if rows else ""


def _cell(figure: Figure, figures: Figures) -> str:
    shown = _number(spread(figures[figure]).median)
    if figure.what != RATE:
        return shown
    p50, p99 = (spread(figures[figure._replace(what=what)]).median for what in (P50, P99))
    failed = sum(figures[figure._replace(what=FAILED)])
    return f"{shown} ({_number(p50)}, {_number(p99)}{f'; {failed:.0f} failed' if failed else ''})"


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    """Return a table whose columns are aligned, so that it is readable as plain text too."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [head, ["-" * width for width in widths], *rows]
    ]
    return "\n".join(f"| {line} |" for line in lines)


def titled(machine: str, figures: Figures, failures: dict[str, str]) -> str:
    """Return the whole report."""
    failed = "\n".join(f"* {section}: {why}" for section, why in failures.items())
    return (
        "\n\n".join(
            part
            for part in (
                f"# Measured on {date.today()}",
                machine,
                table(figures, failures),
                failed and f"Failed sections:\n\n{failed}",
                details(figures),
            )
            if part
        )
        + "\n"
    )
