"""`memaa` with a renderer that waits instead of drawing: where a command is killed or stopped, that will do.

python -c "from tests.long.waiting_twin import main; main()" data twin smic --out twin
"""

from __future__ import annotations

from typing import Any

import pytest

from memaa_lib import cli
from memaa_lib.datasets.twins import release
from tests.fake_releases import replace_renderer

SECONDS = 1.0  # for a clip
_render_subject = release._render_subject


def render_subject(*task: Any) -> Any:
    """Render a subject's clips in this process, whichever it is."""
    with pytest.MonkeyPatch.context() as patch:
        replace_renderer(patch, SECONDS)
        return _render_subject(*task)


def main() -> None:
    """Run the command line."""
    release._render_subject = render_subject
    cli.main()
