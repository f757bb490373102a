"""Sphinx extension of the book: self-check quizzes and the reference of the command line.

A quiz is a list of answers, each a native ``<details>`` element that opens its verdict; ``memaa.js``
turns them into a choice that is checked by a button. It needs no network, and answers to the keyboard::

    ```{quiz}
    What is left of a constant after a band-pass?

    * (x) Nothing.

      A band-pass passes no constant.
    * ( ) All of it.

      That would be a low-pass.
    ```
"""

from __future__ import annotations

import inspect
import re
from typing import Any, Literal, get_args, get_origin

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

MARK = re.compile(r"^\(([x ]?)\)\s*")
MARKUP = re.compile(r"\[/?[a-z]+\]")  # rich's, as in [bold]
VERDICTS = {True: "Right.", False: "No."}


class Quiz(SphinxDirective):
    """A question and its answers."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the quiz as nodes; what is not HTML shows it as a plain list."""
        parsed = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        answers = next(iter(parsed.findall(nodes.bullet_list)), None)
        if answers is None:
            raise self.error("quiz: expected a question and a list of answers, * ( ) or * (x)")
        number = self.env.new_serialno("quiz")
        box = nodes.container(classes=["memaa-quiz"])
        question = [node for node in parsed.children if node is not answers]
        box += [_html('<p class="title">Check yourself</p>'), *question]
        marks = [self.add_answer(box, item, number) for item in answers.children]
        if sum(marks) != 1:
            raise self.error(f"quiz: {sum(marks)} answers are marked (x), expected one")
        return [box]

    def add_answer(self, box: nodes.container, item: nodes.Node, number: int) -> bool:
        """Append one answer and say whether it is the right one."""
        text, *why = item.children
        found = MARK.match(text.astext())
        if not found or not why:
            raise self.error(f"quiz: {text.astext()!r}: expected ( ) or (x), then a reason below")
        right = found.group(1) == "x"
        first = next(iter(text.findall(nodes.Text)))
        first.parent.replace(first, nodes.Text(MARK.sub("", first.astext())))
        kind = "right" if right else "wrong"
        box += _html(f'<details name="quiz-{number}" class="{kind}"><summary>')
        box += nodes.inline("", "", *text.children)
        box += _html(f'</summary><p class="verdict">{VERDICTS[right]}</p>')
        box += [*why, _html("</details>")]
        return right


def _html(markup: str) -> nodes.raw:
    return nodes.raw("", markup, format="html")


class CommandLine(SphinxDirective):
    """Every command of ``memaa`` with its arguments and options, from the application itself."""

    def run(self) -> list[nodes.Node]:
        """Return a section a command."""
        from memaa_book.cli import app

        return [self.section(path, command) for path, command in commands(get_command(app))]

    def section(self, path: str, command: Any) -> nodes.section:
        """Return the section of one command."""
        label = path.replace(" ", "-")
        made = nodes.section(ids=[label], names=[label])
        made += nodes.title("", "", nodes.literal(text=path))
        for paragraph in MARKUP.sub("", inspect.cleandoc(command.help or "")).split("\n\n"):
            start, example, line = paragraph.partition("Example: ")
            if example and not start:
                made += nodes.literal_block(text=line, language="bash")
            else:
                made += nodes.paragraph(text=" ".join(paragraph.split()))
        rows = [row(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            made += table(["", "what it is", "default"], rows)
        return made


def commands(command: Any, path: str = "memaa") -> list[tuple[str, Any]]:
    """Return every command below ``command`` with its full name, in the order of ``--help``."""
    below = getattr(command, "commands", None)
    if below is None:
        return [(path, command)]
    found = [commands(one, f"{path} {name}") for name, one in below.items()]
    return [pair for pairs in found for pair in pairs]


def row(parameter: Any) -> tuple[str, str, str]:
    """Return name, help and default of an argument or option."""
    name = parameter.metavar or parameter.name.upper()
    if parameter.param_type_name == "option":
        name = ", ".join([*parameter.opts, *parameter.secondary_opts])
    text = MARKUP.sub("", parameter.help or "")
    annotation = parameter.type_descriptor.annotation
    if get_origin(annotation) is Literal:
        text = f"{text} One of {', '.join(get_args(annotation))}."
    default = parameter.default
    plain = isinstance(default, (str, int, float)) and not isinstance(default, bool)
    return name, text, str(default) if plain else ""


def table(head: list[str], rows: list[tuple[str, ...]]) -> nodes.table:
    """Return a table; the first column is set as code."""
    made = nodes.table(classes=["memaa-options"])
    group = nodes.tgroup(cols=len(head))
    made += group
    group += [nodes.colspec(colwidth=1) for _ in head]

    def line(texts: tuple[str, ...] | list[str], *, code: bool) -> nodes.row:
        cells = []
        for place, text in enumerate(texts):
            inner = nodes.literal(text=text) if code and place == 0 else nodes.Text(text)
            cells.append(nodes.entry("", nodes.paragraph("", "", inner)))
        return nodes.row("", *cells)

    group += nodes.thead("", line(head, code=False))
    group += nodes.tbody("", *(line(texts, code=True) for texts in rows))
    return made


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("quiz", Quiz)
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
