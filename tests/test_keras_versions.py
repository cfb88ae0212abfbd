"""Models of Keras 3, wherever one is given."""

import importlib

import pytest

import tfticket as tt
from tests.refusals import refused
from tfticket.models import initial_weights, kernel_shapes, named_variables, spec_of

IMAGE = (28, 28, 1)
WAY_OUT = "import tf_keras as keras"


@pytest.fixture(scope="module")
def models():
    """A Sequential and a functional model of Keras 3, and a layer."""
    keras = pytest.importorskip("keras")
    assert keras.__version__.startswith("3")
    images = keras.Input(IMAGE)
    functional = keras.Model(images, keras.layers.Dense(10)(keras.layers.Flatten()(images)))
    sequential = keras.Sequential([keras.Input(IMAGE), keras.layers.Flatten(), keras.layers.Dense(10)])
    return functional, sequential, keras.layers.Dense(3)


USES = [
    *[tt.find_tickets, tt.train, tt.evaluate, tt.sample, tt.fit_survival_model],
    *[lambda model, data, use=use: use(model) for use in (tt.Ticket.dense, tt.to_variational, tt.to_deterministic)],
    *[lambda model, data, use=use: use(model) for use in (spec_of, named_variables, kernel_shapes)],
    *[lambda model, data, use=use: use(model, model) for use in (tt.control, tt.transplant)],
    lambda model, data: tt.draw_mc_ticket(None, model, data, 0),
    lambda model, data: initial_weights(model, 0),
]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3's own
def test_a_model_a_layer_a_function_that_builds_one_and_a_file_are_refused(models, data, tmp_path, monkeypatch):
    for use in USES:
        for model in models[:2]:
            with refused(None, None, type(model).__name__, WAY_OUT):
                use(model, data)
    with refused(None, None, "Dense", WAY_OUT):
        tt.Ticket.dense(models[2])
    (tmp_path / "builds_keras_3.py").write_text("def build(input_shape, num_classes):\n    return model\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("builds_keras_3").model = models[0]
    models[0].save(tmp_path / "mine.keras")
    for name, field in (("builds_keras_3:build", None), (str(tmp_path / "mine.keras"), "model.name")):
        with refused(field, None, name, WAY_OUT):
            tt.build_model(name, input_shape=IMAGE, num_classes=10)
