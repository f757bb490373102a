"""CASME II and SAMM: onset, apex, offset, action units and emotion stand in a spreadsheet.

How the spreadsheet looks is the manifest's matter; both sets are read by the same code. Of CASME II
there are two editions (``coding="2014"`` and ``"2019"``) with the same frames; the later one revised
action units and relabelled three clips, and the composite follows the earlier one. SAMM's table stands
below a long preamble, and two of its apexes are printed wrong and are overridden (see the manifest).
"""

from __future__ import annotations

from memaa_lib._support.errors import InputError
from memaa_lib.datasets.manifests import DatasetManifest
from memaa_lib.datasets.reading import Reading, read_annotated
from memaa_lib.datasets.roots import DataRoot


def read(
    manifest: DatasetManifest,
    root: DataRoot,
    variant: str | None = None,
    coding: str | None = None,
) -> Reading:
    """Read a release of CASME II or SAMM: every annotated clip, also those outside the composite."""
    if manifest.annotation is None:
        raise InputError(f"{manifest.name}: the manifest has no annotation; restore it")
    return read_annotated(manifest, manifest.annotation, root, variant, coding)
