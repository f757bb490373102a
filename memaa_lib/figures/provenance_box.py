"""The box that ends each page."""

from __future__ import annotations

import html
import platform
from collections.abc import Mapping
from typing import Any

from IPython.display import HTML

from memaa_lib import __version__
from memaa_lib._support import machine


def provenance(data: str, parameters: Mapping[str, Any]) -> HTML:
    """Return the box that ends each page: what was run, on what, with which parameters.

    Parameters
    ----------
    data
        The data in words, e.g. ``"CASME II twin, seed 0, difficulty 0.5 (synthetic)"``.
    parameters
        Name to value.

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
