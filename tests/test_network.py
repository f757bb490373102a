"""Training of ResNet-34: settings, starting weights, determinism, resets."""

import argparse
import hashlib
import io
import math
import subprocess
import sys
import warnings
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from memaa_lib import network, paper
from memaa_lib._support import weights
from memaa_lib._support.errors import InputError
from memaa_lib.profiles import PROFILES, TrainingProfile, profile_named
from tests.conftest import ROOT, TINY

torch = pytest.importorskip("torch")


def images(count=10, size=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)


def trained(profile, start, seed=0, data_seed=0, **options):
    inputs = network.network_inputs(images(seed=data_seed), profile, start)
    labels = np.arange(len(inputs)) % 3
    return network.train(inputs, labels, profile, start, seed=seed, **options)


@pytest.fixture(scope="module")
def start(shallow_network):
    """Untrained weights of the shallow network, which has each kind of layer."""
    return network.scratch_weights(0)


@pytest.fixture(scope="module")
def plainly_trained(start):
    """A training with nothing special, to compare others with."""
    return trained(TINY, start)


# --------------------------------------------------------------------------------- profiles


def test_paper_profile_is_table_1():
    printed = paper.table(1).iloc[0]
    profile = PROFILES["paper"]
    assert profile.learning_rate == printed["Learning rate"]
    assert profile.momentum == printed["Momentum"]
    assert profile.weight_decay == printed["Weight Decay"]
    assert profile.optimizer == printed["Optimizer"].lower()


def test_paper_profile_is_sections_3_1_1_and_3_5():
    stated = {setting.name: setting.value for setting in paper.SETTINGS}
    profile = PROFILES["paper"]
    assert profile.image_size == stated["input size (px)"]
    assert profile.batch_size == stated["mini-batch size"]
    assert profile.halve_every == stated["epochs between halvings of the learning rate"]
    assert profile.train_alphas == paper.TRAINING_ALPHAS
    assert profile.test_alpha == paper.TEST_ALPHA
    assert (profile.trainable, profile.schedule, profile.class_weights) == (
        "all",
        "halving",
        "none",
    )


def test_the_pretrained_paper_differs_from_the_paper_in_its_start_alone():
    changed = replace(PROFILES["paper-pretrained"], name="paper", initialisation="imagenet")
    assert changed == PROFILES["paper"]


def test_profiles_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        PROFILES["paper"].epochs = 1  # type: ignore[misc]
    assert {profile.name for profile in PROFILES.values()} == set(PROFILES)


def test_every_field_of_a_profile_is_explained():
    for field in fields(TrainingProfile):
        assert field.name in TrainingProfile.__doc__


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"batch_size": 1}, "batch_size"),
        ({"image_size": 16}, "image_size"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"flip_probability": 1.5}, "flip_probability"),
        ({"initialisation": "vgg"}, "one of imagenet, pretrained, scratch"),
        ({"optimizer": "adam"}, "one of sgd, adamw"),
        ({"train_alphas": ()}, "train_alphas"),
        ({"train_alphas": (5.0, -1.0)}, "train_alphas"),
        ({"trainable": "fc"}, "when training from scratch"),
    ],
)
def test_impossible_fields_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(TINY, **changes)


def test_profiles_by_name():
    assert profile_named("laptop") is PROFILES["laptop"]
    assert profile_named(TINY, epochs=3).epochs == 3
    with pytest.raises(InputError, match="choose one of paper, paper-pretrained, laptop"):
        profile_named("desktop")
    with pytest.raises(InputError, match="no field 'rate'"):
        profile_named("paper", rate=1)


def test_importing_the_protocol_does_not_import_torch():
    code = "import sys, memaa_lib.protocol; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


LACKING = ("pandas", "platformdirs", "joblib", "rich", "pydantic", "av", "dlib", "sklearn")


def test_a_machine_with_torch_and_opencv_alone_can_train():
    """As a rented GPU; also without the packages of what is not the network."""
    code = f"""
import sys
sys.modules.update(dict.fromkeys({LACKING!r}))
import numpy as np
from dataclasses import replace
from memaa_lib import network, profiles
import tools.train_packed
profile = replace(
    profiles.PROFILES["paper"], image_size=32, epochs=1, batch_size=2, precision="float32"
)
start = {{name: value.numpy() for name, value in network.scratch_weights().items()}}
learner = network.AvatarNetwork(profile, start)
learner.fit(np.zeros((2, 3, 1, 3, 32, 32), np.uint8), np.array([0, 1]), seed=0)
assert learner.predict(np.zeros((2, 3, 1, 3, 32, 32), np.uint8)).shape == (2,)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------ the network


def test_resnet34_has_the_layers_of_the_cited_paper():
    start = network.scratch_weights(0)  # before any test has taken the shallow network
    convolutions = [v for name, v in start.items() if v.ndim == 4 and "downsample" not in name]
    assert len(convolutions) + 1 == 34  # and the output layer
    assert tuple(start["fc.weight"].shape) == (3, 512)
    learned = [n for n in start if "running" not in n and "num_batches" not in n]
    assert sum(start[name].numel() for name in learned) == 21_286_211


def test_scratch_weights_follow_the_seed_and_leave_torch_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = weights.weights_digest(network.scratch_weights(1))
    assert torch.equal(torch.rand(3), expected)
    assert one == weights.weights_digest(network.scratch_weights(1))
    assert one != weights.weights_digest(network.scratch_weights(2))


def test_digest_sees_names_values_and_shapes():
    a = {"x": torch.zeros(4)}
    others = [{"y": torch.zeros(4)}, {"x": torch.ones(4)}, {"x": torch.zeros(2, 2)}]
    digests = {weights.weights_digest(state) for state in [a, *others]}
    assert len(digests) == 4


# -------------------------------------------------------------------------------- training


def test_training_twice_in_one_process_gives_the_same_weights(start, plainly_trained):
    before = weights.weights_digest(start)
    other = trained(TINY, start, data_seed=1)  # something else in between must leave no trace
    again = trained(TINY, start)
    assert other.digest != plainly_trained.digest
    assert again.digest == plainly_trained.digest
    assert again.losses == plainly_trained.losses
    assert weights.weights_digest(start) == before


def test_seed_changes_the_weights(start, plainly_trained):
    assert trained(TINY, start, seed=1).digest != plainly_trained.digest


def test_training_moves_every_weight_and_statistic(start, plainly_trained):
    assert all(not torch.equal(plainly_trained.state[name], start[name]) for name in start)


def test_training_learns_a_plain_difference(start):
    labels = np.arange(18) % 3
    avatars = images(18)
    for code in range(3):
        avatars[labels == code, :, :, code] |= 192  # each class has a colour of its own
    profile = replace(TINY, initialisation="pretrained", trainable="fc", epochs=40)
    inputs = network.network_inputs(avatars, profile, start)
    result = network.train(inputs, labels, profile, start)
    assert result.losses[-1] < 0.5 * result.losses[0]
    outputs = network.predict(inputs, profile, result.state)
    assert outputs.shape == (18, 3)
    assert np.array_equal(outputs.argmax(axis=1), labels)


def test_further_outputs_estimate_the_side_targets():
    start = network.scratch_weights(0, outputs=5)
    profile = replace(
        TINY, initialisation="pretrained", trainable="fc", epochs=40, optimizer="adamw"
    )
    inputs = network.network_inputs(images(), profile, network.scratch_weights(0))
    labels = np.arange(10) % 3
    sides = np.stack([labels == 0, labels == 1], axis=1).astype(float)
    result = network.train(inputs, labels, profile, start, side_targets=sides)
    assert result.losses[-1] < result.losses[0]
    estimates = network.predict(inputs, profile, result.state)[:, 3:]
    assert np.abs(estimates - sides).mean() < np.abs(sides - sides.mean(axis=0)).mean()


@pytest.mark.parametrize("trainable", ["layer4", "fc"])
def test_frozen_layers_stay_as_they_were(start, trainable):
    profile = replace(
        TINY, initialisation="pretrained", trainable=trainable, freeze_batch_norm=True
    )
    result = trained(profile, start)
    changed = {name for name in start if not torch.equal(result.state[name], start[name])}
    assert changed
    assert all(name.startswith((trainable, "fc")) for name in changed)
    assert not any("running" in name for name in changed)


@pytest.mark.parametrize("trainable", ["layer4", "fc"])
def test_precomputed_features_give_the_outputs_of_the_whole_network(start, trainable):
    whole = TINY
    part = replace(TINY, initialisation="pretrained", trainable=trainable)
    expected = network.predict(network.network_inputs(images(), whole, start), whole, start)
    found = network.predict(network.network_inputs(images(), part, start), part, start)
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_second_view_is_the_mirror_image(start):
    profile = replace(TINY, initialisation="pretrained", trainable="fc")
    avatars = images()
    views = network.network_inputs(avatars, profile, start)
    mirrored = network.network_inputs(avatars[:, :, ::-1], profile, start)
    assert np.array_equal(views[:, 1], mirrored[:, 0])


def test_features_of_a_clip_do_not_depend_on_the_others(start):
    profile = replace(TINY, initialisation="pretrained", trainable="layer4")
    avatars = images(6)
    garbage = avatars.copy()
    garbage[3:] = 255 - garbage[3:]
    one = network.network_inputs(avatars, profile, start)
    two = network.network_inputs(garbage, profile, start)
    assert np.array_equal(one[:3], two[:3])


def test_flips_mirror_images(start):
    never = network.network_inputs(images(), TINY, start)
    mirrored = never[..., ::-1].copy()
    labels = np.arange(10) % 3
    always = replace(TINY, flip_probability=1.0, epochs=1)
    no_flips = replace(always, flip_probability=0.0)
    one = network.train(never, labels, always, start)
    two = network.train(mirrored, labels, no_flips, start)
    assert one.digest == two.digest


def batch_of(avatars, start, seed=0, **changes):
    """All images as one augmented batch, and as they are."""
    profile = replace(TINY, flip_probability=0.0, **changes)
    data = torch.from_numpy(network.network_inputs(avatars, profile, start))
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.arange(len(avatars))
    return network._augmented(data, chosen, profile, generator), network._normalise(data[:, 0])


def test_gray_images_stay_as_they_are_without_colour(start):
    gray = images()
    gray[...] = gray[..., :1]
    batch, plain = batch_of(gray, start, gray_probability=1.0)
    assert torch.allclose(batch, plain, atol=1e-4)


def test_shifts_move_each_image_by_its_own_way(start):
    ramp = np.zeros((10, 32, 32, 3), np.uint8) + 4 * np.arange(32, dtype=np.uint8)[:, None]
    batch, plain = batch_of(ramp, start, shift_px=3.0)
    step = plain[0, 0, 0, 1] - plain[0, 0, 0, 0]
    middle = (batch - plain)[:, 0, 16, 8:24] / step  # how far each ramp moved, px
    assert torch.allclose(middle, middle[:, :1].expand_as(middle), atol=1e-3)
    assert middle.abs().max() <= 3.001
    assert middle[:, 0].unique().numel() == 10


def test_rotation_and_zoom_leave_the_centre_in_place(start):
    bump = np.zeros((10, 33, 33, 3), np.uint8)
    bump[:, 16, 16] = 255
    batch, plain = batch_of(bump, start, image_size=33, rotation_degrees=20.0, zoom=0.2)
    assert torch.allclose(batch[..., 16, 16], plain[..., 16, 16], atol=1e-3)
    assert not torch.allclose(batch, plain, atol=1e-2)


def test_contrast_changes_levels_by_a_line(start):
    avatars = np.full((6, 32, 32, 3), 100, np.uint8)
    avatars[:, :16] = 150
    batch, _ = batch_of(avatars, start, contrast=0.2)
    upper, lower = batch[:, 0, 2, 2], batch[:, 0, 30, 2]
    gains = (upper - lower) * 255 * 0.229 / 50
    assert ((gains > 0.799) & (gains < 1.201)).all()
    assert gains.unique().numel() == 6


def test_no_variation_is_the_image_itself(start):
    batch, plain = batch_of(images(), start)
    assert torch.equal(batch, plain)


def test_learning_rate_halves_every_five_epochs():
    profile = PROFILES["paper"]
    parameter = torch.nn.Linear(1, 1)
    optimizer = network._optimizer(parameter, profile)
    schedule = network._schedule(optimizer, profile, batches_per_epoch=3)
    rates = []
    for _ in range(12):
        rates.append(optimizer.param_groups[0]["lr"])
        for _ in range(3):
            optimizer.step()
            schedule.step()
    assert rates == [1e-3] * 5 + [5e-4] * 5 + [2.5e-4] * 2


def test_last_batch_is_kept_dropped_or_left_out():
    order = torch.arange(9)
    sizes = lambda profile: [len(batch) for batch in network._batches(order, profile)]  # noqa: E731
    assert sizes(replace(TINY, batch_size=6)) == [6, 3]
    assert sizes(replace(TINY, batch_size=6, drop_last=True)) == [6]
    assert sizes(replace(TINY, batch_size=4)) == [4, 4]  # one image has no batch statistics
    assert sizes(replace(TINY, batch_size=128, drop_last=True)) == [9]


def test_balanced_class_weights_make_classes_count_alike():
    target = torch.tensor([0] * 6 + [1] * 3 + [2])
    weights = network._class_weights(target, replace(TINY, class_weights="balanced"))
    totals = [float(weights[c]) * int((target == c).sum()) for c in range(3)]
    assert totals == pytest.approx([10 / 3] * 3)
    assert network._class_weights(target, TINY) is None
    absent = network._class_weights(target[:9], replace(TINY, class_weights="balanced"))
    assert absent[2] == 0


def test_mixed_precision_stays_close(monkeypatch, start, plainly_trained):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    mixed = trained(replace(TINY, precision="bfloat16"), start)
    assert mixed.losses[0] == pytest.approx(plainly_trained.losses[0], rel=0.15)
    assert mixed.digest != plainly_trained.digest


def test_a_processor_that_imitates_bfloat16_computes_in_float32(
    monkeypatch, start, plainly_trained
):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    asked = replace(TINY, precision="bfloat16")
    assert network.precision_here(asked, "cpu") == "float32"
    assert network.precision_here(asked, "cuda") == "bfloat16"
    assert trained(asked, start).digest == plainly_trained.digest


def test_what_is_compiled_for_a_gpu_is_the_same_network(monkeypatch, start):
    forms = []
    monkeypatch.setattr(
        torch, "compile", lambda function, dynamic: forms.append(dynamic) or function
    )
    _, part = network._prepared_network(TINY, start, "cpu")
    full, rest = network._compiled.__wrapped__(part)
    batch = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        expected = part(batch)
        assert torch.equal(part[-1](full(batch)), expected)
        assert torch.equal(part[-1](rest(batch)), expected)
    assert forms == [False, True]
    assert full.__code__ is not rest.__code__


def test_training_leaves_the_thread_count_alone(start):
    before = torch.get_num_threads()
    trained(replace(TINY, epochs=1), start)
    assert torch.get_num_threads() == before
    assert not torch.are_deterministic_algorithms_enabled()


def test_unusable_training_data_are_refused(start):
    inputs = network.network_inputs(images(), TINY, start)
    with pytest.raises(InputError, match="10 images and 3 labels"):
        network.train(inputs, np.arange(3), TINY, start)
    with pytest.raises(InputError, match="two images or more"):
        network.train(inputs[:1], np.arange(1), TINY, start)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 32, 32, 3), np.float32),
        np.zeros((2, 32, 40, 3), np.uint8),
        np.zeros((2, 32, 32), np.uint8),
    ],
)
def test_wrong_images_are_refused(wrong):
    with pytest.raises(InputError, match="avatars must be"):
        network.resize_avatars(wrong, 32)
    with pytest.raises(InputError, match="avatars must be"):
        network.face_view(wrong, 0.66)


def test_the_view_is_a_square_about_the_middle_of_the_face():
    rows, columns = np.mgrid[:100, :100]
    avatar = np.stack([rows, columns, rows], axis=-1).astype(np.uint8)
    seen = network.face_view(avatar, 0.66)
    assert seen.shape == (66, 66, 3)
    assert seen[0, 0].tolist() == [22, 17, 22]
    assert np.array_equal(network.face_view(avatar, 1.0), avatar)
    assert network.face_view(avatar, 0.96)[-1, -1].tolist() == [99, 97, 99]  # kept inside


@pytest.mark.parametrize("view", [0.1, 1.2, float("nan")])
def test_impossible_views_are_refused(view):
    with pytest.raises(InputError, match="view must be from"):
        replace(TINY, view=view)


def test_resizing_by_halves_is_the_mean_of_four():
    large = images(2, 64)
    mean = large.reshape(2, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(network.resize_avatars(large, 32) - mean).max() <= 0.5


# ---------------------------------------------------------------------------------- weights


@pytest.fixture
def some_weights(start):
    """Those of a few layers, so that files are small."""
    return {name: start[name] for name in start if name.startswith(("conv1", "bn1", "fc"))}


def test_weights_files_are_named_by_their_hash(tmp_path, some_weights):
    path = weights.write_weights(some_weights, tmp_path, "net")
    assert weights.write_weights(some_weights, tmp_path, "net") == path
    assert path.name == f"net-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    read = weights.read_weights(path)
    assert weights.weights_digest(read) == weights.weights_digest(some_weights)


def test_damaged_missing_and_unnamed_weights_are_refused(tmp_path, some_weights):
    path = weights.write_weights(some_weights, tmp_path, "net")
    unnamed = tmp_path / "net.pth"
    unnamed.write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="8 digits"):
        weights.read_weights(unnamed)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="do not match"):
        weights.read_weights(path)
    with pytest.raises(InputError, match="no such weights file"):
        weights.read_weights(tmp_path / "none-00000000.pth")


def named(content: bytes, folder):
    """Put contents into a file whose name tells their hash."""
    path = folder / f"w-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    path.write_bytes(content)
    return path


def saved(content, folder):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return named(buffer.getvalue(), folder)


def test_a_file_without_its_hash_is_told_its_name(tmp_path):
    (tmp_path / "checkpoint.pth.tar").write_bytes(b"x")
    digest = hashlib.sha256(b"x").hexdigest()[:8]
    with pytest.raises(InputError, match=rf"rename it checkpoint\.pth-{digest}\.pth$"):
        weights.read_weights(tmp_path / "checkpoint.pth.tar")


TABLE = {"a": torch.zeros(2), "n": torch.tensor(3)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3, "state_dict": TABLE}, "a checkpoint, whose weights stand under 'state_dict'"),
        ({"lr": 0.1, "model": TABLE, "optimizer": {"state": {0: TABLE}}}, "stand under 'model';"),
        ({"model": TABLE, "ema": TABLE}, "stand under 'model', 'ema'"),
        ({"state_dict": TABLE, "args": argparse.Namespace(lr=1)}, "not a file of weights alone"),
        (torch.nn.Linear(2, 2), "not a file of weights alone"),
        ({**TABLE, "epoch": 3}, "no table of weights"),
        ({}, "no table of weights"),
        ({0: torch.zeros(2)}, "no table of weights"),
        ([torch.zeros(2)], "no table of weights"),
        (torch.zeros(2), "no table of weights"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "no table of weights"),
        ({"a": torch.zeros(2, device="meta")}, "no table of weights"),
        ({**TABLE, "a": torch.tensor([1.0, torch.nan])}, "a holds values that are not finite"),
        ({**TABLE, "b": torch.tensor(-torch.inf)}, "b holds values that are not finite"),
        ({**TABLE, "c": torch.tensor(torch.nan).bfloat16()}, "c holds values that are not finite"),
    ],
    ids=str,
)
def test_what_trainers_write_beside_weights_is_refused_in_one_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as caught:
        weights.read_weights(saved(content, tmp_path))
    assert len(str(caught.value).splitlines()) == 1


def test_archives_of_other_kinds_are_refused_in_one_line(tmp_path):
    head = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    files = [len(head).to_bytes(8, "little") + head + bytes(4), b"PK\x03\x04", b"\x80\x02}q\x00."]
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), buffer)
    for content in (*files, buffer.getvalue()):
        with pytest.raises(InputError, match="weights") as caught:
            weights.read_weights(named(content, tmp_path))
        assert len(str(caught.value).splitlines()) == 1


def test_weights_that_were_being_trained_are_read(tmp_path):
    state = weights.read_weights(saved({"a": torch.nn.Parameter(torch.ones(2))}, tmp_path))
    assert not state["a"].requires_grad


def test_imagenet_weights_must_be_those_of_torchvision(tmp_path):
    other = tmp_path / "resnet34-12345678.pth"
    with pytest.raises(InputError, match=network.IMAGENET_FILE):
        network.imagenet_weights(other)
    fake = tmp_path / network.IMAGENET_FILE
    fake.write_bytes(b"not weights")
    with pytest.raises(InputError, match="do not match"):
        network.imagenet_weights(fake)


def test_imagenet_hash_is_the_one_torchvision_publishes():
    from torchvision.models import ResNet34_Weights

    assert ResNet34_Weights.IMAGENET1K_V1.url.endswith("/" + network.IMAGENET_FILE)


def test_missing_network_is_said_plainly(tmp_path, monkeypatch):
    def offline(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match="cannot be had"):
        network.imagenet_weights()
