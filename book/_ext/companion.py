"""Sphinx extension of the book: the paper's own numbers, markup for screen readers, writing in parallel.

``book/paper_numbers.json`` maps a label to the number that the paper gives it. What is not in the map
is ours and becomes C.1, C.2, ... in reading order, the same on the pages of every data set. A label
that the map names and no page has is a warning, so the strict build fails on it. Exercises are
counted on each page: 5.2 is the second of page 05.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docutils import nodes
from memaa_book.handouts import launched_by
from memaa_book.pages import front_matter
from memaa_book.plain import page_number
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

LOG = logging.getLogger(__name__)
DATASET_SUFFIXES = ("-smic", "-casme2", "-samm", "-composite")


def without_dataset(label: str) -> str:
    """Return the label that a page run on another data set repeats."""
    for suffix in DATASET_SUFFIXES:
        label = label.removesuffix(suffix)
    return label


def renumber(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Replace Sphinx's running numbers; return the pages whose numbers changed."""
    numbers = json.loads((Path(app.srcdir) / "book/paper_numbers.json").read_text("utf-8"))
    changed: set[str] = set()
    seen: set[str] = set()
    ours: dict[tuple[str, str], int] = {}
    count: dict[str, int] = {}
    for page in reading_order(env):
        for kind, ids in env.toc_fignumbers.get(page, {}).items():
            for place, node_id in enumerate(ids, start=1):
                label = node_id.removeprefix("equation-")
                seen.add(label)
                base = without_dataset(label)
                if base not in numbers and (kind, base) not in ours:
                    count[kind] = count.get(kind, 0) + 1
                    ours[kind, base] = count[kind]
                number = numbers.get(base)
                new: tuple[Any, ...] = (number,) if number else ("C", ours[kind, base])
                if kind == "exercise":
                    new = (page_number(page) or "C", place)
                if ids[node_id] != new:
                    ids[node_id] = new
                    changed.add(page)
    for label in sorted(set(numbers) - {without_dataset(label) for label in seen}):
        LOG.warning("paper_numbers.json names %s, but no page has it", label)
    return sorted(changed)


def reading_order(env: BuildEnvironment) -> list[str]:
    """Return the pages in the order of the table of contents."""
    order: list[str] = []

    def walk(page: str) -> None:
        if page not in order:
            order.append(page)
            for child in env.toctree_includes.get(page, []):
                walk(child)

    walk(env.config.root_doc)
    return order + sorted(set(env.toc_fignumbers) - set(order))


def add_the_magnifier_where_it_stands(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Load the live magnifier's program on its own page, and on no other."""
    if "<memaa-live" in context.get("body", ""):
        app.add_js_file("live.js", defer="defer")


def drop_duplicate_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Keep one copy of each script: the theme adds one of them twice, and the second copy throws."""
    seen: set[Any] = set()
    kept = []
    for script in context.get("script_files", []):
        attributes = tuple(sorted(getattr(script, "attributes", {}).items()))
        key = (getattr(script, "filename", script) or "", attributes)
        if key not in seen:
            seen.add(key)
            kept.append(script)
    context["script_files"] = kept


EMPTY_HEADER = re.compile(r"<th([^>]*)>(?:<p>)?\s*(?:</p>)?</th>")
SOLUTION_MARK = re.compile(r' *<span class="c1">### (?:BEGIN|END) SOLUTION</span>\n?')
NO_LONGER_ROLES = re.compile(r' role="(?:doc-biblioentry|list|doc-bibliography)"')
UNNAMED_SUMMARY = re.compile(r">\s*([^<>]+?)\s*</a>(\s*<details[^>]*>\s*)<summary>")


def name_for_screen_readers(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Mend what docutils and the theme leave without a name or with a role that is no more.

    The marks around the solutions of graded exercises go, too: they are for the editions.
    """
    if "body" in context:
        body = EMPTY_HEADER.sub(r"<td\1></td>", context["body"])
        context["body"] = SOLUTION_MARK.sub("", NO_LONGER_ROLES.sub("", body))
    contents: Callable[..., Any] | None = context.get("generate_toctree_html")
    if contents is not None:

        def named(kind: str, *arguments: Any, **options: Any) -> Any:
            made = contents(kind, *arguments, **options)
            if kind != "sidebar":
                return made
            name = r'>\1</a>\2<summary aria-label="Pages below \1">'
            return UNNAMED_SUMMARY.sub(name, str(made))

        context["generate_toctree_html"] = named


def keep_buttons_that_work(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Take the launch buttons off a page whose notebook is not among those that can be launched."""
    if not launched_by(page, Path(app.srcdir)):
        buttons = context.get("header_buttons", [])
        context["header_buttons"] = [b for b in buttons if b.get("label") != "launch-buttons"]


def say_whether_torch_is_needed(app: Sphinx, doctree: nodes.document) -> None:
    """End the box at the top of a notebook's page with what its front matter says of PyTorch."""
    source = Path(app.srcdir) / "notebooks" / f"{Path(app.env.docname).name}.md"
    boxes = [box for box in doctree.findall(nodes.admonition) if "memaa-open" in box["classes"]]
    if source.is_file() and boxes:
        needed = front_matter(source).get("torch", False)
        without = "With the cache of a built book this page runs without PyTorch."
        says = "To run this page you need PyTorch." if needed else without
        boxes[0] += nodes.paragraph("", says)


def name_hidden_outputs(app: Sphinx, doctree: nodes.document) -> None:
    """Say "output" where it is the output of a cell that is folded, not its code."""
    for cell in doctree.findall(nodes.container):
        if cell.get("hide_mode") == "output":
            cell["prompt_show"], cell["prompt_hide"] = "Show the output", "Hide the output"


def write_in_parallel(app: Sphinx, env: BuildEnvironment) -> None:
    """Write the pages in as many processes as there are cores, and one that hands them out.

    Said only now that all is read: not every extension says that it may read in parallel, and with
    strict warnings that would be an error.
    """
    app.parallel = 1 + (os.cpu_count() or 1)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", name_for_screen_readers, priority=950)
    app.connect("html-page-context", keep_buttons_that_work, priority=950)
    app.connect("html-page-context", add_the_magnifier_where_it_stands, priority=800)
    app.connect("html-page-context", drop_duplicate_scripts, priority=900)
    app.connect("doctree-read", say_whether_torch_is_needed)
    app.connect("doctree-read", name_hidden_outputs)
    app.connect("env-check-consistency", renumber)
    app.connect("env-check-consistency", write_in_parallel)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
