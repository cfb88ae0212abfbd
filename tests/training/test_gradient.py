"""Needs TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tfticket.backend import keras, tf
from tfticket.config import Sgd, TrainConfig
from tfticket.config.durations import iterations_in
from tfticket.errors import Stopped, TfticketError
from tfticket.evaluation.metrics import all_metrics, nll
from tfticket.evaluation.predictive import predict
from tfticket.models import kernel_shapes
from tfticket.models.vit import Attend
from tfticket.pruning.mask import dense_mask
from tfticket.pruning.wrapping import with_mask
from tfticket.training.batches import RowOrder
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks


@pytest.fixture(scope="module")
def ticket(data):
    """A random mask that keeps a fifth of each layer."""
    dense = tt.Ticket.dense(tt.build_model("lenet-300-100", data), seed=7)
    random = np.random.default_rng(0)
    return replace(dense, mask={path: random.random(kept.shape) < 0.2 for path, kept in dense.mask.items()})


def run(ticket, data, config, **options):
    return train_weights(ticket.model, ticket.mask, ticket.start, data, config, seed=3, **options)


LAYERS = ("dense_1", "dense_2", "dense_3")


@pytest.fixture(scope="module")
def smooth(data):
    """A masked network without kinks.

    Rounding decides on which side of its kink a ReLU is that is 5e-9 from it, and from then on Adam's weights are 4e-5
    apart, be both sides right; so no training of ReLUs can be compared over many iterations.
    """
    widths = zip(LAYERS, (100, 50, 10), ("tanh", "tanh", None), strict=True)
    dense = [keras.layers.Dense(units, activation, name=name) for name, units, activation in widths]
    ticket = tt.Ticket.dense(keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), *dense]), seed=7)
    random = np.random.default_rng(0)
    return replace(ticket, mask={path: random.random(kept.shape) < 0.2 for path, kept in ticket.mask.items()})


def by_hand(ticket, data, config, optimiser, iterations):
    """The training written out in float64: a mask multiplied in, Keras' optimiser, no wrapper, no loop of ours."""
    masks = {path: tf.constant(ticket.mask.get(path, True), tf.float64) for path in ticket.start}
    variables = {path: tf.Variable(tf.cast(ticket.start[path], tf.float64) * masks[path]) for path in ticket.start}
    decay = 0.0 if config.decoupled else config.weight_decay / 2

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

    for rows in RowOrder(3, len(data.x_train), config.batch_size).batches(0, iterations):
        step(tf.constant(data.x_train[rows]), tf.constant(data.y_train[rows]))
    return {path: (variable * masks[path]).numpy() for path, variable in variables.items()}


@pytest.mark.parametrize(
    ("config", "optimiser"),
    [
        (TrainConfig(epochs="100it"), lambda: keras.optimizers.Adam(1.2e-3, epsilon=1e-7)),
        (
            TrainConfig(epochs="100it", optimiser=Sgd(), weight_decay=1e-3),
            lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        ),
        (
            TrainConfig(epochs="100it", weight_decay=0.05, decoupled=True),
            lambda: keras.optimizers.AdamW(1.2e-3, weight_decay=0.05, epsilon=1e-7),
        ),
    ],
    ids=["adam", "sgd with decay", "decoupled decay is that of AdamW"],
)
def test_wrapped_training_agrees_with_the_mask_multiplied_in_by_hand(smooth, data, config, optimiser):
    """Storing a weight in float32 rounds it by half an eps at most in each of 100 iterations."""
    wrapped = run(smooth, data, config).weights
    hand = by_hand(smooth, data, config, optimiser(), 100)
    for path, weights in hand.items():
        kept = smooth.mask.get(path, np.ones(weights.shape, bool))
        assert np.all(wrapped[path][~kept] == 0)
        distance = np.linalg.norm(wrapped[path] - weights) / np.linalg.norm(weights)
        assert distance <= 100 * np.finfo(np.float32).eps / 2


def test_training_learns(ticket, data):
    trained = run(ticket, data, TrainConfig(epochs="10ep"))
    assert trained.history[-1]["accuracy"] > 0.85
    assert trained.history[-1]["loss"] < trained.history[0]["loss"] / 3


def test_test_rows_are_recorded_if_asked_for_and_change_nothing(ticket, data):
    config = TrainConfig(epochs="20it", evaluate_every="10it")
    usual, told = run(ticket, data, config), []
    hooks = Hooks(evaluated=told.append)
    both = run(ticket, data, config.model_copy(update={"evaluate_test": True}), hooks=hooks)
    assert [{name: row[name] for name in row if name != "test"} for row in both.history] == usual.history
    assert told == both.history
    for path in usual.weights:
        np.testing.assert_array_equal(both.weights[path], usual.weights[path])
    log_probs = predict(ticket.model, ticket.mask, both.weights, data.x_test)
    assert both.history[-1]["test"] == all_metrics(log_probs, data.y_test)


def test_a_training_cut_anywhere_has_the_bits_of_an_undisturbed_one(ticket, data):
    config = TrainConfig(epochs="70it", evaluate_every="25it", milestones=("30it",))
    whole = run(ticket, data, config, keep=("10it", "40it"))
    for cuts in (1, 2, 3):
        checkpoint, looks = None, iter(range(100))
        saved = []
        hooks = Hooks(
            checkpoint=saved.append, segment_seconds=1e-3, should_stop=lambda looks=looks, n=cuts: next(looks) >= n
        )
        while True:
            try:
                trained = run(ticket, data, config, keep=("10it", "40it"), hooks=replace(hooks, resume=checkpoint))
                break
            except Stopped:
                checkpoint, looks = saved[-1], iter(range(100))
                hooks = replace(hooks, should_stop=lambda looks=looks, n=cuts: next(looks) >= n)
        assert len(saved) >= 1
        assert trained.history == whole.history
        for left, right in ((trained.weights, whole.weights), *((trained.kept[k], whole.kept[k]) for k in (10, 40))):
            for path in left:
                np.testing.assert_array_equal(left[path], right[path])


def test_order_and_start_decide_and_nothing_left_over_from_the_training_before(ticket, data):
    config = TrainConfig(epochs="20it")
    first = run(ticket, data, config)
    train_weights(ticket.model, ticket.mask, ticket.start, data, config, seed=4)
    again = run(ticket, data, config)
    for path in first.weights:
        np.testing.assert_array_equal(first.weights[path], again.weights[path])
    other = train_weights(ticket.model, ticket.mask, ticket.start, data, config, seed=4)
    assert any(np.any(first.weights[path] != other.weights[path]) for path in first.weights)


def test_a_rewound_training_goes_on_in_the_schedule(ticket, data):
    """With plain SGD there is no momentum to lose, so from the weights of iteration 12 it ends where it did."""
    config = TrainConfig(epochs="30it", optimiser=Sgd(momentum=0.0), milestones=("20it",))
    whole = run(ticket, data, config, keep=("12it",))
    rest = train_weights(ticket.model, ticket.mask, whole.kept[12], data, config, seed=3, first_iteration=12)
    for path in whole.weights:
        np.testing.assert_array_equal(whole.weights[path], rest.weights[path])


def test_a_loss_that_is_not_finite_is_told_with_its_iteration_and_the_last_checkpoint_is_good(ticket, data):
    """The learning rate jumps at iteration 30: the loss before the update of 31 is the first that shows it."""
    saved = []
    config = TrainConfig(epochs="60it", optimiser=Sgd(), milestones=("30it",), gamma=1e30)
    hooks = Hooks(checkpoint=saved.append, checkpoint_seconds=0.0, segment_seconds=1e-3)
    with pytest.raises(TfticketError, match=r"at iteration 3[01]\. Lower the learning rate"):
        run(ticket, data, config, hooks=hooks)
    assert 0 < saved[-1].iteration <= 30
    assert all(np.isfinite(array).all() for checkpoint in saved for array in checkpoint.state.values())


def test_a_last_update_that_diverges_is_no_result(ticket, data):
    config = TrainConfig(epochs="31it", optimiser=Sgd(), milestones=("30it",), gamma=1e38)
    with pytest.raises(TfticketError, match=r"at iteration 3[01]\."):
        run(ticket, data, config)


def test_other_arrays_are_other_data(ticket, data):
    """A data set made from another by hand keeps its checksum; its rows count."""
    config = TrainConfig(epochs="10it")
    first = run(ticket, data, config)
    other = run(ticket, replace(data, y_train=(data.y_train + 1) % 10), config)
    assert np.any(first.weights["dense_3/bias"] != other.weights["dense_3/bias"])


def test_levels_and_seeds_are_not_traced_again(ticket, data):
    from tfticket.training.loop import gradient_loop

    config = TrainConfig(epochs="12it")
    run(ticket, data, config)
    loop = gradient_loop(ticket.model, config, capacity=12)
    traced = loop._segment.experimental_get_tracing_count()
    sparser = replace(ticket, mask={path: kept & (ticket.start[path] > 0) for path, kept in ticket.mask.items()})
    train_weights(sparser.model, sparser.mask, sparser.start, data, config, seed=11)
    assert loop._segment.experimental_get_tracing_count() == traced == 1


def test_data_of_another_shape_are_refused(ticket, data):
    halves = {f"x_{split}": data.split(split)[0][:, :14] for split in ("train", "validation", "test")}
    small = replace(data, **halves)
    with pytest.raises(tt.InputError, match="images"):
        run(ticket, small, TrainConfig())


def test_a_moment_after_the_end_cannot_be_kept(ticket, data):
    with pytest.raises(tt.InputError, match="ends at"):
        run(ticket, data, TrainConfig(epochs="5it"), keep=("6it",))


def test_history_falls_on_epochs(ticket, data):
    trained = run(ticket, data, TrainConfig(epochs="3ep"))
    assert [row["iteration"] for row in trained.history] == [iterations_in(f"{k}ep", 2000, 128) for k in (1, 2, 3)]


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
    products = [
        op for op in graph.get_operations() if op.type.startswith(("Conv2D", "MatMul", "BatchMatMul", "Sparse"))
    ]
    assert {op.type for op in products} >= {"Conv2D", "Conv2DBackpropFilter", "MatMul", "BatchMatMulV2"}
    assert {op.get_attr("T").name for op in products} == {precision}
    assert all(variable.dtype == tf.float32 for variable in model.trainable_variables)


def test_bfloat16_trains_float32_weights_and_is_evaluated_in_float32(ticket, data):
    short = {"epochs": "60it", "evaluate_every": "60it"}
    half, single = (run(ticket, data, TrainConfig(**short, precision=name)) for name in ("bfloat16", "float32"))
    assert {array.dtype for array in half.weights.values()} == {np.dtype(np.float32)}
    assert half.history[-1]["accuracy"] == pytest.approx(single.history[-1]["accuracy"], abs=0.05)
    in_float32 = predict(ticket.model, ticket.mask, half.weights, data.x_validation)
    assert half.history[-1]["nll"] == pytest.approx(nll(in_float32, data.y_validation), rel=1e-6)
    for path, kept in ticket.mask.items():
        assert np.all(half.weights[path][~kept] == 0)
