"""CASME II and SAMM: onset, apex, offset, action units and emotion stand in a spreadsheet.

How the spreadsheet looks is the manifest's matter; both sets are read by the same code. Of CASME II
there are two editions (``coding="2014"`` and ``"2019"``) with the same frames; the later one revised
action units and relabelled three clips, and the composite follows the earlier one. SAMM's table stands
below a long preamble, and two of its apexes are printed wrong and are overridden (see the manifest).
"""

from __future__ import annotations

from memaa_lib.datasets.reading import Reading, read_annotated
from memaa_lib.datasets.roots import DataRoot
from memaa_lib.manifests import DatasetManifest
from memaa_lib.storage import InputError


def read(
    manifest: DatasetManifest,
    root: DataRoot,
    variant: str | None = None,
    coding: str | None = None,
) -> Reading:
    """Read a release of CASME II or SAMM.

    Parameters
    ----------
    manifest
        The set's facts.
    root
        Where to look.
    variant
        ``"cropped"`` or ``"raw"``; ``None`` takes what is there.
    coding
        Edition of the spreadsheet, where there are several; ``None`` takes the default one, else what
        is there.

    Returns
    -------
    Reading
        One record a row of the spreadsheet, those outside of the composite included.

    Raises
    ------
    InputError
        If frames or spreadsheet are missing or unreadable.

    Examples
    --------
    >>> from memaa_lib.datasets import find_root  # doctest: +SKIP
    >>> from memaa_lib.manifests import load_manifest  # doctest: +SKIP
    >>> len(read(load_manifest("casme2"), find_root("casme2")).records)  # doctest: +SKIP
    255
    """
    if manifest.annotation is None:
        raise InputError(f"{manifest.name}: the manifest has no annotation; restore it")
    return read_annotated(manifest, manifest.annotation, root, variant, coding)
