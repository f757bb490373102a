"""SAMM: onset, apex, offset, action units and emotion from a spreadsheet below a long preamble.

Frames are whole camera images in gray. Their numbers have four or five digits depending on the
recording, so they are told by their trailing integer. Two apexes are printed wrong and are
overridden (see the manifest).
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
    """Read a release of SAMM.

    Parameters
    ----------
    manifest
        The set's facts.
    root
        Where to look.
    variant
        ``"cropped"`` or ``"raw"``; ``None`` takes what is there.
    coding
        Edition of the spreadsheet; ``None`` takes the default one, else what is there.

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
    >>> len(read(load_manifest("samm"), find_root("samm")).records)  # doctest: +SKIP
    159
    """
    if manifest.annotation is None:
        raise InputError(f"{manifest.name}: the manifest has no annotation; restore it")
    return read_annotated(manifest, manifest.annotation, root, variant, coding)
