"""Networks of other groups: their layers as described, and what follows from them."""

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from memaa_lib.baselines import SYSTEMS, elrcn
from memaa_lib.baselines.classifiers import LinearMachine, NetSettings, SmallNet
from memaa_lib.baselines.dtscnn import TwoStreams, clip_features, coloured, in_time, surer
from memaa_lib.baselines.networks import dtscnn, dual_inception
from memaa_lib.baselines.networks import elrcn as elrcn_networks
from memaa_lib.baselines.networks.dual_inception import DualInception
from memaa_lib.baselines.networks.rcn_a import RCNA
from memaa_lib.baselines.networks.sssnet import SSSNet


def weights_in(make) -> int:
    """Count without taking memory: the published networks are large."""
    with torch.device("meta"):
        return sum(part.numel() for part in make().parameters())


def parts_in(network: torch.nn.Module, kind: type) -> int:
    return sum(
        weight.numel()
        for part in network.modules()
        if isinstance(part, kind)
        for weight in part.parameters()
    )


def test_sssnet_has_the_layers_of_its_description():
    convolutions = (3 * 25 + 1) * 32 + (32 * 9 + 1) * 64
    dense = (64 * 9 * 9 + 1) * 256 + 257 * 3
    assert weights_in(SSSNet) == convolutions + 2 * (32 + 64) + dense == 1_349_251


@pytest.mark.parametrize(("width", "places", "total"), [(32, 5, 15_331), (64, 7, 55_747)])
def test_rcn_a_has_the_layers_of_its_description(width, places, total):
    """The layers that are applied twice are there once."""
    convolutions = (75 + 1) * width + (width + 1) * width + (9 * width + 1) * width
    dense = (width * places**2 + 1) * 3
    assert weights_in(lambda: RCNA(width, places)) == convolutions + 3 * 2 * width + dense == total


def test_dual_inception_has_as_many_weights_as_are_printed():
    def block(channels: int, filters: int) -> int:
        return 4 * (channels + 1) * filters + (9 + 25) * filters**2 + 2 * filters

    stream = block(1, 6) + block(24, 16)
    dense = (2 * 64 * 49 + 1) * 1024 + 1025 * 3
    total = weights_in(DualInception)
    assert total == 2 * stream + dense == 6_449_867
    assert round(total, -4) == dual_inception.PUBLISHED_PARAMETERS


def test_elrcn_as_published_is_vgg_16_and_an_lstm_of_3000():
    """The convolutions of VGG-16 have 14,714,688 weights for three channels, as is well known."""
    with torch.device("meta"):
        spatial, temporal = elrcn_networks.PublishedSE(), elrcn_networks.PublishedTE()
    one_more_channel = 9 * 64
    assert parts_in(spatial, torch.nn.Conv2d) == 14_714_688 + one_more_channel
    assert parts_in(temporal, torch.nn.Conv2d) == 2 * 14_714_688 - 2 * one_more_channel
    assert parts_in(spatial, torch.nn.LSTM) == 4 * 3000 * (4096 + 3000 + 1) + 4 * 3000
    assert parts_in(temporal, torch.nn.LSTM) == 4 * 3000 * (8192 + 3000 + 1) + 4 * 3000
    assert weights_in(elrcn_networks.PublishedSE) == 219_821_635
    assert weights_in(elrcn_networks.SmallSE) == 139_123


@pytest.mark.parametrize("classes", [3, 4])
def test_dtscnn_as_published(classes):
    totals = [weights_in(lambda s=s: dtscnn.Stream(s, classes=classes)) for s in (64, 128)]
    fewer = (4 - classes) * (1152 + 1)
    assert totals == [372_340 - fewer, 375_796 - fewer]


@pytest.mark.parametrize("steps", [64, 128])
def test_dtscnn_shrinks_time_as_its_table_says(steps):
    with torch.device("meta"):
        network, clip = dtscnn.Stream(steps), torch.zeros(1, 3, steps, 112, 96)
    lengths = []
    for layer in network.code:
        clip = layer(clip)
        if isinstance(layer, (torch.nn.Conv3d, torch.nn.MaxPool3d)):
            lengths.append(clip.shape[2])
    assert lengths == [16, 16, 16, 8, 8, 4, 1, 1]


def test_rcn_a_looks_everywhere_alike_where_nothing_is_to_be_told_apart():
    """A dense layer of zeros makes flat maps, which must not be divided by their range."""
    network = RCNA().eval()
    torch.nn.init.zeros_(network.classify.weight)
    seen = network.attention(torch.rand(2, 32, 5, 5))
    assert torch.equal(seen, torch.zeros(2, 1, 5, 5))
    assert torch.isfinite(network(torch.zeros(2, 3, 60, 60))).all()


def test_rcn_a_looks_where_the_dense_layer_does():
    network = RCNA().eval()
    torch.nn.init.zeros_(network.classify.weight)
    network.classify.weight.data.view(3, 32, 5, 5)[:, :, 2, 4] = 1
    seen = network.attention(torch.ones(1, 32, 5, 5))[0, 0].detach()
    assert seen[2, 4] == pytest.approx(1, abs=1e-5)
    assert seen.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("make", [elrcn_networks.SmallSE, elrcn_networks.SmallTE])
def test_elrcn_remembers_the_order(make):
    torch.manual_seed(0)
    network, clips = make().eval(), torch.randn(2, *make.SHAPE)
    backwards = network(clips.flip(2))
    assert not torch.allclose(network(clips), backwards)
    assert torch.allclose(network(clips.flip(0)), network(clips).flip(0), atol=1e-6)
    still = network.sequence(clips[:, :, :1].expand(-1, -1, 9, -1, -1))
    assert torch.allclose(still, still[:, :1].expand(-1, 9, -1), atol=1e-6)


@pytest.mark.parametrize("method", ["sssnet", "rcn_a", "dual_inception", "elrcn_se", "elrcn_te"])
def test_every_network_learns_what_can_be_learned_and_repeats_itself(method):
    """Eight clips are learned by heart by the layers and the rate of the laptop profile."""
    net = SYSTEMS[method].learner("laptop")
    labels = np.arange(8) % 3
    random = np.random.default_rng(0)
    images = 0.1 * random.normal(size=(8, *net.make.SHAPE)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[label % 2, ..., 3 + 7 * label : 10 + 7 * label, 3:20] += 1
    features = images.reshape(8, -1)
    quick = NetSettings(30, net.settings.learning_rate, 8)
    learned = SmallNet(net.make, quick)
    learned.fit(features, labels, seed=1)
    assert np.array_equal(learned.predict(features), labels)
    # a few epochs show that two trainings are one and the same
    one, two = (SmallNet(net.make, replace(quick, epochs=3)) for _ in range(2))
    one.fit(features, labels, seed=1)
    two.fit(features, labels, seed=1)
    assert one.digest == two.digest != learned.digest


def moving(frames: np.ndarray):
    """A clip of given faces."""
    return SimpleNamespace(faces=frames)


def blob(x: float) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(40, 220, (14, 12), dtype=np.uint8)
    face = cv2.resize(coarse, (140, 170), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    matrix = np.array([[1, 0, x], [0, 1, 0]], np.float32)
    moved = cv2.warpAffine(face, matrix, (140, 170), borderMode=cv2.BORDER_REPLICATE)
    return moved.round().clip(0, 255).astype(np.uint8)


def test_the_flows_of_dtscnn_add_up_to_the_way_from_onset_to_end():
    way = np.array([0.0, 0.5, 1.5, 3.0])
    steps = clip_features(moving(np.stack([blob(x) for x in way]))).reshape(2, 128, 28, 28)
    inner = steps[0, :, 6:-6, 6:-6].astype(np.float64)
    assert inner.sum(axis=0).mean() == pytest.approx(3, abs=0.15)
    thirds = np.diff(way) / way[-1]
    parts = [part.sum(axis=0).mean() for part in np.array_split(inner, 3)]
    np.testing.assert_allclose(parts, 3 * thirds, atol=0.2)


def test_the_coarse_flows_are_sums_of_two_fine_ones():
    values = np.random.default_rng(0).normal(size=(31, 2))
    fine, coarse = (np.diff(in_time(values, steps + 1), axis=0) for steps in (128, 64))
    np.testing.assert_allclose(fine.reshape(64, 2, 2).sum(axis=1), coarse, atol=1e-5)


def test_a_clip_of_one_frame_is_at_rest_in_time():
    assert (in_time(np.array([3.0]), 5) == 3).all()


def test_opposite_directions_have_opposite_colours():
    right, left = coloured(np.array([[[(2.0, 0.0), (-2.0, 0.0)]]]))[0, 0].astype(int)
    assert (right + left == 255).all()
    assert (coloured(np.zeros((1, 2, 2, 2))) == 255).all()


def test_the_surer_stream_decides():
    confidence = np.array(
        [[[0.5, 0.3, 0.2], [0.4, 0.3, 0.3]], [[0.1, 0.8, 0.1], [0.3, 0.35, 0.35]]]
    )
    assert surer(confidence, np.array([0, 1, 2])).tolist() == [1, 0]


@pytest.mark.parametrize("classes", [2, 3])
def test_a_machine_is_sure_of_what_it_says(classes):
    features = np.eye(classes)[np.arange(12) % classes] + np.random.default_rng(0).normal(
        0, 0.1, (12, classes)
    )
    machine = LinearMachine()
    machine.fit(features, np.arange(12) % classes)
    confidence = machine.confidence(features)
    np.testing.assert_allclose(confidence.sum(axis=1), 1)
    assert np.array_equal(confidence.argmax(axis=1), machine.predict(features))


@pytest.mark.parametrize("profile", ["laptop", "paper"])
def test_two_streams_learn_and_repeat_themselves(profile):
    labels = np.arange(4) % 2
    shape = (4, 2, 128, 28, 28) if profile == "laptop" else (4, 3, 192, 112, 96)
    images = np.zeros(shape, np.float16 if profile == "laptop" else np.uint8)
    images[labels == 1, 0, :, :14] = 1 if profile == "laptop" else 255
    features = images.reshape(4, -1)
    settings = NetSettings(3, 1e-3, 4, "one for all" if profile == "laptop" else "8 bit")
    one, two = TwoStreams(profile, settings), TwoStreams(profile, settings)
    one.fit(features, labels, seed=3)
    assert np.array_equal(one.predict(features), labels)
    two.fit(features, labels, seed=3)
    assert one.digest == two.digest


def test_the_pictures_of_elrcn_have_sixteen_levels_a_pixel():
    clip = moving(np.stack([blob(x) for x in np.linspace(0, 4.5, 10)]))
    flow = elrcn.flow_sequence(clip.faces, 28)
    pictures = elrcn.published_features(clip).reshape(4, 9, 224, 224)
    middle = (slice(None), slice(80, 140), slice(80, 140))
    assert flow[0, :, 10:18, 10:18].mean() == pytest.approx(0.5, abs=0.05)
    assert pictures[0][middle].mean() == pytest.approx(128 + 16 * 0.5, abs=1)
    assert pictures[1][middle].mean() == pytest.approx(128, abs=1)
    assert pictures[3][middle].mean() < 10  # a shift strains nothing
