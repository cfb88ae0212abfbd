"""Hostile pickles: refused, not executed, in bounded memory and time."""

import os
import pickle

import numpy as np
import pytest

from tfticket.data.formats import read
from tfticket.data.formats.pickled import MOST_BYTES
from tfticket.errors import InputError

RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
DTYPE = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch '{self.file}'",)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["cifar python", "cifar python tar"])
@pytest.mark.parametrize("member", ["data_batch_2", "batches.meta"])
def test_a_pickle_that_would_run_a_command_is_refused_and_does_not_run(protocol, name, member, write, tmp_path):
    run = tmp_path / "run"
    hostile = pickle.dumps({b"labels": [0], b"data": Command(run)}, protocol)
    expected = r"would call '(posix|nt)\.system'" if protocol else "is no pickle of plain data"
    with pytest.raises(InputError, match=rf"{member}.*({expected})"):
        read(write(name, {member: hostile}))
    assert not run.exists()
    pickle.loads(hostile)
    assert run.exists(), "it would have run"


@pytest.mark.parametrize("key", ["x_train", "y_test"])
def test_an_npz_with_pickled_objects_is_refused_and_does_not_run_them(key, write, writers, tmp_path):
    run = tmp_path / "run"
    hostile = writers.npy(np.array([Command(run)], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=rf"data\.npz: {key} holds pickled Python objects"):
        read(write("npz", {f"{key}.npy": hostile}))
    assert not run.exists()


def test_a_pickle_in_the_place_of_another_file_is_refused_and_does_not_run(tmp_path):
    run = tmp_path / "run"
    path = tmp_path / "cifar.pkl"
    path.write_bytes(pickle.dumps(Command(run)))
    with pytest.raises(InputError, match=r"cifar\.pkl is of no known format"):
        read(path)
    assert not run.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "os system",
        "numpy.core.multiarray scalar",
        "numpy fromfile",
        "numpy.dtype type",
        "numpy  dtype",
    ],
)
def test_only_numpys_constructors_are_known(name, write):
    module, function = name.split(" ", 1)
    hostile = b"\x80\x02c" + f"{module}\n{function}\n".encode() + b"U\x02u1\x85R."
    with pytest.raises(InputError, match="nothing was executed"):
        read(write("cifar python", {"test_batch": hostile}))


def billion_laughs(depth):
    """A list of two lists of two lists ..., in few bytes."""
    return b"]q\x00" + b"".join(b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(depth))


HOSTILE = {
    "a huge memo index": b"\x80\x02}r\xff\xff\xff\xff.",
    "a huge string": b"\x80\x02T\xff\xff\xff\x7f" + b"x" * 100 + b".",
    "a string of negative length": b"\x80\x02T\xff\xff\xff\xff.",
    "a huge frame": b"\x80\x04\x95" + b"\xff" * 8 + b"}.",
    "a text of many lists": b"\x80\x04" + billion_laughs(100) + b"\x8c\x01x\x93.",
    "an array of a type with a text of many lists": (
        b"\x80\x02}(U\x06labels]U\x04data" + RECONSTRUCT + b")R(K\x01K\x01K\x01\x86cnumpy\ndtype\n"
        + billion_laughs(100) + b"\x85R\x89U\x01xtbu."
    ),
    "labels of many lists": b"\x80\x02}(U\x04data" + RECONSTRUCT + b")RU\x06labels" + billion_laughs(100) + b"u.",
    "a deep list": b"\x80\x02" + b"](" * 90_000 + b"e" * 90_000 + b".",
    "a key of deep tuples": b"\x80\x02})" + b"\x85" * 290_000 + b"K\x01s.",
    "very many instructions": b"\x80\x02" + b"N" * 10_000_000 + b".",
    "very many dicts": b"\x80\x02" + b"}" * 10_000_000 + b".",
    "a list in itself": b"\x80\x02]q\x00h\x00a.",
    "a dict in itself": b"\x80\x02}q\x00U\x04datah\x00sU\x06labelsh\x00s.",
    "an array of a huge shape": (
        b"\x80\x02}(U\x06labels]U\x04data" + RECONSTRUCT + b")R(K\x01J\xff\xff\xff\x7fM\x00\x0c\x86"
        + DTYPE + b"\x89U\x01xtbu."
    ),
    "an array of a negative shape": (
        b"\x80\x02}(U\x06labels]U\x04data" + RECONSTRUCT + b")R(K\x01J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86"
        + DTYPE + b"\x89U\x01xtbu."
    ),
    "an array without a state": b"\x80\x02}(U\x06labels]U\x04data" + RECONSTRUCT + b")Ru.",
    "a call of an array": b"\x80\x02cnumpy\nndarray\n)R.",
    "a call of a number": b"\x80\x02K\x01)R.",
    "a state for a dict": b"\x80\x02}}b.",
    "bytes in UTF-7": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-7\x86R.",
    "a name from a registry": b"\x80\x02\x82\x01.",
    "a persistent object": b"\x80\x02K\x01Q.",
    "an instance": b"(ios\nsystem\n.",
    "an empty stack": b"\x80\x02.",
    "no mark": b"\x80\x02]e.",
    "no end": b"\x80\x02}",
    "nothing": b"",
    "no pickle": b"\xff" * 100,
    "no dict": b"\x80\x02]" + b".",
    "an empty dict": b"\x80\x02}.",
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_other_hostile_pickles_are_refused_within_5_s_and_500_mb(what, write, limited_read):
    outcome, text = limited_read(write("cifar python", {"data_batch_1": HOSTILE[what]}))
    assert outcome == "refused"
    assert "data_batch_1" in text
    assert "expected" in text.lower()


def test_a_huge_pickle_is_refused_by_its_size(write, limited_read):
    path = write("cifar python")
    os.truncate(path / "data_batch_1", MOST_BYTES + 1)
    outcome, text = limited_read(path)
    assert (outcome, "expected a batch of CIFAR-10, about 31 MB" in text) == ("refused", True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda batch: {**batch, b"labels": batch[b"labels"][:-1]}, "3 labels and 4 images; expected one"),
        (lambda batch: {**batch, b"labels": [10] * 4}, "the label 10; expected 0 to 9"),
        (lambda batch: {**batch, b"labels": [-1] * 4}, "labels is no list of numbers; expected 0 to 9"),
        (lambda batch: {**batch, b"labels": b"abcd"}, "labels is no list of numbers"),
        (lambda batch: {**batch, b"labels": [b"a"] * 4}, "labels is no list of numbers"),
        (lambda batch: {**batch, b"data": batch[b"data"][:, 1:]}, r"shape \(4, 3071\); expected \[1 to 10000, 3072\]"),
        (lambda batch: {**batch, b"data": batch[b"data"][:0]}, r"shape \(0, 3072\)"),
        (lambda batch: {**batch, b"data": batch[b"data"].ravel()}, r"no uint8 array \[rows, 3072\]"),
        (lambda batch: {**batch, b"data": b"none"}, r"no uint8 array \[rows, 3072\]"),
        (lambda batch: {b"fine_labels": batch[b"labels"], b"data": batch[b"data"]}, "no labels, but 'fine_labels'"),
        (lambda batch: {b"labels": batch[b"labels"]}, "no data, but 'labels'; expected CIFAR-10's"),
        (lambda batch: [1, 2], "holds no dict; expected that"),
    ],
)  # fmt: skip
def test_batches_that_do_not_fit_are_refused(change, message, write, writers):
    def dumps(content):
        if content.get(b"batch_label") == b"data_batch_3":
            content = change(content)
        return writers.python2_pickle(content)

    with pytest.raises(InputError, match=f"data_batch_3.*{message}"):
        read(write("cifar python", dumps=dumps))


def test_an_array_that_is_not_uint8_is_refused(write):
    def dumps(content):
        return pickle.dumps({**content, b"data": np.zeros((4, 3072), np.float32)}, 2)

    with pytest.raises(InputError, match=r"data_batch_1: data is no uint8 array"):
        read(write("cifar python", dumps=dumps, changes={"batches.meta": None}))


@pytest.mark.parametrize("names", [[b"cat"] * 10, [b"cat"], [1] * 10, 5, None])
def test_class_names_that_are_not_ten_are_refused(names, write, writers):
    meta = writers.python2_pickle({b"label_names": names})
    with pytest.raises(InputError, match=r"batches\.meta does not name 10 classes"):
        read(write("cifar python", {"batches.meta": meta}))
