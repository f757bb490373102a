"""The composite of the Second Micro-Expression Grand Challenge: which clips are in it, and why.

The rule of the manifests gives exactly the official list: 442 clips of 68 subjects, 250 negative,
109 positive and 83 surprise (Table 2 of the paper).
"""

from __future__ import annotations

from typing import Any

from memaa_lib.datasets.reading import Reading


def exclusion(reading: Reading, record: dict[str, Any]) -> str | None:
    """Say why a clip is not in the composite; ``None`` if it is, and its frames are there."""
    reason = rule_exclusion(reading, record)
    if reason is None and not record["n_frames"]:
        return "no frame of it is on disk"
    return reason


def rule_exclusion(reading: Reading, record: dict[str, Any]) -> str | None:
    """Say why the rule leaves a clip out, whatever is on disk; ``None`` if it takes it."""
    rule = reading.manifest.composite
    if record["label"] is None:
        return f"emotion {record['emotion']!r} has no class in the composite"
    if rule.needs_usable_apex and record["apex"] is None:
        return "no apex is annotated"
    if rule.needs_usable_apex and record["apex"] <= record["onset"]:
        return "the apex is not after the onset"
    excluded = rule.excluded_by_coding.get(reading.coding or "", {})
    return excluded.get(f"{record['subject']}/{record['clip']}")
