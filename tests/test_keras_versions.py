"""Models of Keras 3, wherever one is given."""

import zipfile

import pytest

import tfticket as tt
from tfticket.models import initial_weights, kernel_shapes, named_variables, spec_of

IMAGE = (28, 28, 1)
MEND = r"of Keras 3, as is all that tf\.keras builds.*Build it with `import tf_keras as keras`"


@pytest.fixture(scope="module")
def models():
    """A Sequential and a functional model of Keras 3, and a layer."""
    keras = pytest.importorskip("keras")
    assert keras.__version__.startswith("3")
    images = keras.Input(IMAGE)
    functional = keras.Model(images, keras.layers.Dense(10)(keras.layers.Flatten()(images)))
    sequential = keras.Sequential([keras.Input(IMAGE), keras.layers.Flatten(), keras.layers.Dense(10)])
    return functional, sequential, keras.layers.Dense(3)


USES = {
    "find_tickets": tt.find_tickets,
    "Ticket.dense": lambda model, data: tt.Ticket.dense(model),
    "Ticket.dense with current weights": lambda model, data: tt.Ticket.dense(model, start="current", data=data),
    "to_variational": lambda model, data: tt.to_variational(model),
    "train": tt.train,
    "evaluate": tt.evaluate,
    "control": lambda model, data: tt.control(model, "reinitialise"),
    "sample": tt.sample,
    "transplant": lambda model, data: tt.transplant(model, model),
    "to_deterministic": lambda model, data: tt.to_deterministic(model),
    "fit_survival_model": tt.fit_survival_model,
    "draw_mc_ticket": lambda model, data: tt.draw_mc_ticket(None, model, data, 0),
    "spec_of": lambda model, data: spec_of(model),
    "named_variables": lambda model, data: named_variables(model),
    "kernel_shapes": lambda model, data: kernel_shapes(model),
    "initial_weights": lambda model, data: initial_weights(model, 0),
}


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("use", USES)
def test_it_is_refused_with_the_way_out(use, number, models, data):
    with pytest.raises(tt.InputError, match=MEND):
        USES[use](models[number], data)


def test_a_layer_is_no_model_either(models):
    with pytest.raises(tt.InputError, match=f"Dense is {MEND}"):
        tt.Ticket.dense(models[2])


def test_a_function_that_builds_one_is_told(models, tmp_path, monkeypatch):
    (tmp_path / "builds_keras_3.py").write_text(
        "found = None\ndef build(input_shape, num_classes):\n    return found\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import builds_keras_3

    builds_keras_3.found = models[0]
    with pytest.raises(tt.InputError, match=rf"model: builds_keras_3:build: Functional is {MEND}"):
        tt.build_model("builds_keras_3:build", input_shape=IMAGE, num_classes=10)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3's own
def test_a_file_of_keras_3_is_told(models, tmp_path):
    path = tmp_path / "mine.keras"
    models[0].save(path)
    assert "metadata.json" in zipfile.ZipFile(path).namelist()
    with pytest.raises(tt.InputError, match=r"was written by Keras 3.*import tf_keras as keras"):
        tt.build_model(str(path), input_shape=IMAGE, num_classes=10)
