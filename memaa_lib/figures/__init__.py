"""What the pages show: plots, players that need no kernel, tables, provenance; and known motion."""

from memaa_lib.figures.known_motion import grating, grating_shift, move
from memaa_lib.figures.players import compare, data_uri, explorer, film, scrubber, video
from memaa_lib.figures.plots import (
    ALPHA_COLOURS,
    CLASS_COLOURS,
    COLOURS,
    faces,
    overview,
    pixels,
    side_by_side,
    signed_difference,
    style,
    timeline,
)
from memaa_lib.figures.provenance_box import prose, provenance
from memaa_lib.figures.tables import IntervalRow, confusion_tables, intervals

__all__ = [
    "ALPHA_COLOURS",
    "CLASS_COLOURS",
    "COLOURS",
    "IntervalRow",
    "compare",
    "confusion_tables",
    "data_uri",
    "explorer",
    "faces",
    "film",
    "grating",
    "grating_shift",
    "intervals",
    "move",
    "overview",
    "pixels",
    "prose",
    "provenance",
    "scrubber",
    "side_by_side",
    "signed_difference",
    "style",
    "timeline",
    "video",
]
