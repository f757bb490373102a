"""What makes a page stale: its code, and the drawing functions that it uses, but neither prose nor others."""

import pytest
from memaa_book import freshness

MODULE = """
import numpy as np

WIDTH = {width}

def faces(images):
    return _row(images, WIDTH)

def _row(images, width):
    return {row}

class Film:
    speed = {speed}
"""
PAGE = """---
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---

# {title}

```{{code-cell}} ipython3
figures.{name}([])
```
"""


@pytest.fixture
def changed(tmp_path, monkeypatch):
    """Write a module that draws and a page that uses it; return the digest of the page's code."""
    monkeypatch.setattr(freshness, "LIBRARY", tmp_path)
    (tmp_path / "figures").mkdir()

    def digest(name="faces", title="A page", width="7", row="images", speed="8"):
        freshness._parts.cache_clear()
        module = MODULE.format(width=width, row=row, speed=speed)
        (tmp_path / "figures" / "plots.py").write_text(module, "utf-8")
        page = tmp_path / "page.md"
        page.write_text(PAGE.format(name=name, title=title), "utf-8")
        return freshness.code_fingerprint(page)

    yield digest
    freshness._parts.cache_clear()


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({"title": "Another title"}, False),
        ({"speed": "9"}, False),  # of a class that the page does not use
        ({"row": "images  # as they are"}, False),
        ({"name": "Film"}, True),
        ({"width": "8"}, True),
        ({"row": "images[::-1]"}, True),  # of a function that is called by one that the page uses
    ],
    ids=str,
)
def test_a_page_is_stale_when_its_code_or_what_draws_for_it_has_changed(change, stale, changed):
    assert (changed(**change) != changed()) == stale


def test_what_draws_makes_nothing_else_stale(changed, tmp_path):
    changed()
    (tmp_path / "method.py").write_text("alpha = 10\n", "utf-8")
    before = freshness.library_fingerprint()
    changed(width="8")
    assert freshness.library_fingerprint() == before
    (tmp_path / "method.py").write_text("alpha = 5\n", "utf-8")
    assert freshness.library_fingerprint() != before
