"""What makes a book of the notebooks: runs, guard, editions, slides, PDF, published tree."""

import sys

# nbformat imports jsonschema, which compiles 38 grammars of web addresses if it finds this package: 1.5 s
# in every process, for checks that the schema of notebooks does not ask for
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
