"""The data sets: SMIC, CASME II, SAMM, their composite, and synthetic twins in their layouts."""

from memaa_lib.datasets.check import CheckReport, check, list_datasets
from memaa_lib.datasets.index import (
    explain_exclusions,
    load_clip,
    load_index,
    load_truth,
    load_truth_landmarks,
    subject_key,
)
from memaa_lib.datasets.roots import DataRoot, ensure_root, find_root
from memaa_lib.datasets.rows import ClipRow, rows_of

__all__ = [
    "CheckReport",
    "ClipRow",
    "DataRoot",
    "check",
    "ensure_root",
    "explain_exclusions",
    "find_root",
    "list_datasets",
    "load_clip",
    "load_index",
    "load_truth",
    "load_truth_landmarks",
    "rows_of",
    "subject_key",
]
