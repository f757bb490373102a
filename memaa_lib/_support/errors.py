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
    """Raise a clear error unless a finite number is in its range; ``above`` itself is outside."""
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


def check_seed(value: int) -> None:
    """Raise a clear error unless a seed is one that every generator of random numbers takes."""
    if not (_is_whole(value) and 0 <= value < 2**32):
        raise InputError(f"seed is {value!r}, expected a whole number from 0 to {2**32 - 1}")


def check_count(name: str, value: int) -> None:
    """Raise a clear error unless a parameter is a whole number of at least 1."""
    if not (_is_whole(value) and value >= 1):
        raise InputError(f"{name} is {value!r}, expected a whole number from 1 up")


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
