"""Printing: a missing browser is named, and how to get one."""

import pytest

from memaa_lib import printing
from memaa_lib.storage import InputError


def test_without_chromium_the_pdf_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(InputError, match="apt install chromium"):
        printing.find_browser()
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"none: no such browser.*CHROMIUM"):
        printing.find_browser()
