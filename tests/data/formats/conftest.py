"""Real rows in every format, and a reader with little memory and time."""

import multiprocessing
import resource
import shutil
import signal
import traceback

import numpy as np
import psutil
import pytest

from tests.data import writers as every_writer
from tests.data.writers import Rows, formats
from tests.processes import DEADLINE
from tfticket.data.formats import read
from tfticket.data.sources import asset
from tfticket.errors import InputError

SECONDS = 5
BYTES = 500 * 10**6


@pytest.fixture(scope="session")
def digits():
    """400 rows of MNIST; the bundled file has them sorted by class."""
    order = np.random.default_rng(0).permutation(10_000)
    train, test = 6 * order[:300], order[300:400]
    with np.load(asset("mnist.npz")) as file:
        return Rows(file["x_train"][train], file["y_train"][train], file["x_test"][test], file["y_test"][test])


@pytest.fixture(scope="session")
def colour(digits):
    """Rows of CIFAR-10's shape: a digit, the next one mirrored, and the one after it upside down, one a channel."""

    def stacked(images):
        images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
        return np.stack([images, np.roll(images, -1, 0)[:, :, ::-1], np.roll(images, -2, 0)[:, ::-1]], axis=-1)

    return Rows(stacked(digits.x_train), digits.y_train, stacked(digits.x_test), digits.y_test)


@pytest.fixture(scope="session", params=formats)
def form(request):
    """Each format in turn."""
    return formats[request.param]


@pytest.fixture(scope="session")
def writers():
    """The module of writers, for tests elsewhere."""
    return every_writer


@pytest.fixture
def write(request, tmp_path):
    """Write few rows in a format, its members changed or removed (None) on the way."""

    def write(name, changes=None, **options):
        form = formats[name]
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        return form.write(request.getfixturevalue(form.rows).few(2, 1), tmp_path / name, changes, **options)

    return write


def _too_long(*_):
    raise SystemExit(f"reading took over {SECONDS} s of the CPU")  # which no reader catches


def _serve(pipe):
    signal.signal(signal.SIGPROF, _too_long)
    limit = psutil.Process().memory_info().vms + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    while (path := pipe.recv()) is not None:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # the CPU's, whatever else it does
        try:
            raw = read(path)
            for images, labels in ((raw.x_train, raw.y_train), (raw.x_test, raw.y_test)):
                assert (images.dtype, images.ndim, len(images)) == (np.uint8, 4, len(labels))
            answer = ("read", f"{raw.x_train.shape}")
        except InputError as error:
            answer = ("refused", str(error))
        except BaseException:
            answer = ("crashed", traceback.format_exc())
        signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send(answer)


@pytest.fixture(scope="session")
def limited_read():
    """Read in another process that has 500 MB of address space and 5 s of the CPU: ('read' or 'refused', what).

    A refusal's text is one printable line that names the path and does not blame the memory.
    """
    context = multiprocessing.get_context("fork")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()

    def limited(path):
        pipe.send(path)
        assert pipe.poll(DEADLINE), f"waited {DEADLINE} s for {path} in vain"
        outcome, text = pipe.recv()
        assert outcome != "crashed", text
        if outcome == "refused":
            assert str(path) in text and "xpected" in text and text.isprintable()  # noqa: PT018
            assert "memory" not in text and len(text) < 2000, text  # noqa: PT018
        return outcome, text

    yield limited
    process.kill()
    process.join()


@pytest.fixture
def refused_in_limits(limited_read):
    """Check that reading is refused within the limits, with these facts in the message."""

    def refused(path, *mentions):
        outcome, text = limited_read(path)
        assert outcome == "refused"
        for mention in mentions:
            assert mention in text

    return refused
