"""Sentences that depend on the data, and the box that ends each page."""

from __future__ import annotations

import html
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from IPython.display import HTML, Markdown

from memaa_lib import __version__
from memaa_lib._support import machine
from memaa_lib.clips import Clip
from memaa_lib.datasets.examples import describe


def prose(index: pd.DataFrame, *, twin: str = "", real: str = "") -> Markdown:
    """Return a sentence that depends on the data: what is said of a twin is not said of real clips.

    Parameters
    ----------
    index
        From :func:`memaa_lib.datasets.load_index`.
    twin
        Markdown for synthetic twins.
    real
        Markdown where any clip is real; ``{data}`` becomes the data in words.

    Returns
    -------
    IPython.display.Markdown

    Examples
    --------
    >>> index = pd.DataFrame({"dataset": ["smic"], "subject": ["s01"], "is_twin": [False], "root": ["/"]})
    >>> prose(index, twin="The truth is known.", real="These are {data}.").data
    'These are SMIC: 1 clips of 1 subjects.'
    """
    return Markdown(twin if index["is_twin"].all() else real.replace("{data}", describe(index)))


def provenance(data: str, parameters: Mapping[str, Any], shown: Sequence[Clip] = ()) -> HTML:
    """Return the box that ends each page: what was run, on what, with which parameters.

    Parameters
    ----------
    data
        The data in words, e.g. ``"CASME II twin, seed 0, difficulty 0.5 (synthetic)"``.
    parameters
        Name to value.
    shown
        Clips whose faces are on the page, which may be others than those of the numbers.

    Returns
    -------
    IPython.display.HTML

    Notes
    -----
    No date and no duration: the same run must give the same page.

    Examples
    --------
    >>> "seed" in provenance("nothing", {"seed": 0}).data
    True
    """
    packages = machine.versions()
    named = ("numpy", "scipy", "opencv-contrib-python-headless", "torch")
    rows = {
        "data": data,
        **({"faces": ", ".join(clip.title for clip in shown)} if shown else {}),
        "parameters": ", ".join(f"{name} = {value!r}" for name, value in parameters.items()),
        "code": f"memaa {__version__}, commit {machine.commit()}",
        "packages": ", ".join(f"{name} {packages[name]}" for name in named),
        "machine": f"{machine.processor()}, Python {platform.python_version()}",
    }
    cells = "".join(
        f'<tr><th scope="row">{name}</th><td>{html.escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return HTML(f'<div class="memaa-provenance"><table>{cells}</table></div>')
