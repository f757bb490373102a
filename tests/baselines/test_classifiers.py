"""Classifiers learn, repeat themselves, and refuse what they cannot use; networks as published."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from memaa_lib._support.errors import InputError
from memaa_lib.baselines.classifiers import LinearMachine, NetSettings, SmallNet
from memaa_lib.baselines.networks import off_apexnet, ststnet
from memaa_lib.baselines.networks.off_apexnet import OffApexNet
from memaa_lib.baselines.networks.ststnet import STSTNet

QUICK = NetSettings(epochs=30, learning_rate=2e-3, batch_size=16)
BRIEF = replace(QUICK, epochs=3)  # enough to see that two trainings are one and the same


def moving_blocks(n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Flow images in which another part moves in each class."""
    random = np.random.default_rng(0)
    labels = np.arange(n) % 3
    images = 0.1 * random.normal(size=(n, 3, 28, 28))
    for image, label in zip(images, labels, strict=True):
        image[label % 2, 4 + 8 * label : 10 + 8 * label, 5:20] += 1
    return images.reshape(n, -1), labels


def test_ststnet_has_the_layers_of_its_description():
    """3 x 3 kernels over three channels: 27 weights and a bias each; 400 inputs to three outputs."""
    shapes = {name: tuple(w.shape) for name, w in STSTNet().named_parameters()}
    convolutions = sum(width * (3 * 9 + 1) for width in (3, 5, 8))
    normalization = 2 * (3 + 5 + 8)
    dense = 5 * 5 * 16 * 3 + 3
    total = sum(int(np.prod(shape)) for shape in shapes.values())
    assert total == convolutions + normalization + dense == 1651 + 32
    outputs = [stream.eval()(torch.zeros(1, 3, 28, 28)).shape for stream in STSTNet().streams]
    assert outputs == [(1, 3, 10, 10), (1, 5, 10, 10), (1, 8, 10, 10)]


def weights_and_biases(net: torch.nn.Module) -> tuple[int, int]:
    """Numbers in the convolutions and dense layers."""
    layers = [m for m in net.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    return sum(m.weight.numel() for m in layers), sum(m.bias.numel() for m in layers)


def test_what_is_printed_for_ststnet_is_its_biases_counted_twice():
    weights, biases = weights_and_biases(STSTNet())
    assert (weights, biases) == (1632, 19)
    assert weights + 2 * biases == ststnet.PUBLISHED_PARAMETERS == 1670


def test_what_is_printed_for_off_apexnet_fits_no_square_maps():
    """With two dense layers of 1024, maps of s x s in two streams of 16 channels, any s."""
    weights, biases = weights_and_biases(OffApexNet())
    most_more = biases + 4 * (1024 + 22) + 2 * 1025  # counted twice; normalized; five classes
    for side in range(1, 29):
        total = weights + biases + 2 * 16 * (side**2 - 7**2) * 1024
        assert total >= off_apexnet.PUBLISHED_PARAMETERS + 5000 or (
            total + most_more < off_apexnet.PUBLISHED_PARAMETERS - 5000
        )
    assert round((weights + 2 * biases) / 1e6, 2) == 2.67  # a misprint of one digit is possible


def test_off_apexnet_has_the_layers_of_its_description():
    net = OffApexNet()
    stream = (25 + 1) * 6 + (25 * 6 + 1) * 16
    dense = (2 * 784 + 1) * 1024 + (1024 + 1) * 1024 + (1024 + 1) * 3
    assert sum(w.numel() for w in net.parameters()) == 2 * stream + dense == 2_664_475
    assert net.streams[0](torch.zeros(1, 1, 28, 28)).shape == (1, 784)


def test_off_apexnet_does_not_look_at_strain():
    net = OffApexNet().eval()
    images = torch.randn(2, 3, 28, 28)
    changed = images.clone()
    changed[:, 2] += 1
    assert torch.equal(net(images), net(changed))


@pytest.mark.parametrize("make", [STSTNet, OffApexNet])
def test_a_network_learns_and_repeats_itself(make):
    features, labels = moving_blocks()
    learned = SmallNet(make, QUICK)
    learned.fit(features, labels, seed=1)
    assert np.mean(learned.predict(features) == labels) > 0.9
    one, two, other = (SmallNet(make, BRIEF) for _ in range(3))
    one.fit(features, labels, seed=1)
    torch.manual_seed(99)
    two.fit(features[::-1], labels, seed=3)
    two.fit(features, labels, seed=1)  # which forgets what was learned before
    assert one.digest == two.digest
    other.fit(features, labels, seed=2)
    assert other.digest != one.digest


def test_stretched_per_clip_a_strong_movement_looks_like_a_weak_one():
    features, labels = moving_blocks()
    stronger = features * np.where(np.arange(len(features)) % 2, 4, 1)[:, None]
    per_clip, one_for_all = (
        [SmallNet(STSTNet, replace(QUICK, scaling=scaling)) for _ in range(2)]
        for scaling in ("per clip", "one for all")
    )
    for nets in (per_clip, one_for_all):
        for net, given in zip(nets, (features, stronger), strict=True):
            net.fit(given, labels, seed=1)
    assert per_clip[0].digest == per_clip[1].digest
    assert one_for_all[0].digest != one_for_all[1].digest
    inputs = per_clip[0]._scaled(features.reshape(-1, 3, 28, 28))
    assert (inputs.min(axis=(2, 3)) == 0).all()
    np.testing.assert_allclose(inputs.max(axis=(2, 3)), 255, rtol=1e-6)


def test_training_leaves_the_global_random_numbers_alone():
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    SmallNet(STSTNet, NetSettings(1, 1e-3, 16)).fit(*moving_blocks())
    assert torch.equal(torch.rand(1), wanted)


def test_the_machine_separates_what_can_be_separated():
    features = np.random.default_rng(0).normal(size=(30, 8))
    labels = np.arange(30) % 3
    features[:, 0] += 8 * labels
    machine = LinearMachine()
    machine.fit(features, labels)
    assert np.array_equal(machine.predict(features), labels)
    again = LinearMachine()
    again.fit(features, labels)
    assert again.digest == machine.digest


def test_wrong_input_is_named():
    features, labels = moving_blocks(6)
    with pytest.raises(InputError, match="single class"):
        LinearMachine().fit(features, np.zeros(6, int))
    with pytest.raises(InputError, match="one row a clip"):
        LinearMachine().fit(features, labels[:5])
    with pytest.raises(InputError, match="not finite"):
        LinearMachine().fit(np.full((6, 3), np.nan), labels)
    with pytest.raises(InputError, match="call fit first"):
        SmallNet(STSTNet, QUICK).predict(features)
    with pytest.raises(InputError, match="expected \\(N, 2352\\)"):
        SmallNet(STSTNet, QUICK).fit(features[:, :-1], labels)
