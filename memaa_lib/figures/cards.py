"""Cards: what was found, each with a number, a picture and a link."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from IPython.display import HTML
from numpy.typing import NDArray

from memaa_lib.figures.players import data_uri


@dataclass(frozen=True, eq=False)
class Finding:
    """What a card says.

    Parameters
    ----------
    number
        In large type, e.g. ``"96 %"``.
    title
        The finding, in a few words.
    words
        What the number is of, in a sentence or two.
    picture
        ``uint8`` image.
    alt
        What the picture shows.
    link
        The page that shows it, seen from the page of the card, e.g. ``"09_audit.html#audit-d1"``.
    """

    number: str
    title: str
    words: str
    picture: NDArray[np.uint8]
    alt: str
    link: str


def cards(findings: Sequence[Finding]) -> HTML:
    """Return cards side by side, or one below the other where the page is narrow.

    Parameters
    ----------
    findings
        One a card.

    Returns
    -------
    IPython.display.HTML

    Examples
    --------
    >>> picture = np.zeros((8, 8), np.uint8)
    >>> "4 of 11" in cards([Finding("4 of 11", "Less", "It is less.", picture, "black", "a.html")]).data
    True
    """
    items = "".join(
        f'<li class="memaa-card"><img src="{data_uri(one.picture)}" alt="{html.escape(one.alt)}">'
        f'<p class="number">{html.escape(one.number)}</p>'
        f'<p class="title"><a href="{html.escape(one.link)}">{html.escape(one.title)}</a></p>'
        f"<p>{html.escape(one.words)}</p></li>"
        for one in findings
    )
    return HTML(f'<ul class="memaa-cards">{items}</ul>')
