"""Where the data are: an argument, the environment, ``memaa.toml``, else the synthetic twin."""

from __future__ import annotations

import logging
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from memaa_lib._support.errors import InputError
from memaa_lib.datasets.manifests import dataset_names, load_manifest
from memaa_lib.datasets.truth import find_truth_folder

logger = logging.getLogger(__name__)

CONFIG_NAME = "memaa.toml"


@dataclass(frozen=True)
class DataRoot:
    """The folder of a data set, and whether it is a synthetic twin."""

    path: Path
    is_twin: bool


def configured_root(dataset: str, root: Path | str | None = None) -> Path | None:
    """Return the folder that the user named for a data set; ``None`` if nobody said anything.

    ``root`` goes first, then ``$MEMAA_<DATASET>_ROOT``, then the table ``[roots]`` of the nearest
    ``memaa.toml`` (in the current folder or above). The folder must exist.
    """
    load_manifest(dataset)
    variable = f"MEMAA_{dataset.upper()}_ROOT"
    if root is not None:
        return _existing(Path(root), f"the root given for {dataset}")
    if os.environ.get(variable):
        return _existing(Path(os.environ[variable]), variable)
    return _root_in_config(dataset)


def find_root(dataset: str, root: Path | str | None = None) -> DataRoot:
    """Return where a data set is, or where its twin would be made if the user named no folder.

    A folder is a twin if the truth file of a twin stands in it or above it. Nothing is made.
    """
    path = configured_root(dataset, root)
    if path is None:
        # the renderer: only where it is needed
        from memaa_lib.datasets.twins.release import twin_cache_path

        return DataRoot(twin_cache_path(dataset), True)
    return DataRoot(path, find_truth_folder(path) is not None)


def ensure_root(dataset: str, root: Path | str | None = None) -> DataRoot:
    """Return the folder of a data set; if the user named none, see to it that its twin is there.

    A line in the log says which it is.
    """
    found = find_root(dataset, root)
    if configured_root(dataset, root) is None:
        from memaa_lib.datasets.twins.release import ensure_twin

        ensure_twin(dataset)
        logger.info("%s: no root is set, using the synthetic twin at %s", dataset, found.path)
    else:
        kind = "synthetic twin" if found.is_twin else "real data"
        logger.info("%s: %s at %s", dataset, kind, found.path)
    return found


def _existing(path: Path, named_by: str) -> Path:
    path = path.expanduser()
    if not path.is_dir():
        raise InputError(f"{path}: no such folder ({named_by}); name the folder of the data")
    return path


def _root_in_config(dataset: str) -> Path | None:
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / CONFIG_NAME
        if file.is_file():
            named = _roots_table(file).get(dataset)
            return (
                None if named is None else _existing(folder / Path(named).expanduser(), str(file))
            )
    return None


def _roots_table(file: Path) -> dict[str, str]:
    """Read the table ``[roots]`` of a configuration file."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not readable as TOML ({error}); mend the file") from None
    roots = content.get("roots", {})
    known = dataset_names()
    if not isinstance(roots, dict) or not all(isinstance(value, str) for value in roots.values()):
        raise InputError(f'{file}: expected a table [roots] with lines such as smic = "/data/SMIC"')
    unknown = sorted(set(roots) - set(known))
    if unknown:
        raise InputError(
            f"{file}: [roots] names {unknown[0]!r}, expected some of {', '.join(known)}"
        )
    return roots


def data_root(dataset: str) -> tuple[str, str | None]:
    """Say which data a set's pages would show at present.

    Parameters
    ----------
    dataset
        ``"smic"``, ``"casme2"`` or ``"samm"``.

    Returns
    -------
    text : str
    problem : str or None
        If what is configured cannot be used.

    Examples
    --------
    >>> data_root("smic")
    ('the synthetic twin (no root is set)', None)
    """
    from memaa_lib.datasets.examples import publishable

    try:
        root = configured_root(dataset)
        if root is None:
            return "the synthetic twin (no root is set)", None
        if find_truth_folder(root):
            return f"{root} (a synthetic twin)", None
        shown = ", ".join(sorted(publishable(dataset))) or "nobody's"
        return f"{root} (real data; faces that may be published: {shown})", None
    except InputError as error:
        return "cannot be used", str(error)
