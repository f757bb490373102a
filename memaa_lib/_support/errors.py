"""The one error for wrong input, and the checks that many modules share."""

from __future__ import annotations

import math

import numpy as np


class InputError(ValueError):
    """Something the user gave cannot be used; the message names it and says how to mend it."""


InputError.__module__ = "memaa_lib"  # where users import it from, and what a traceback shows


def check_number(
    name: str,
    value: float,
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
) -> None:
    """Raise a clear error unless a parameter is a finite number in its range.

    Parameters
    ----------
    name
        What the message calls it.
    value
        What was given.
    at_least, above, at_most
        The range; ``above`` itself is outside.

    Raises
    ------
    InputError
        If it is not.

    Examples
    --------
    >>> check_number("alpha", -1, at_least=0)
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: alpha is -1, expected a finite number of at least 0
    """
    if (
        isinstance(value, (int, float, np.number))
        and math.isfinite(value)
        and at_least <= value <= at_most
        and value > above
    ):
        return
    limits = [("of at least", at_least), ("above", above), ("up to", at_most)]
    expected = " ".join(f"{words} {limit:g}" for words, limit in limits if math.isfinite(limit))
    raise InputError(f"{name} is {value!r}, expected a finite number {expected}".rstrip())


def check_count(name: str, value: int) -> None:
    """Raise a clear error unless a parameter is a whole number of at least 1.

    Parameters
    ----------
    name
        What the message calls it.
    value
        What was given.

    Raises
    ------
    InputError
        If it is not.

    Examples
    --------
    >>> check_count("order", 1.5)
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: order is 1.5, expected a whole number from 1 up
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} is {value!r}, expected a whole number from 1 up")
