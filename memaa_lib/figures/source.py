"""A function of the library as a listing on a page."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from IPython.display import Markdown

WIDTH = 76  # characters that fit on a page


def listing(function: Callable[..., Any]) -> Markdown:
    """Return the source of a function, with the first line of its docstring alone.

    Parameters
    ----------
    function
        Of the library.

    Returns
    -------
    IPython.display.Markdown
        A block of Python code.

    Examples
    --------
    >>> from memaa_lib.clips import to_gray
    >>> print(listing(to_gray).data.splitlines()[1])
    def to_gray(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """
    source = inspect.getsource(function)
    text = ast.parse(source).body[0].body[0]  # type: ignore[attr-defined]
    lines = source.splitlines()
    first = lines[text.lineno - 1]
    if text.end_lineno > text.lineno:
        first += '"""'
    shown = [*lines[: text.lineno - 1], first, *lines[text.end_lineno :]]
    return Markdown("\n".join(["```python", *map(_fitted, shown), "```"]))


def _fitted(line: str) -> str:
    """Break a line that is a comment; code stays as it is."""
    indent = line[: len(line) - len(line.lstrip())]
    if not line.lstrip().startswith("# ") or len(line) <= WIDTH:
        return line
    return textwrap.fill(line, WIDTH, subsequent_indent=f"{indent}# ")
