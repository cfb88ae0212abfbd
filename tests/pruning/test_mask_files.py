"""A user's own mask, and the control that puts it on a ticket."""

import io

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
OURS, SECOND = RANDOM.random((4, 3)) < 0.5, RANDOM.random((3, 2)) < 0.7
LIKE = {"dense_1/kernel": RANDOM.random((4, 3)) < 0.7, "dense_2/kernel": SECOND}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mask.npz"


@pytest.mark.parametrize("name", ["dense_1", "dense_1/kernel"])
def test_arrays_are_named_by_layer_or_kernel_and_other_layers_keep_their_mask(name, file):
    for kind in (bool, np.uint8, np.int64, np.float32):
        np.savez(file, **{name: OURS.astype(kind)})
        mask = read_mask(file, LIKE)
        assert list(mask) == list(LIKE)
        assert mask["dense_1/kernel"].dtype == bool
        np.testing.assert_array_equal(mask["dense_1/kernel"], OURS)
        np.testing.assert_array_equal(mask["dense_2/kernel"], SECOND)


def npz(save=np.savez, **arrays):
    with io.BytesIO() as file:
        save(file, **arrays)
        return file.getvalue()


def damaged(place):
    """A compressed mask of which one part is zeros; 0.5: of the compressed array itself, 1: of the list of files."""
    content = bytearray(npz(np.savez_compressed, dense_1=np.random.default_rng(0).random((99, 99)) < 0.5))
    begin = int(place * (len(content) - 64))
    content[begin : begin + 64] = bytes(64)
    return bytes(content)


EXAMPLE = "np.savez('mask.npz', dense_1=...)"
BAD = {
    "empty": (b"", EXAMPLE),
    "a text": (b"dense_1: 0 1 1 0", EXAMPLE),
    "one array": (npz(lambda file: np.save(file, OURS)), EXAMPLE),
    "no array": (npz(), EXAMPLE),
    "objects": (npz(dense_1=np.array([{}], object)), EXAMPLE),
    "texts": (npz(dense_1=np.full((4, 3), "1")), EXAMPLE),
    "complex": (npz(dense_1=OURS + 0j), EXAMPLE),
    "structured": (npz(dense_1=np.ones((4, 3), [("kept", "u1")])), EXAMPLE),
    **{f"damaged at {place}": (damaged(place), EXAMPLE) for place in (0, 0.05, 0.2, 0.5, 0.9, 1)},
    "unknown name": (npz(dense_3=OURS), "'dense_3'", "dense_1, dense_2"),
    "both names": (npz(**{"dense_1": OURS, "dense_1/kernel": OURS}), "two", "dense_1"),
    "transposed": (npz(dense_1=OURS.T), "dense_1", "(3, 4)", "(4, 3)"),
    "weights": (npz(dense_1=OURS * 0.5), "dense_1", "0 and 1"),
    "not a number": (npz(dense_1=np.full((4, 3), np.nan)), "dense_1", "0 and 1"),
    "nothing": (npz(dense_1=np.zeros((4, 3)), dense_2=np.zeros((3, 2))), "no weight"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_mask_of_the_network_is_refused(name, file, tmp_path):
    content, *mentions = BAD[name]
    for at in (file, tmp_path) if name == "empty" else ():  # there is no file, or it is a folder
        with refused(None, None, str(at), EXAMPLE):
            mask_checksum(at)
    file.write_bytes(content)
    for read in (lambda: read_mask(file, LIKE), lambda: mask_checksum(file))[: 1 + (mentions == [EXAMPLE])]:
        with refused(None, None, str(file), *mentions):
            read()


# The control


def step(path):
    return fingerprint("control", ControlStep(control=Control(name="own-mask", path=str(path)), seed=1), {})


def config(*paths):
    controls = [{"name": "own-mask", "path": str(path)} for path in paths]
    return validate(Config, {"experiment": "imp", "name": "masks", "controls": controls}, where="test")


def test_a_step_and_a_run_are_identified_by_what_the_mask_holds(file, tmp_path):
    def identities(path, save=np.savez, **arrays):
        path.parent.mkdir(exist_ok=True)
        save(path, **arrays)
        return step(path), run_folder(tmp_path, config(path))

    first = identities(file, dense_1=OURS, dense_2=SECOND)
    elsewhere, values = tmp_path / "elsewhere" / "mask.npz", {"dense_2": SECOND.astype(np.float32), "dense_1": OURS * 1}
    assert identities(elsewhere, np.savez_compressed, **values) == first
    np.savez(tmp_path / "renamed.npz", **values)
    assert step(tmp_path / "renamed.npz") == first[0]
    masks = [{"dense_1": OURS}, {"dense_1": OURS ^ (np.arange(12) == 7).reshape(4, 3)}, {"dense_1": OURS.reshape(3, 4)},
             {"dense_2": OURS}, {"dense_1": OURS, "dense_2": ~SECOND}]  # fmt: skip
    assert len({*first, *(identity for arrays in masks for identity in identities(file, **arrays))}) == 12


@pytest.mark.parametrize(("control", "field", "mentions"), [
    ("own-mask", "control.path", []),
    ({"name": "shuffle-even", "path": "mask.npz"}, "control.path", ["shuffle-even", "own-mask"]),
    ({"name": "own-mask", "path": "mask.npz", "densities": 0.2}, "control.densities", ["own-mask"]),
])  # fmt: skip
def test_a_path_belongs_to_own_masks_which_need_one_each_of_another_name(control, field, mentions):
    with refused(field, None, *mentions):
        validate(ControlStep, {"control": control, "seed": 1}, where="test")
    assert [Control(name="own-mask", path=f"masks/{name}.npz").arm.key for name in "ab"] == ["own-mask a", "own-mask b"]
    with refused("controls", None, "own-mask mask, own-mask mask"):
        config("a/mask.npz", "b/mask.npz")
