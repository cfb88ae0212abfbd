"""A user's own mask, and the control that puts it on a ticket."""

import numpy as np
import pytest
from tfticket._experiments.imp import Config

from tests.refusals import refused
from tfticket.config import Control, ControlStep
from tfticket.config.schema import validate
from tfticket.fingerprint import fingerprint
from tfticket.pruning.mask_files import mask_checksum, read_mask
from tfticket.run import run_folder

RANDOM = np.random.default_rng(0)
LIKE = {f"{name}/kernel": RANDOM.random(shape) < 0.7 for name, shape in {"dense_1": (4, 3), "dense_2": (3, 2)}.items()}
OURS = RANDOM.random((4, 3)) < 0.5


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mask.npz"


@pytest.mark.parametrize("name", ["dense_1", "dense_1/kernel"])
@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_arrays_are_named_by_layer_or_kernel_and_other_layers_keep_their_mask(name, kind, file):
    np.savez(file, **{name: OURS.astype(kind)})
    mask = read_mask(file, LIKE)
    assert list(mask) == list(LIKE)
    assert mask["dense_1/kernel"].dtype == bool
    np.testing.assert_array_equal(mask["dense_1/kernel"], OURS)
    np.testing.assert_array_equal(mask["dense_2/kernel"], LIKE["dense_2/kernel"])


def npz(**arrays):
    return lambda file: np.savez(file, **arrays)


def npy(file):
    with file.open("wb") as stream:
        np.save(stream, OURS)


def damaged(place):
    """A compressed mask of which one part is zeros; 0.5: of the compressed array itself, 1: of the list of files."""

    def write(file):
        np.savez_compressed(file, dense_1=np.random.default_rng(0).random((99, 99)) < 0.5)
        content = bytearray(file.read_bytes())
        begin = int(place * (len(content) - 64))
        content[begin : begin + 64] = bytes(64)
        file.write_bytes(content)

    return write


EXAMPLE = "np.savez('mask.npz', dense_1=...)"
NO_MASKS = {
    "none": lambda file: None,
    "empty": lambda file: file.touch(),
    "a text": lambda file: file.write_text("dense_1: 0 1 1 0"),
    "one array": npy,
    "a folder": lambda file: file.mkdir(),
    "no array": npz(),
    "objects": npz(dense_1=np.array([{}], object)),
    "texts": npz(dense_1=np.full((4, 3), "1")),
    "complex": npz(dense_1=OURS + 0j),
    "structured": npz(dense_1=np.ones((4, 3), [("kept", "u1")])),
    **{f"damaged at {place}": damaged(place) for place in (0, 0.05, 0.2, 0.5, 0.9, 1)},
}


@pytest.mark.parametrize("name", NO_MASKS)
def test_a_file_that_is_no_mask_is_refused(name, file):
    NO_MASKS[name](file)
    for read in (mask_checksum, lambda path: read_mask(path, LIKE)):
        with refused(None, None, str(file), EXAMPLE):
            read(file)


OTHERS = {
    "unknown name": (npz(dense_3=OURS), ["'dense_3'", "dense_1, dense_2"]),
    "both names": (npz(**{"dense_1": OURS, "dense_1/kernel": OURS}), ["two", "dense_1"]),
    "transposed": (npz(dense_1=OURS.T), ["dense_1", "(3, 4)", "(4, 3)"]),
    "weights": (npz(dense_1=OURS * 0.5), ["dense_1", "0 and 1"]),
    "not a number": (npz(dense_1=np.full((4, 3), np.nan)), ["dense_1", "0 and 1"]),
    "nothing": (npz(dense_1=np.zeros((4, 3)), dense_2=np.zeros((3, 2))), ["no weight"]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_mask_of_another_network_or_of_other_values_is_refused(name, file):
    write, mentions = OTHERS[name]
    write(file)
    with refused(None, None, str(file), *mentions):
        read_mask(file, LIKE)


# The control


def step(path):
    return fingerprint("control", ControlStep(control=Control(name="own-mask", path=str(path)), seed=1), {})


def run(path, tmp_path):
    controls = [{"name": "own-mask", "path": str(path)}, "reinitialise"]
    config = validate(Config, {"experiment": "imp", "name": "masks", "controls": controls}, where="test")
    return run_folder(tmp_path, config)


def test_a_step_and_a_run_are_identified_by_what_the_mask_holds(file, tmp_path):
    np.savez(file, dense_1=OURS, dense_2=LIKE["dense_2/kernel"])
    same = tmp_path / "elsewhere" / "other.npz"
    same.parent.mkdir()
    np.savez_compressed(same, dense_2=LIKE["dense_2/kernel"].astype(np.float32), dense_1=OURS.astype(int))
    assert same.read_bytes() != file.read_bytes()
    assert step(same) == step(file)
    renamed = same.rename(same.with_name(file.name))
    assert run(renamed, tmp_path) == run(file, tmp_path)
    before = {step(file), run(file, tmp_path)}
    np.savez(file, dense_1=~OURS, dense_2=LIKE["dense_2/kernel"])
    assert not before & {step(file), run(file, tmp_path)}


def test_any_other_entry_shape_or_layer_makes_another_step(tmp_path):
    masks = [
        {"dense_1": OURS},
        {"dense_1": OURS ^ (np.arange(12) == 7).reshape(4, 3)},
        {"dense_1": OURS.reshape(3, 4)},
        {"dense_2": OURS},
        {"dense_1": OURS, "dense_2": np.ones((3, 2), bool)},
    ]
    for number, arrays in enumerate(masks):
        np.savez(tmp_path / f"{number}.npz", **arrays)
    assert len({step(tmp_path / f"{number}.npz") for number in range(len(masks))}) == len(masks)


@pytest.mark.parametrize(
    ("control", "mentions"),
    [
        ("own-mask", ["path"]),
        ({"name": "shuffle-even", "path": "mask.npz"}, ["path", "shuffle-even", "own-mask"]),
        ({"name": "own-mask", "path": "mask.npz", "densities": 0.2}, ["densities", "own-mask"]),
    ],
)
def test_a_path_belongs_to_own_masks_and_they_need_one(control, mentions):
    with refused("control", None, *mentions):
        validate(ControlStep, {"control": control, "seed": 1}, where="test")


def test_masks_of_two_files_are_two_arms_and_need_two_names():
    assert [Control(name="own-mask", path=f"masks/{name}.npz").arm.key for name in "ab"] == ["own-mask a", "own-mask b"]
    controls = [{"name": "own-mask", "path": f"{folder}/mask.npz"} for folder in "ab"]
    with refused(None, None, "own-mask mask, own-mask mask"):
        validate(Config, {"experiment": "imp", "name": "masks", "controls": controls}, where="test")
