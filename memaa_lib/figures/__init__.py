"""What the pages show: plots, players that need no kernel, tables, provenance; and known motion."""

from memaa_lib.figures.cards import Finding, cards
from memaa_lib.figures.known_motion import KnownFace, grating, grating_shift, move, raised_brows
from memaa_lib.figures.players import compare, data_uri, explorer, film, live, scrubber
from memaa_lib.figures.plots import (
    ALPHA_COLOURS,
    CLASS_COLOURS,
    COLOURS,
    arrows,
    face_mask,
    faces,
    overview,
    pixels,
    side_by_side,
    signed_difference,
    style,
    timeline,
)
from memaa_lib.figures.points import with_points
from memaa_lib.figures.provenance_box import prose, provenance
from memaa_lib.figures.source import listing
from memaa_lib.figures.tables import IntervalRow, confusion_tables, intervals, table

__all__ = [
    "ALPHA_COLOURS",
    "CLASS_COLOURS",
    "COLOURS",
    "Finding",
    "IntervalRow",
    "KnownFace",
    "arrows",
    "cards",
    "compare",
    "confusion_tables",
    "data_uri",
    "explorer",
    "face_mask",
    "faces",
    "film",
    "grating",
    "grating_shift",
    "intervals",
    "listing",
    "live",
    "move",
    "overview",
    "pixels",
    "prose",
    "provenance",
    "raised_brows",
    "scrubber",
    "side_by_side",
    "signed_difference",
    "style",
    "table",
    "timeline",
    "with_points",
]
