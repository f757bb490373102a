"""Printing: a missing browser is named, and how to get one."""

import pytest
from memaa_book import pdf

from memaa_lib._support.errors import InputError


def test_without_chromium_the_pdf_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(InputError, match="apt install chromium"):
        pdf.find_browser()
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"none: no such browser.*CHROMIUM"):
        pdf.find_browser()
