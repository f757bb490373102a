"""Sphinx extension of the book: what a page shows of several data sets stands in tabs.

``memaa_book/weave.py`` leaves a cell a data set where outputs differ. The first keeps the code; the outputs
become the tabs of one set, in which all sets of a page, and of the next page, turn together.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx_design.shared import create_component

GROUP = "dataset"


def belonging(cell: nodes.Node) -> dict[str, str]:
    """Return which tabs a cell belongs to, or nothing."""
    found: dict[str, str] = (
        getattr(cell, "attributes", {}).get("cell_metadata", {}).get("memaa", {})
    )
    return found


class TabsOfDataSets(SphinxTransform):
    """Gather the outputs of cells that belong together."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Move the outputs of each cell into a tab of the first."""
        first: dict[str, nodes.Element] = {}
        for cell in list(self.document.findall(nodes.container)):
            if not (belongs := belonging(cell)):
                continue
            number = belongs["tabs"]
            outputs = [one for one in cell.children if one.get("nb_element") == "cell_code_output"]
            for one in outputs:
                cell.remove(one)
            if number in first:
                cell.parent.remove(cell)
            else:
                first[number] = create_component("tab-set", classes=["sd-tab-set", "memaa-sets"])
                cell += first[number]
            if outputs:
                first[number] += tab(belongs["title"], belongs["set"], outputs)


def tab(title: str, name: str, outputs: list[nodes.Element]) -> nodes.container:
    """Return a tab, as sphinx-design has them."""
    label = nodes.rubric(title, title, classes=["sd-tab-label"])
    label["sync_id"], label["sync_group"] = name, GROUP
    content = create_component("tab-content", children=outputs, classes=["sd-tab-content"])
    item: nodes.container = create_component(
        "tab-item", children=[label, content], classes=["sd-tab-item"], selected=False
    )
    return item


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_transform(TabsOfDataSets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
