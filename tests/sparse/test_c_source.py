"""A ticket as a C file: compiled by cc, it predicts what Keras does. Needs TensorFlow."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from scipy.special import softmax

import tfticket as tt
from tests.plans import DIGITS
from tests.refusals import refused
from tests.sampling.problems import L, network, random_data, random_floats, random_mask, ticket_of
from tfticket.evaluation.predictive import network_with
from tfticket.export_c import write_c
from tfticket.sparse.build import compile_ticket

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
POINTER = ctypes.c_void_p


def compiled(ticket, thetas, folder):
    """The functions of the C file, of rows: all warnings are errors."""
    source, library = folder / "ticket.c", folder / "ticket.so"
    write_c(ticket, thetas, source)
    flags = ["-O2", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, str(source), "-o", str(library), "-lm"], check=True)
    functions, classes = ctypes.CDLL(str(library)), ticket.build_model().output_shape[-1]

    def call(name, rows, *draw):
        rows = np.ascontiguousarray(rows)
        out = np.full((len(rows), classes), np.nan, np.float32)
        arguments = (rows.ctypes.data_as(POINTER), len(rows), *draw, out.ctypes.data_as(POINTER))
        return getattr(functions, name)(*arguments), out

    return call


def by_keras(ticket, weights, rows):
    return network_with(ticket.model, ticket.mask, weights, "keras").logits(rows)


NETWORKS = {
    "conv": ((9, 8, 2), (L.Conv2D(4, 3, 2, "same"), L.Activation("tanh"), L.MaxPooling2D(2), L.Conv2D(3, 1),
                         L.AveragePooling2D(2, padding="same"), L.ReLU(), L.Flatten(), L.Dense(3))),
    "features": ((6,), (L.Dense(9, activation="relu"), L.Dense(3))),
}  # fmt: skip


@pytest.mark.parametrize("kind", NETWORKS)
def test_logits_and_mean_probabilities_of_draws_are_those_of_keras(kind, tmp_path):
    random, (shape, layers) = np.random.default_rng(0), NETWORKS[kind]
    data = random_data(random, shape, rows=70) if kind == "conv" else random_floats(random, shape, rows=70)
    model = network(shape, *layers)
    ticket = ticket_of(model, data, random_mask(random, model, 0.4))
    layout, _ = compile_ticket(ticket.model, ticket.mask)
    thetas = layout.pack(ticket.start) + random.normal(scale=0.1, size=(3, layout.size))
    call = compiled(ticket, thetas, tmp_path)
    logits = [by_keras(ticket, layout.unpack(theta), data.x_test) for theta in thetas]
    for draw, expected in enumerate(logits):
        code, ours = call("ticket_logits", data.x_test, draw)
        assert code == 0
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
    code, ours = call("ticket_predict", data.x_test)
    np.testing.assert_allclose(ours, np.mean(softmax(logits, axis=-1), axis=0), atol=1e-5)
    assert [call("ticket_logits", data.x_test, draw)[0] for draw in (-1, 3)] == [-1, -1]
    assert call("ticket_predict", data.x_test[:0])[0] == 0


def test_1000_images_of_digits_have_the_logits_of_keras(tmp_path):
    data = tt.load_data(**DIGITS)
    tickets = tt.find_tickets(tt.build_model("lenet-300-100", data), data, sparsity=0.95, levels=1, train={"epochs": 2})
    ticket = tickets.at(sparsity=0.95)
    images = np.resize(np.concatenate([data.x_train, data.x_test]), (1000, *data.input_shape))
    layout, _ = compile_ticket(ticket.model, ticket.mask)
    code, ours = compiled(ticket, layout.pack(ticket.start)[None], tmp_path)("ticket_logits", images, 0)
    assert code == 0
    np.testing.assert_allclose(ours, by_keras(ticket, ticket.start, images), atol=1e-5)


def test_networks_and_places_that_cannot_be_written_are_refused(tmp_path):
    data = random_data(np.random.default_rng(0), (8, 7, 2))
    norm = tt.Ticket.dense(network((8, 7, 2), L.Flatten(), L.BatchNormalization(), L.Dense(3)), data=data)
    with refused("--format", None, "BatchNormalization"):
        write_c(norm, np.zeros((1, 1)), tmp_path / "ticket.c")
    assert not list(tmp_path.iterdir())
