"""How much of the book stands there twice: sentences of eight words or more on more than one page."""

import re
from collections import Counter
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from memaa_book.pages import read_toc, toc_pages

HTML = Path(__file__).resolve().parents[2] / "_build" / "html"
REFERENCE = ("book/api", "book/cli", "book/changelog", "book/bibliography")
NOT_PROSE = "script, style, pre, .memaa-provenance, nav, .headerlink, math, .math, table"
BLOCKS = ["p", "li", "dd", "figcaption", "h1", "h2", "h3", "summary"]
SHORTEST = 8  # words
LIMIT = 0.05

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HTML.is_dir(), reason="NO BOOK TO TEST: run make book first"),
]


def sentences(page: Path) -> list[str]:
    """Sentences of a page's prose, each once."""
    article = BeautifulSoup(page.read_text("utf-8"), "html.parser").find("article")
    for other in article.select(NOT_PROSE):
        other.decompose()
    texts = [block.get_text(" ") for block in article.find_all(BLOCKS) if not block.find(BLOCKS)]
    found = [one for text in texts for one in re.split(r"(?<=[.?!:])\s+", " ".join(text.split()))]
    return list(dict.fromkeys(found))


def test_hardly_a_sentence_stands_on_two_pages():
    pages = [HTML / f"{name}.html" for name in toc_pages(read_toc()) if name not in REFERENCE]
    found = [sentences(page) for page in pages]
    count = Counter(sentence for some in found for sentence in some)
    words = Counter()
    for some in found:
        for sentence in some:
            if (length := len(sentence.split())) >= SHORTEST:
                words["all"] += length
                words["twice"] += length * (count[sentence] > 1)
    share = words["twice"] / words["all"]
    print(f"{share:.1%} of {words['all']} words")
    copied = [s for s, n in count.items() if n > 1 and len(s.split()) >= SHORTEST]
    assert share < LIMIT, copied[:20]
