"""Tables that speak: confusion matrices, and numbers with their intervals."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.figures.players import framed
from memaa_lib.paper import CLASSES

TELL = "Point at a {what}, tap it, or reach it by the tabulator and arrow keys: its numbers stand here."


def confusion_tables(matrices: Mapping[str, NDArray[np.int64]], *, caption: str = "") -> HTML:
    """Return confusion matrices side by side, as tables whose cells say in words what they count.

    Parameters
    ----------
    matrices
        What each shows, e.g. data set and profile, to ``(3, 3)`` counts. Rows are true classes, as
        in the paper's Tables 4-6.
    caption
        Below them.

    Returns
    -------
    IPython.display.HTML
        Pointing at a cell, tapping it or reaching it by keyboard shows what it counts, and what the
        same cell of the other tables counts. Without JavaScript: the tables.

    Raises
    ------
    InputError
        If there is no matrix, or one is not 3 x 3.

    Examples
    --------
    >>> counts = np.diag([3, 1, 1]) + np.eye(3, k=1, dtype=int)
    >>> "a twin: 3 of 4 negative clips" in confusion_tables({"a twin": counts}).data
    True
    """
    if not matrices:
        raise InputError("confusion_tables: expected at least one matrix")
    tables = "".join(_confusion_table(name, np.asarray(each)) for name, each in matrices.items())
    return HTML(_told(f'<div class="memaa-beside">{tables}</div>', "cell", caption))


def _confusion_table(name: str, counts: NDArray[np.int64]) -> str:
    size = len(CLASSES)
    if counts.shape != (size, size):
        raise InputError(f"{name}: confusion matrix of shape {counts.shape}, expected (3, 3)")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = []
    for row, true in enumerate(CLASSES):
        cells = []
        for column, said in enumerate(CLASSES):
            count, share = int(counts[row, column]), float(shares[row, column])
            words = f"{name}: {count} of {counts[row].sum()} {true} clips were called {said} ({share:.0%})."
            kind = "hit" if row == column else "miss"
            cells.append(
                f'<td class="{kind}" data-words="{html.escape(words)}" style="--share:{share:.2f}">'
                f"{count}<small>{share:.0%}</small></td>"
            )
        rows.append(f'<tr><th scope="row">{true}</th>{"".join(cells)}</tr>')
    head = "".join(f'<th scope="col">{said}</th>' for said in CLASSES)
    return (
        f'<table class="memaa-confusion"><caption>{html.escape(name)}</caption><thead><tr>'
        f'<th scope="col">true \\ predicted</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def table(frame: pd.DataFrame, *, digits: int = 3, caption: str = "") -> HTML:
    """Return a table of numbers for readers: one row of heads, a dash where there is no number.

    Parameters
    ----------
    frame
        Its index, which needs a name, and its columns become the columns of the table.
    digits
        Decimals of numbers that are not whole.
    caption
        Below it.

    Returns
    -------
    IPython.display.HTML

    Examples
    --------
    >>> frame = pd.DataFrame({"UF1": [0.5, np.nan]}, index=["a", "b"]).rename_axis("system")
    >>> "<td>0.500</td>" in table(frame).data
    True
    """

    def said(value: Any) -> str:
        if pd.isna(value):
            return "-"
        if isinstance(value, (float, np.floating)):
            return f"{value:.{digits}f}"
        return f"{value:,}" if isinstance(value, (int, np.integer)) else html.escape(str(value))

    whole = frame.reset_index()
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in whole.columns)
    body = []
    for first, *values in whole.itertuples(index=False):
        cells = "".join(f"<td>{said(value)}</td>" for value in values)
        body.append(f'<tr><th scope="row">{said(first)}</th>{cells}</tr>')
    rows = f'<table class="dataframe"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'
    return HTML(framed(rows, caption, "100%"))


class IntervalRow(NamedTuple):
    """One row of :func:`intervals`.

    Parameters
    ----------
    name
        What was measured.
    value, low, high
        The number and the bounds of its interval.
    marked
        Draw it in red, its name in bold.
    note
        What else to say of the row when it is pointed at.
    """

    name: str
    value: float
    low: float
    high: float
    marked: bool = False
    note: str = ""


def intervals(
    rows: Sequence[IntervalRow],
    *,
    heads: tuple[str, str],
    caption: str = "",
    line: float | None = None,
    limits: tuple[float, float] | None = None,
    wide: bool = False,
) -> HTML:
    """Return numbers with their intervals as a table that draws them.

    Parameters
    ----------
    rows
        From top to bottom.
    heads
        What the rows are, and what the numbers are.
    caption
        Below the figure; names the data set and says what the line is.
    line
        A value to mark with a vertical line, e.g. chance.
    limits
        Ends of the axis; default: just around the intervals and the line.
    wide
        Put the numbers under the names, so that the drawing is as wide as can be.

    Returns
    -------
    IPython.display.HTML
        Numbers stand beside the drawing, so nothing depends on it; pointing at a row, tapping it or
        reaching it by keyboard tells them with the note. If the axis goes below zero, numbers have a
        sign.

    Raises
    ------
    InputError
        If there is no row.

    Examples
    --------
    >>> rows = [IntervalRow("a", 0.5, 0.4, 0.6)]
    >>> "0.500 (0.400 to 0.600)" in intervals(rows, heads=("system", "UF1")).data
    True
    """
    if not rows:
        raise InputError("intervals: expected at least one row")
    ends = [end for row in rows for end in (row.low, row.high)] + ([] if line is None else [line])
    margin = 0.02 * (max(ends) - min(ends)) or 0.1
    first, last = limits or (min(ends) - margin, max(ends) + margin)
    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(first, last)
    sign = "+" if (limits or (min(ends),))[0] < 0 else ""
    room = ";flex:1 1 100%" if wide else ""

    def place(value: float) -> str:
        return f"{100 * (min(max(value, first), last) - first) / (last - first):.1f}%"

    body = []
    for row in rows:
        numbers = f"{row.value:{sign}.3f} ({row.low:{sign}.3f} to {row.high:{sign}.3f})"
        words = html.escape(f"{row.name}: {numbers}. {row.note}".strip())
        kind = "marked" if row.marked else ""
        track = f"--low:{place(row.low)};--high:{place(row.high)};--value:{place(row.value)}{room}"
        beside = "" if wide else f"<span>{numbers}</span>"
        below = f"<br><small>{numbers}</small>" if wide else ""
        body.append(
            f'<tr class="{kind}" data-words="{words}"><th scope="row">{html.escape(row.name)}{below}</th>'
            f'<td><div><span class="track" style="{track}"></span>{beside}</div></td></tr>'
        )
    shown = [tick for tick in ticks if first - 1e-9 <= tick <= last + 1e-9]
    scale = "".join(f'<span style="left:{place(tick)}">{tick + 0.0:g}</span>' for tick in shown)
    style = "" if line is None else f' style="--line:{place(line)}"'
    empty = "" if wide else "<span></span>"
    table = (
        f'<table class="memaa-intervals"{style}><thead><tr>'
        f'<th scope="col">{html.escape(heads[0])}</th><th scope="col">{html.escape(heads[1])}'
        f'<div aria-hidden="true"><span class="scale" style="{room[1:]}">{scale}</span>{empty}</div></th>'
        f"</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )
    return HTML(_told(table, "row", caption))


def _told(tables: str, what: str, caption: str) -> str:
    words = f'<p class="memaa-words" aria-live="polite" data-hint="{TELL.format(what=what)}"></p>'
    return framed(f'<div class="memaa-told">{tables}{words}</div>', caption, "100%")
