"""A row of the index: one clip."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd


class ClipRow(NamedTuple):
    """One clip of an index, see :func:`memaa_lib.datasets.load_index` for what the fields mean.

    Whatever takes a row also takes what pandas makes of one (``index.iloc[i]``, ``itertuples()``,
    ``to_dict("records")``). What is missing is ``None``.

    Examples
    --------
    >>> ClipRow.of({"dataset": "samm", "subject": "006", "clip": "006_1_2", "apex": pd.NA}).name
    'samm/006/006_1_2'
    """

    dataset: str = ""
    subject: str = ""
    clip: str = ""
    onset: int = 0
    apex: int | None = None
    offset: int = 0
    apex_or_middle: int = 0
    fps: float = 0.0
    label: str | None = None
    emotion: str | None = None
    action_units: str | None = None
    path: str | None = None
    n_frames: int = 0
    is_twin: bool = False
    root: str | None = None

    @classmethod
    def of(cls, row: Any) -> ClipRow:
        """Return any form of a row as this one."""
        if isinstance(row, cls):
            return row
        given = row._asdict() if hasattr(row, "_asdict") else dict(row)
        values: dict[str, Any] = {
            name: None if pd.isna(given[name]) else given[name]
            for name in cls._fields
            if name in given
        }
        return cls(**values)

    @property
    def name(self) -> str:
        """What messages call the clip: ``dataset/subject/clip``."""
        return f"{self.dataset}/{self.subject}/{self.clip}"


def rows_of(index: pd.DataFrame) -> list[ClipRow]:
    """Return the rows of an index."""
    return [ClipRow.of(row) for row in index.to_dict("records")]
