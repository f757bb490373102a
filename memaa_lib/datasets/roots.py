"""Where the data are. One order for all: an argument, the environment, ``memaa.toml``, else the twin."""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from memaa_lib._support.cache import given_path
from memaa_lib._support.errors import InputError
from memaa_lib._support.machine import ROOT
from memaa_lib.datasets.layout import choose_tree
from memaa_lib.datasets.manifests import dataset_names, load_manifest
from memaa_lib.datasets.spreadsheet import find_annotation_file
from memaa_lib.datasets.truth import find_truth_folder

logger = logging.getLogger(__name__)

CONFIG_NAME = "memaa.toml"
HERE = "MEMAA_HERE"  # set by a command for the processes that it starts


@dataclass(frozen=True)
class DataRoot:
    """The folder of a data set, and whether it is a synthetic twin."""

    path: Path
    is_twin: bool


def configured_root(dataset: str, root: Path | str | None = None) -> Path | None:
    """Return the folder that the user named for a data set; ``None`` if nobody said anything.

    ``root`` goes first, then ``$MEMAA_<DATASET>_ROOT``, then the table ``[roots]`` of a ``memaa.toml``
    that names the set: in the current folder, above it, or beside the project. A relative path counts
    from the file that states it, else from the current folder. The folder must exist.
    """
    load_manifest(dataset)
    variable = _variable(dataset)
    if root is not None:
        return _existing(Path(root), f"the root given for {dataset}")
    if os.environ.get(variable):
        return _existing(Path(os.environ[variable]), variable)
    return _root_in_config(dataset)


def released_root(dataset: str, root: Path | str | None = None) -> Path | None:
    """Return :func:`configured_root`; a folder that holds no release of the set is refused at once."""
    path = configured_root(dataset, root)
    if path is not None:
        manifest = load_manifest(dataset)
        tree = choose_tree(path, manifest)
        if manifest.annotation is not None:
            title = manifest.title.split(" (")[0]
            find_annotation_file(path, tree.path, manifest.annotation, None, title)
    return path


def export_roots(environ: MutableMapping[str, str] = os.environ) -> None:
    """Check the configured roots and name them to processes that start in another folder.

    What ``memaa.toml`` or a relative path says depends on the current folder, and pages run in theirs:
    they look for a ``memaa.toml`` from here, too, and not from their own folder.
    """
    environ[HERE] = str(_here())
    for dataset in dataset_names():
        path = released_root(dataset)
        if path is not None:
            environ[_variable(dataset)] = str(path)


def given_roots(texts: Sequence[str], members: Sequence[str]) -> dict[str, Path] | None:
    """Understand what a command line names: one folder, or ``SET=FOLDER`` for some of the members.

    One folder for several sets holds a folder for each, named ``smic``, ``casme2`` and ``samm``.
    """
    named = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or name not in dataset_names():  # a path, in which "=" may stand
            if len(texts) > 1:
                raise InputError(
                    f"--root {text}: several roots are given; name the set of each: SET=FOLDER"
                )
            above = given_path(text)
            named = {one: above / one if len(members) > 1 else above for one in members}
        elif name not in members or name in named:
            expected = ", ".join(members)
            raise InputError(f"--root {text}: expected one folder for each of {expected}")
        else:
            named[name] = Path(path)
    roots = {name: released_root(name, path) for name, path in named.items()}
    return {name: path for name, path in roots.items() if path is not None} or None


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
    found = tell_root(dataset, root)
    if configured_root(dataset, root) is None:
        from memaa_lib.datasets.twins.release import ensure_twin

        ensure_twin(dataset)
    return found


def tell_root(dataset: str, root: Path | str | None = None) -> DataRoot:
    """Return :func:`find_root`, and say in the log where the data come from."""
    found = find_root(dataset, root)
    kind = "synthetic twin" if found.is_twin else "real data"
    why = " (no root is set)" if configured_root(dataset, root) is None else ""
    logger.info("%s: %s at %s%s", dataset, kind, found.path, why)
    return found


def _variable(dataset: str) -> str:
    return f"MEMAA_{dataset.upper()}_ROOT"


def _existing(path: Path, named_by: str) -> Path:
    path = given_path(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder ({named_by}); name the folder of the data")
    return path


def _here() -> Path:
    """Return the folder in which the user stands."""
    return Path(os.environ.get(HERE) or Path.cwd())


def _root_in_config(dataset: str) -> Path | None:
    here = _here()
    for folder in (here, *here.parents, ROOT):
        file = folder / CONFIG_NAME
        named = _roots_table(file).get(dataset) if file.is_file() else None
        if named is not None:
            return _existing(folder / os.path.expanduser(named), str(file))
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
        root = released_root(dataset)
        if root is None:
            return "the synthetic twin (no root is set)", None
        if find_truth_folder(root):
            return f"{root} (a synthetic twin)", None
        shown = ", ".join(sorted(publishable(dataset))) or "nobody's"
        return f"{root} (real data; faces that may be published: {shown})", None
    except InputError as error:
        return "cannot be used", str(error)
