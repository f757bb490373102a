"""Fixtures of the data-set tests."""

from fake_releases import fake_renderer, make_twin, no_roots, trees

__all__ = ["fake_renderer", "make_twin", "no_roots", "trees"]
