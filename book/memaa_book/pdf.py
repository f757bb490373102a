"""The built book as one PDF with the paper's numbers, printed by Chromium."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from memaa_book import pages as book_pages
from memaa_book.published import built_book
from memaa_lib._support.cache import atomic_path
from memaa_lib._support.errors import InputError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FOOTER = (
    '<div style="font: 8px sans-serif; width: 100%; padding: 0 15mm; display: flex; '
    'justify-content: space-between"><span class="title"></span>'
    '<span><span class="pageNumber"></span> / <span class="totalPages"></span></span></div>'
)


def find_browser() -> str:
    """Return the path of a Chromium."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [path for name in BROWSERS if (path := shutil.which(name))]
    if not found or not Path(found[0]).is_file():
        raise InputError(
            f"{named or 'chromium'}: no such browser; the PDF is printed by Chromium: install it "
            "(Debian: apt install chromium) or set CHROMIUM to its path"
        )
    return found[0]


def write_pdf(target: Path | None = None, pages: Sequence[str] = ()) -> Path:
    """Print the built book, page by page, into one PDF with the paper's numbers.

    Players show their poster; links between pages lead to the place in the PDF.

    Parameters
    ----------
    target
        Default ``_build/memaa.pdf``.
    pages
        Names as in ``_toc.yml``; default: all, in reading order.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is no book, no Chromium, or the packages that drive it are not installed.
    """
    book = built_book()
    executable = find_browser()
    try:
        import pypdf
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as missing:
        raise InputError(
            f"{missing.name}: not installed; make pdf needs it: pip install -e '.[book,test]'"
        ) from None
    names = [
        name
        for name in pages or book_pages.toc_pages(book_pages.read_toc())
        if (book / f"{name}.html").is_file()
    ]
    writer = pypdf.PdfWriter()
    starts: dict[str, int] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(BROWSER_FLAGS))
        page = browser.new_page()
        for name in names:
            starts[str((book / f"{name}.html").resolve())] = len(writer.pages)
            title, printed = print_page(page, (book / f"{name}.html").resolve())
            start = len(writer.pages)
            writer.append(printed, import_outline=False)
            writer.add_outline_item(title=title, page_number=start)
        browser.close()
    link_pages(writer, starts)
    writer.add_metadata({"/Title": "MEMAA companion", "/Author": "The MEMAA companion authors"})
    path = target or book_pages.ROOT / "_build" / "memaa.pdf"
    with atomic_path(path) as temporary:
        writer.write(temporary)
    return path


def print_page(page: Any, path: Path) -> tuple[str, Any]:
    """Return a page's title and itself as a PDF in memory."""
    page.goto(path.as_uri(), wait_until="load")
    page.emulate_media(media="print", color_scheme="light")
    page.evaluate("async () => { if (window.MathJax?.startup) await MathJax.startup.promise; }")
    title = str(page.title()).partition(" — ")[0]
    margin = {"top": "15mm", "bottom": "18mm", "left": "15mm", "right": "15mm"}
    printed = page.pdf(
        format="A4",
        margin=margin,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER,
        print_background=True,
        scale=0.8,
    )
    return title, io.BytesIO(printed)


def link_pages(writer: Any, starts: dict[str, int]) -> None:
    """Turn links to files of the book into links within the PDF; drop those to files left out."""
    from pypdf.generic import ArrayObject, NameObject

    for page in writer.pages:
        kept = ArrayObject()
        for reference in page.get("/Annots") or []:
            note = reference.get_object()
            address = str(note.get("/A", {}).get("/URI", ""))
            if address.startswith("file:"):
                start = starts.get(unquote(urlparse(address).path))
                if start is None:
                    continue
                del note["/A"]
                place = writer.pages[start].indirect_reference
                note[NameObject("/Dest")] = ArrayObject([place, NameObject("/Fit")])
            kept.append(reference)
        if "/Annots" in page:
            page[NameObject("/Annots")] = kept
