"""Ours, not the paper's: ablations, comparison, reference runs, probes, audit, pre-training."""
