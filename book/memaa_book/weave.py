"""One page a step: the runs of a notebook on several data sets, woven into a single notebook.

What the runs share stands there once. Outputs that differ stand side by side: a few lines of text after the
name of their data set, all else in cells that ``book/_ext/tabs.py`` turns into tabs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat

from memaa_book.pages import TITLES, Run, is_tagged
from memaa_lib._support.cache import atomic_path

SHORT = 3  # lines of text that do without tabs


def weave_page(runs: Sequence[Run], project: Path) -> None:
    """Write the page of a step from the executed notebooks of its runs, which it offers for download."""
    read = {run.dataset: nbformat.read(project / run.path, as_version=4) for run in runs}
    woven = weave(read)
    if len(runs) > 1:
        links = [f"{{download}}`{TITLES[run.dataset]} </{run.path}>`" for run in runs]
        said = f"The notebook as it ran, one a data set: {', '.join(links)}."
        woven.cells.append(nbformat.v4.new_markdown_cell(said, id="downloads"))
    path, text = project / f"{runs[0].page}.ipynb", nbformat.writes(woven) + "\n"
    if (
        not path.is_file() or path.read_text("utf-8") != text
    ):  # a draft is made anew of what changed
        with atomic_path(path) as temporary:
            temporary.write_text(text, "utf-8")


def weave(notebooks: Mapping[str, nbformat.NotebookNode]) -> nbformat.NotebookNode:
    """Return one notebook for those of several data sets.

    Parameters
    ----------
    notebooks
        Executed notebooks by the name of their data set, in the order of the tabs. Cells that belong
        together have the same id, and ids sort as the cells do.

    Examples
    --------
    >>> def ran(text):
    ...     output = nbformat.v4.new_output("stream", text=text)
    ...     cell = nbformat.v4.new_code_cell("print(len(index))", id="c001", outputs=[output])
    ...     return nbformat.v4.new_notebook(cells=[cell])
    >>> woven = weave({"casme2": ran("145 clips"), "smic": ran("164 clips")})
    >>> print(woven.cells[0].outputs[0].text)
    CASME II   145 clips
    SMIC       164 clips
    """
    first, *others = notebooks.values()
    if not others:
        return first
    cells: dict[str, dict[str, nbformat.NotebookNode]] = {}
    for name, notebook in notebooks.items():
        for cell in notebook.cells:
            if not is_tagged(cell, "injected-parameters"):
                cells.setdefault(cell["id"], {})[name] = cell
    woven = nbformat.v4.new_notebook(metadata=first.metadata)
    for _, versions in sorted(cells.items()):
        woven.cells += weave_cell(versions)
    return woven


def weave_cell(versions: Mapping[str, nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Return one cell for those of several data sets, or a cell each, for tabs, if outputs differ."""
    cell = next(iter(versions.values()))
    if is_tagged(cell, "parameters"):  # the reader sees the defaults
        cell.metadata["tags"] = [tag for tag in cell.metadata["tags"] if tag != "remove-cell"]
    outputs = [version.get("outputs", []) for version in versions.values()]
    if all(one == outputs[0] for one in outputs):
        return [cell]
    texts = {name: short_text(version) for name, version in versions.items()}
    if all(texts.values()):
        text = "\n".join(beside(TITLES[name], text) for name, text in texts.items())
        cell.outputs = [nbformat.v4.new_output("stream", text=text)]
        return [cell]
    for name, version in versions.items():
        version.metadata["memaa"] = {"tabs": cell["id"], "set": name, "title": TITLES[name]}
        if version is not cell:
            version["id"] = f"{cell['id']}-{name}"
            version.metadata["tags"] = ["remove-input"]
            figure = version.metadata.get("mystnb", {}).get("figure", {})
            if "name" in figure:  # a label stands in the book once
                figure["name"] += f"-{name}"
    return list(versions.values())


def short_text(cell: nbformat.NotebookNode) -> str:
    """Return what a cell put out if that is a few lines of text and nothing else, or else nothing."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        if output.output_type != "stream" and set(data) != {"text/plain"}:
            return ""
        texts.append(output.get("text") or data["text/plain"])
    text = "\n".join(texts).strip("\n")
    return text if len(text.splitlines()) <= SHORT else ""


def beside(title: str, text: str) -> str:
    """Return lines of text after a title."""
    width = max(map(len, TITLES.values())) + 2
    return "\n".join(
        f"{'' if number else title:{width}}{line}" for number, line in enumerate(text.splitlines())
    )
