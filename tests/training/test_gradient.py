"""Needs TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tfticket.backend import keras, tf
from tfticket.config import Sgd, TrainConfig
from tfticket.durations import iterations_in
from tfticket.errors import Stopped, TfticketError
from tfticket.evaluation.metrics import all_metrics, nll
from tfticket.evaluation.predictive import predict
from tfticket.models import kernel_shapes
from tfticket.models.vit import Attend
from tfticket.pruning.mask import dense_mask
from tfticket.pruning.wrapping import with_mask
from tfticket.training.gradient import Hooks, train_weights
from tfticket.training.order import RowOrder


@pytest.fixture(scope="module")
def ticket(data):
    """A random mask that keeps a fifth of each layer."""
    dense = tt.Ticket.dense(tt.build_model("lenet-300-100", data), seed=7)
    random = np.random.default_rng(0)
    return replace(dense, mask={path: random.random(kept.shape) < 0.2 for path, kept in dense.mask.items()})


def run(ticket, data, config, **options):
    return train_weights(ticket.model, ticket.mask, ticket.start, data, config, seed=3, **options)


def by_hand(ticket, data, config, iterations):
    """The same training written out: a mask multiplied in, Keras' optimiser, no wrapper, no loop of ours."""
    paths = list(ticket.start)
    variables = {path: tf.Variable(ticket.start[path]) for path in paths}
    masks = {path: tf.constant(kept.astype(np.float32)) for path, kept in ticket.mask.items()}
    optimiser = {
        "adam": lambda: keras.optimizers.Adam(config.optimiser.learning_rate, epsilon=1e-7),
        "sgd": lambda: keras.optimizers.SGD(config.optimiser.learning_rate, momentum=0.9),
    }[config.optimiser.name]()

    @tf.function(jit_compile=True)
    def step(images, labels):
        with tf.GradientTape() as tape:
            x = tf.reshape(tf.cast(images, tf.float32) / 255.0, [len(images), -1])
            for layer in ("dense_1", "dense_2", "dense_3"):
                x = x @ (variables[f"{layer}/kernel"] * masks[f"{layer}/kernel"]) + variables[f"{layer}/bias"]
                x = tf.nn.relu(x) if layer != "dense_3" else x
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x))
            loss += (
                config.weight_decay
                / 2
                * sum(tf.reduce_sum(tf.square(variables[path] * masks.get(path, 1.0))) for path in paths)
            )
        gradients = tape.gradient(loss, [variables[path] for path in paths])
        optimiser.apply_gradients(zip(gradients, [variables[path] for path in paths], strict=True))

    for rows in RowOrder(3, len(data.x_train), config.batch_size).batches(0, iterations):
        step(data.x_train[rows], data.y_train[rows])
    return {path: (variables[path] * masks.get(path, 1.0)).numpy() for path in paths}


@pytest.mark.parametrize(
    "config",
    [TrainConfig(epochs="200it"), TrainConfig(epochs="200it", optimiser=Sgd(), weight_decay=1e-3)],
    ids=["adam", "sgd with decay"],
)
def test_wrapped_training_agrees_with_the_mask_multiplied_in_by_hand(ticket, data, config):
    wrapped = run(ticket, data, config).weights
    hand = by_hand(ticket, data, config, 200)
    for path, weights in hand.items():
        kept = ticket.mask.get(path, np.ones(weights.shape, bool))
        assert np.all(wrapped[path][~kept] == 0)
        assert np.linalg.norm((wrapped[path] - weights)[kept]) <= 1e-5 * np.linalg.norm(weights[kept])


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


def test_decoupled_decay_is_that_of_adamw(ticket, data):
    config = TrainConfig(epochs="30it", weight_decay=0.05, decoupled=True)
    ours = run(ticket, data, config).weights
    start = {path: tf.Variable(ticket.start[path] * ticket.mask.get(path, True)) for path in ticket.start}
    adam = keras.optimizers.AdamW(1.2e-3, weight_decay=0.05, epsilon=1e-7)
    rows = RowOrder(3, len(data.x_train), config.batch_size).batches(0, 30)
    for batch in rows:
        with tf.GradientTape() as tape:
            x = tf.reshape(tf.cast(data.x_train[batch], tf.float32) / 255.0, [len(batch), -1])
            for layer in ("dense_1", "dense_2", "dense_3"):
                x = x @ start[f"{layer}/kernel"] + start[f"{layer}/bias"]
                x = tf.nn.relu(x) if layer != "dense_3" else x
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(data.y_train[batch], x))
        gradients = tape.gradient(loss, list(start.values()))
        masked = [g * ticket.mask.get(path, 1.0) for path, g in zip(start, gradients, strict=True)]
        adam.apply_gradients(zip(masked, start.values(), strict=True))
    for path, weights in ours.items():
        assert np.linalg.norm(weights - start[path]) <= 1e-4 * np.linalg.norm(weights)
    coupled = run(ticket, data, TrainConfig(epochs="30it", weight_decay=0.05)).weights
    assert any(np.any(coupled[path] != ours[path]) for path in ours)


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
