"""A user's own mask, and the control that puts it on a ticket."""

import numpy as np
import pytest
from tfticket._experiments.imp import Config

from tfticket.config import Control, ControlStep
from tfticket.config.schema import validate
from tfticket.errors import InputError
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
def test_a_mask_goes_by_its_layers_name_or_its_kernels_and_other_layers_keep_theirs(name, kind, file):
    np.savez(file, **{name: OURS.astype(kind)})
    mask = read_mask(file, LIKE)
    assert list(mask) == list(LIKE)
    assert mask["dense_1/kernel"].dtype == bool
    np.testing.assert_array_equal(mask["dense_1/kernel"], OURS)
    np.testing.assert_array_equal(mask["dense_2/kernel"], LIKE["dense_2/kernel"])


NOTHING = {"dense_1": np.zeros((4, 3)), "dense_2": np.zeros((3, 2))}
BAD = {
    "unknown name": ({"dense_3": OURS}, "an array 'dense_3'; the network's layers are dense_1, dense_2"),
    "both names": ({"dense_1": OURS, "dense_1/kernel": OURS}, "two arrays for dense_1"),
    "transposed": ({"dense_1": OURS.T}, r"dense_1 is \(3, 4\); the network's is \(4, 3\)"),
    "weights": ({"dense_1": OURS * 0.5}, "dense_1 has other values than 0 and 1"),
    "not a number": ({"dense_1": np.full((4, 3), np.nan)}, "dense_1 has other values than 0 and 1"),
    "text": ({"dense_1": np.full((4, 3), "1")}, r"dense_1 holds <U1, no numbers; expected an \.npz"),
    "complex": ({"dense_1": OURS + 0j}, "dense_1 holds complex128, no numbers"),
    "structured": ({"dense_1": np.ones((4, 3), [("kept", "u1")])}, r"dense_1 holds \[\('kept', 'u1'\)\], no numbers"),
    "nothing": (NOTHING, "keeps no weight at all"),
    "no array": ({}, "holds no array"),
    "objects": ({"dense_1": np.array([{}], object)}, "cannot be read .* expected an .npz"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mask_that_does_not_fit_is_refused(name, file):
    arrays, message = BAD[name]
    np.savez(file, **arrays)
    with pytest.raises(InputError, match=message):
        read_mask(file, LIKE)


def _npy(file):
    with file.open("wb") as stream:
        np.save(stream, OURS)


def _damaged(place):
    """A packed mask of which one part is another; 0.5: of the packed array itself, 1: of the list of files."""

    def write(file):
        np.savez_compressed(file, dense_1=np.random.default_rng(0).random((99, 99)) < 0.5)
        content = bytearray(file.read_bytes())
        begin = int(place * (len(content) - 64))
        content[begin : begin + 64] = bytes(64)
        file.write_bytes(content)

    return write


FILES = {
    "none": lambda file: None,
    "empty": lambda file: file.touch(),
    "text": lambda file: file.write_text("dense_1: 0 1 1 0"),
    "one array": _npy,
    "a folder": lambda file: file.mkdir(),
    **{f"damaged at {place}": _damaged(place) for place in (0, 0.05, 0.2, 0.5, 0.9, 1)},
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("read", [mask_checksum, lambda file: read_mask(file, LIKE)], ids=["checksum", "mask"])
def test_a_file_that_is_no_mask_is_refused_with_what_was_expected(name, read, file):
    FILES[name](file)
    with pytest.raises(InputError, match=r"expected an \.npz with one array of 0 and 1 for each layer"):
        read(file)


# The control


def step(path):
    return fingerprint("control", ControlStep(control=Control(name="own-mask", path=str(path)), seed=1), {})


def test_a_mask_counts_by_what_it_holds_not_by_its_file(file, tmp_path):
    np.savez(file, dense_1=OURS, dense_2=LIKE["dense_2/kernel"])
    before = step(file)
    packed = tmp_path / "elsewhere" / "other.npz"
    packed.parent.mkdir()
    np.savez_compressed(packed, dense_2=LIKE["dense_2/kernel"].astype(np.float32), dense_1=OURS.astype(int))
    assert packed.read_bytes() != file.read_bytes()
    assert step(packed) == before
    file.rename(tmp_path / "mine.npz")
    assert step(tmp_path / "mine.npz") == before


@pytest.mark.parametrize(
    "arrays",
    [
        {"dense_1": OURS ^ (np.arange(12) == 7).reshape(4, 3)},
        {"dense_1": OURS.T},
        {"dense_2": OURS},
        {"dense_1": OURS, "dense_2": np.ones((3, 2), bool)},
    ],
)
def test_one_entry_more_or_another_makes_it_another_step(arrays, file, tmp_path):
    np.savez(file, dense_1=OURS)
    np.savez(tmp_path / "other.npz", **arrays)
    assert step(tmp_path / "other.npz") != step(file)


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ("own-mask", r"own-mask needs path, e\.g\. \{name: own-mask, path: mask\.npz\}"),
        ({"name": "shuffle-even", "path": "mask.npz"}, "path has no say in shuffle-even; it is of own-mask"),
        ({"name": "own-mask", "path": "mask.npz", "densities": 0.2}, "densities has no say in own-mask"),
    ],
)
def test_a_path_is_of_own_masks_and_they_need_one(control, message):
    with pytest.raises(InputError, match=message):
        validate(ControlStep, {"control": control, "seed": 1}, where="test")


def test_two_masks_are_two_arms():
    assert [Control(name="own-mask", path=f"masks/{name}.npz").arm.key for name in "ab"] == ["own-mask a", "own-mask b"]


def test_masks_from_files_of_one_name_are_refused_with_how_to_mend_it():
    controls = [{"name": "own-mask", "path": f"{folder}/mask.npz"} for folder in "ab"]
    with pytest.raises(InputError, match=r"own-mask mask, own-mask mask repeat; .* rename the files"):
        validate(Config, {"experiment": "imp", "name": "masks", "controls": controls}, where="test")


def test_a_run_goes_by_what_its_masks_hold(file, tmp_path):
    def folder(path):
        controls = [{"name": "own-mask", "path": str(path)}, "reinitialise"]
        return run_folder(
            tmp_path, validate(Config, {"experiment": "imp", "name": "masks", "controls": controls}, where="test")
        )

    np.savez(file, dense_1=OURS)
    before = folder(file)
    np.savez(tmp_path / "same.npz", dense_1=OURS.astype(int))
    assert folder(tmp_path / "same.npz") == before
    np.savez(file, dense_1=~OURS)
    assert folder(file) != before
