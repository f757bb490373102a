"""Synthetic twins: rendered faces in a data set's own layout, with the truth beside it."""
