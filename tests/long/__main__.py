"""`python -m tests.long` lists the long checks."""

from tests import long

print(long.__doc__)
