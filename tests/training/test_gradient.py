"""Training of masked weights: against the same written out, cut anywhere, refused. Needs TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.plans import DIGITS, assert_same
from tests.refusals import refused
from tfticket.backend import keras, tf
from tfticket.config import Sgd, TrainConfig
from tfticket.config.durations import iterations_in
from tfticket.errors import Diverged, Stopped
from tfticket.evaluation.metrics import all_metrics, nll
from tfticket.evaluation.predictive import predict
from tfticket.models import kernel_shapes
from tfticket.models.vit import Attend
from tfticket.pruning.mask import dense_mask
from tfticket.pruning.wrapping import with_mask
from tfticket.training.batches import RowOrder
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks
from tfticket.training.loop import gradient_loop

LAYERS = ("dense_1", "dense_2", "dense_3")


@pytest.fixture(scope="module")
def data():
    return tt.load_data(**DIGITS)


def masked(model):
    """A ticket with a random mask that keeps a fifth of each layer."""
    dense, random = tt.Ticket.dense(model, seed=7), np.random.default_rng(0)
    return replace(dense, mask={path: random.random(kept.shape) < 0.2 for path, kept in dense.mask.items()})


@pytest.fixture(scope="module")
def ticket(data):
    return masked(tt.build_model("lenet-300-100", data))


def run(ticket, data, seed=3, start=None, options=(), **config):
    config = TrainConfig(**{"batch_size": 50, "evaluate_every": "10it"} | config)  # so one compiled loop for most
    return train_weights(ticket.model, ticket.mask, start or ticket.start, data, config, seed, **dict(options))


def by_hand(ticket, data, config, optimiser):
    """The training written out in float64: a mask multiplied in, Keras' optimiser, no wrapper, no loop of ours."""
    masks = {path: tf.constant(ticket.mask.get(path, True), tf.float64) for path in ticket.start}
    variables = {path: tf.Variable(tf.cast(ticket.start[path], tf.float64) * masks[path]) for path in ticket.start}
    decay = 0.0 if config.get("decoupled") else config.get("weight_decay", 0.0) / 2

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            weights = {path: variable * masks[path] for path, variable in variables.items()}
            x = tf.reshape(tf.cast(images, tf.float64) / 255, [len(images), -1])
            for layer in LAYERS:
                x = x @ weights[f"{layer}/kernel"] + weights[f"{layer}/bias"]
                x = tf.tanh(x) if layer != LAYERS[-1] else x
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x))
            loss += decay * sum(tf.reduce_sum(tf.square(array)) for array in weights.values())
        gradients = tape.gradient(loss, list(variables.values()))
        optimiser.apply_gradients(zip(gradients, variables.values(), strict=True))

    for rows in RowOrder(3, len(data.x_train), 50).batches(0, 100):
        step(tf.constant(data.x_train[rows]), tf.constant(data.y_train[rows]))
    return {path: (variable * masks[path]).numpy() for path, variable in variables.items()}


ADAM_W = {"weight_decay": 0.05, "epsilon": 1e-7}


@pytest.mark.parametrize(
    ("config", "optimiser"),
    [
        ({"optimiser": Sgd(), "weight_decay": 1e-3}, lambda: keras.optimizers.SGD(0.1, momentum=0.9)),
        ({"weight_decay": 0.05, "decoupled": True}, lambda: keras.optimizers.AdamW(1.2e-3, **ADAM_W)),
    ],
    ids=["sgd with decay", "decoupled decay is that of AdamW"],
)
def test_wrapped_training_agrees_with_the_mask_multiplied_in_by_hand(data, config, optimiser):
    """Storing a weight in float32 rounds it by half an eps at most in each of 100 iterations.

    Without kinks: rounding decides on which side a ReLU is that is 5e-9 from its kink, and then Adam's weights differ.
    """
    widths = zip(LAYERS, (100, 50, 10), ("tanh", "tanh", None), strict=True)
    dense = [keras.layers.Dense(units, activation, name=name) for name, units, activation in widths]
    smooth = masked(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), *dense]))
    wrapped = run(smooth, data, epochs="100it", **config).weights
    for path, weights in by_hand(smooth, data, config, optimiser()).items():
        assert np.all(wrapped[path][~smooth.mask.get(path, np.ones(weights.shape, bool))] == 0)
        distance = np.linalg.norm(wrapped[path] - weights) / np.linalg.norm(weights)
        assert distance <= 100 * np.finfo(np.float32).eps / 2


def test_a_training_cut_anywhere_has_the_bits_of_an_undisturbed_one(ticket, data):
    def trained(**hooks):
        options = {"keep": ("10it", "40it"), "hooks": Hooks(segment_seconds=1e-3, **hooks)}
        return run(ticket, data, epochs="70it", milestones=("30it",), options=options)

    whole = trained()
    assert [row["iteration"] for row in whole.history] == [*range(10, 80, 10)]
    for cuts in (1, 2, 3):
        checkpoint, result, saved = None, None, []
        while result is None:
            looks = iter([False] * cuts + [True] * 9)
            try:
                result = trained(resume=checkpoint, checkpoint=saved.append, should_stop=looks.__next__)
            except Stopped:
                checkpoint = saved[-1]
        assert len(saved) >= 1
        assert result.history == whole.history
        for ours, expected in ((result.weights, whole.weights), *((result.kept[k], whole.kept[k]) for k in (10, 40))):
            assert_same(ours, expected)


@pytest.mark.usefixtures("without_xla")
class TestWithoutXla:
    def test_training_evaluates_after_each_epoch(self, ticket, data):
        history = run(ticket, data, epochs="3ep", evaluate_every="1ep").history
        assert [row["iteration"] for row in history] == [iterations_in(f"{k}ep", 300, 50) for k in (1, 2, 3)]

    def test_test_rows_are_recorded_if_asked_for_and_change_nothing(self, ticket, data):
        config, heard = {"epochs": "20it"}, []
        usual = run(ticket, data, **config)
        hooks = {"hooks": Hooks(evaluated=heard.append)}
        both = run(ticket, data, options=hooks, evaluate_test=True, **config)
        assert [{name: row[name] for name in row if name != "test"} for row in both.history] == usual.history
        assert heard == both.history
        assert_same(both.weights, usual.weights)
        log_probs = predict(ticket.model, ticket.mask, both.weights, data.x_test)
        assert both.history[-1]["test"] == all_metrics(log_probs, data.y_test)

    def test_order_start_and_rows_decide_and_nothing_left_over_from_the_training_before(self, ticket, data):
        first, other, again = (run(ticket, data, seed, epochs="12it").weights for seed in (3, 4, 3))
        assert_same(again, first)
        assert any(np.any(first[path] != other[path]) for path in first)
        relabelled = replace(data, y_train=(data.y_train + 1) % 10)  # of the same checksum
        assert np.any(run(ticket, relabelled, epochs="12it").weights["dense_3/bias"] != first["dense_3/bias"])
        sparser = {path: kept & (ticket.start[path] > 0) for path, kept in ticket.mask.items()}
        run(replace(ticket, mask=sparser), data, 11, epochs="12it")
        loop = gradient_loop(ticket.model, TrainConfig(batch_size=50), capacity=10)
        assert loop._segment.experimental_get_tracing_count() == 1

    def test_a_rewound_training_goes_on_in_the_schedule(self, ticket, data):
        """With plain SGD there is no momentum to lose, so from the weights of iteration 12 it ends where it did."""
        config = {"epochs": "30it", "optimiser": Sgd(momentum=0.0), "milestones": ("20it",)}
        whole = run(ticket, data, options={"keep": ("12it",)}, **config)
        rest = run(ticket, data, start=whole.kept[12], options={"first_iteration": 12}, **config)
        assert_same(rest.weights, whole.weights)

    def test_a_training_that_diverges_names_the_iteration_and_the_last_checkpoint_is_good(self, ticket, data):
        """The learning rate jumps at iteration 30: the loss before the update of 31 is the first that shows it."""
        saved, config = [], {"optimiser": Sgd(), "milestones": ("30it",)}
        hooks = Hooks(checkpoint=saved.append, checkpoint_seconds=0.0, segment_seconds=1e-3)
        with pytest.raises(Diverged, match=r"iteration 3[01]\. Lower the learning rate"):
            run(ticket, data, epochs="60it", gamma=1e30, options={"hooks": hooks}, **config)
        assert 0 < saved[-1].iteration <= 31
        assert all(np.isfinite(array).all() for checkpoint in saved for array in checkpoint.state.values())
        with pytest.raises(Diverged, match=r"iteration 3[01]\."):  # the last update is seen in the weights alone
            run(ticket, data, epochs="31it", gamma=1e38, **config)

    def test_data_of_another_shape_and_moments_after_the_end_are_refused(self, ticket, data):
        halves = {f"x_{split}": data.split(split)[0][:, :4] for split in ("train", "validation", "test")}
        with refused("data", None, "(8, 8, 1)", "(4, 8, 1)"):
            run(ticket, replace(data, **halves))
        with refused("keep", None, "iteration 6", "5it"):
            run(ticket, data, epochs="5it", options={"keep": ("6it",)})

    def test_bfloat16_trains_float32_weights_and_is_evaluated_in_float32(self, ticket, data):
        config = {"epochs": "60it", "evaluate_every": "60it"}
        half, single = (run(ticket, data, precision=precision, **config) for precision in ("bfloat16", "float32"))
        assert {array.dtype for array in half.weights.values()} == {np.dtype(np.float32)}
        assert half.history[-1]["accuracy"] == pytest.approx(single.history[-1]["accuracy"], abs=0.07)
        in_float32 = predict(ticket.model, ticket.mask, half.weights, data.x_validation)
        assert half.history[-1]["nll"] == pytest.approx(nll(in_float32, data.y_validation), rel=1e-6)
        assert all(np.all(half.weights[path][~kept] == 0) for path, kept in ticket.mask.items())


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_every_product_of_a_layer_is_in_the_precision_asked_for(precision):
    images = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(images))
    x = Attend(2)([keras.layers.Dense(4)(keras.layers.Reshape((36, 4))(x)) for _ in range(3)])
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    model = with_mask(own := keras.Model(images, logits), dense_mask(kernel_shapes(own)), precision)

    @tf.function(autograph=False)
    def gradient(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(model(images, training=True), tf.float32))
        return tape.gradient(loss, model.trainable_variables)

    graph = gradient.get_concrete_function(tf.TensorSpec([5, 8, 8, 3])).graph
    kinds = ("Conv2D", "MatMul", "BatchMatMul", "Sparse")
    products = [operation for operation in graph.get_operations() if operation.type.startswith(kinds)]
    assert {operation.type for operation in products} >= {"Conv2D", "Conv2DBackpropFilter", "MatMul", "BatchMatMulV2"}
    assert {operation.get_attr("T").name for operation in products} == {precision}
    assert all(variable.dtype == tf.float32 for variable in model.trainable_variables)
