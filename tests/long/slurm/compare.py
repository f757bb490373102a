"""Run a few small folds here and on a SLURM cluster, and compare digests; see run.sh."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from memaa_lib import network, protocol
from memaa_lib._support.weights import write_weights
from memaa_lib.profiles import TrainingProfile

PROFILE = TrainingProfile(
    name="tiny", image_size=32, initialisation="pretrained", trainable="fc", batch_size=4, epochs=3
)


def main() -> int:
    """Compare; 0 if the digests are the same."""
    rows = [("smic", f"s{i // 3}", f"c{i}", i % 3) for i in range(12)]
    index = pd.DataFrame(rows, columns=list(protocol.REQUIRED_COLUMNS))
    avatars = np.random.default_rng(0).integers(0, 256, (12, 3, 32, 32, 3), np.uint8)
    folds = protocol.leave_one_subject_out(index)
    with tempfile.TemporaryDirectory() as folder:
        weights = write_weights(network.scratch_weights(0), folder, "start")
        digests = {}
        for where in (None, "slurm"):
            system = protocol.Memaa(PROFILE, weights=weights)
            results = protocol.evaluate(
                avatars, index, folds, system,
                out=Path(folder, where or "here"), cluster=where, n_jobs=1 + bool(where),
            )  # fmt: skip
            digests[where or "here"] = results.digest
    print(digests)
    return int(digests["here"] != digests["slurm"])


if __name__ == "__main__":
    sys.exit(main())
