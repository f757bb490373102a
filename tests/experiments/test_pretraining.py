"""Starting weights and pre-training on further people."""

from dataclasses import replace

import numpy as np
import pytest

from memaa_lib import protocol
from memaa_lib._support import running, weights
from memaa_lib._support.errors import InputError
from memaa_lib.experiments import pretraining
from memaa_lib.experiments.pretraining import Pretraining
from memaa_lib.profiles import PROFILES
from tests.conftest import TINY

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def start(shallow_network):
    """Untrained weights of the shallow network."""
    from memaa_lib.network import scratch_weights

    return scratch_weights(0)


def test_starting_weights_by_profile(tmp_path, start):
    path = weights.write_weights(start, tmp_path, "resnet34-further-test")
    pretrained = replace(TINY, initialisation="pretrained")
    found = protocol.starting_weights(pretrained, weights=path)
    assert path.name in found.name
    assert found.digest == weights.weights_file_digest(path)
    assert weights.weights_digest(found.state) == weights.weights_digest(start)
    assert protocol.starting_weights(TINY).name == "scratch"
    with pytest.raises(InputError, match="leave the weights file out"):
        protocol.starting_weights(TINY, weights=path)
    other = weights.write_weights({"fc.weight": torch.zeros(3, 4)}, tmp_path, "other")
    with pytest.raises(InputError, match="not the weights of a ResNet-34"):
        protocol.starting_weights(pretrained, weights=other)


def renamed(start, prefix):
    return {f"{prefix}{name}": values for name, values in start.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda start: renamed(start, "module."), "take 'module.' off all names"),
        (lambda start: renamed(start, "model.backbone."), "take 'model.backbone.' off all names"),
        (lambda start: renamed(start, "net_"), "conv1.weight is missing"),
        (lambda start: {**start, "head.weight": torch.zeros(2)}, "head.weight is not expected"),
        (lambda start: {**start, "fc.weight": torch.zeros(7, 512)},
         r"fc.weight is \(7, 512\) .* expected \(3, 512\)"),
        (lambda start: {**start, "fc.bias": torch.zeros(3).half()}, "fc.bias is .*float16, expected .*float32"),
        (lambda start: {**start, "fc.bias": torch.zeros(3).bfloat16()}, "fc.bias is .*bfloat16, expected"),
        (lambda start: {name: start[name] for name in start if "num_batches" not in name},
         "bn1.num_batches_tracked is missing"),
    ],
)  # fmt: skip
def test_weights_of_another_network_are_told_what_differs(tmp_path, start, change, message):
    path = weights.write_weights(change(start), tmp_path, "other")
    pretrained = replace(TINY, initialisation="pretrained")
    with pytest.raises(InputError, match=f"not the weights of a ResNet-34 .*{message}"):
        protocol.starting_weights(pretrained, weights=path)


def test_each_profile_starts_from_the_pre_training_of_its_size(monkeypatch):
    asked = []
    monkeypatch.setattr(
        pretraining, "pretrained_weights", lambda *settings, **options: asked.append(settings)
    )
    for name in ("laptop", "paper-pretrained"):
        pretraining.weights_for(PROFILES[name])
    assert asked == [(pretraining.PRETRAINING,), (pretraining.PRETRAINING_224,)]


@pytest.mark.parametrize(
    "changes",
    [
        {"identities": 0},
        {"clips_per_class": 1.5},
        {"seconds": (0.5, 0.2)},
        {"strength": (0.0, 2.0)},
    ],
)
def test_impossible_pretraining_is_refused(changes):
    with pytest.raises(InputError, match="pre-training"):
        Pretraining(**changes)


@pytest.mark.slow
def test_pretraining_is_kept_resumed_and_the_same_with_two_processes(
    tmp_path, monkeypatch, shallow_network
):
    settings = Pretraining(
        identities=3, clips_per_class=1, seconds=(0.1, 0.12), training=replace(TINY, epochs=1)
    )
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "a"))
    serial = pretraining.pretraining_set(settings, n_jobs=1)
    assert serial[0].shape == (9, 32, 32, 3)
    assert len(serial[2]) == 9
    assert (np.abs(serial[2]).max(axis=1) > 0).all()  # something moves in every clip
    kept = sorted((tmp_path / "a" / "pretraining").glob("*.npz"))
    stamps = [path.stat().st_mtime_ns for path in kept]
    kept[1].unlink()
    again = pretraining.pretraining_set(settings, n_jobs=1)
    assert np.array_equal(serial[0], again[0])
    assert kept[0].stat().st_mtime_ns == stamps[0]
    path = pretraining.pretrained_weights(settings, n_jobs=1)
    stamp = path.stat().st_mtime_ns
    assert pretraining.pretrained_weights(settings) == path
    assert path.stat().st_mtime_ns == stamp
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "b"))
    monkeypatch.setattr(running, "WORTH_PROCESSES", -1.0)
    parallel = pretraining.pretraining_set(settings, n_jobs=2)
    assert np.array_equal(serial[0], parallel[0])
    assert np.array_equal(serial[2], parallel[2])
    other = pretraining.pretrained_weights(settings, n_jobs=1)
    assert other.name == path.name
