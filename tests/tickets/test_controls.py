"""Needs TensorFlow."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tfticket import seeds
from tfticket.backend import keras
from tfticket.config import Control
from tfticket.errors import InputError
from tfticket.pruning.mask import survivors
from tfticket.registry import CONTROLS, resolve
from tfticket.tickets.controls import (
    keep_signs,
    random_mask,
    reinitialise,
    shuffle_even,
    shuffle_global,
    shuffle_layerwise,
)

SHUFFLES = [shuffle_global, shuffle_even, shuffle_layerwise]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """What a control must be told."""
    path = tmp_path_factory.mktemp("mask") / "mask.npz"
    np.savez(path, dense_1=np.random.default_rng(1).random((64, 300)) < 0.1)
    return {"random-mask": {"densities": 0.2}, "own-mask": {"path": str(path)}}


@pytest.fixture(scope="module")
def ticket():
    dense = tt.Ticket.dense(tt.build_model("lenet-300-100", input_shape=(8, 8, 1), num_classes=10), seed=4)
    random = np.random.default_rng(0)
    return replace(dense, mask={path: random.random(kept.shape) < 0.3 for path, kept in dense.mask.items()}, level=3)


@pytest.fixture(scope="module")
def exempt(ticket):
    mask = ticket.mask | {"dense_3/kernel": np.ones_like(ticket.mask["dense_3/kernel"])}
    return replace(ticket, mask=mask, provenance={"exempt": ["dense_3"]})


# Weights drawn anew


def test_reinitialising_keeps_the_mask_and_draws_all_kernels_anew_even_at_the_tickets_seed(ticket):
    for seed in (4, 5):
        control = reinitialise(ticket, seed)
        assert control.mask is ticket.mask
        for path in ticket.mask:
            assert not np.any(control.start[path] == ticket.start[path])
            assert np.std(control.start[path]) == pytest.approx(np.std(ticket.start[path]), rel=0.1)
        assert control.initial is control.start


@pytest.mark.parametrize("control", [reinitialise, keep_signs])
def test_kernels_can_be_drawn_from_another_distribution(control, ticket):
    drawn = control(ticket, seed=4, initialiser="he_uniform")
    for path in ticket.mask:
        bound = np.sqrt(6 / ticket.mask[path].shape[0])
        assert np.max(np.abs(drawn.start[path])) == pytest.approx(bound, rel=0.02)
    assert not drawn.start["dense_1/bias"].any()
    assert drawn.provenance["controls"][-1]["initialiser"] == "he_uniform"


class Constant(keras.layers.Layer):
    """Holds a number that is not trained and has no initialiser."""

    def build(self, shape):
        self.number = self.add_weight("number", (), initializer="zeros", trainable=False)

    def call(self, inputs):
        return inputs + self.number


def test_reinitialising_keeps_the_tickets_constants():
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), Constant(name="constant"), keras.layers.Dense(3, name="out")]
    )
    model.get_layer("constant").number.assign(5.0)
    control = reinitialise(tt.Ticket.dense(model, seed=1), seed=2)
    assert control.start["constant/number"] == 5


def test_kept_signs_are_the_starts_and_magnitudes_are_drawn_anew(ticket):
    rewound = replace(ticket, start={path: -array for path, array in ticket.start.items()}, iteration=7)
    control = keep_signs(rewound, seed=4)
    for path in ticket.mask:
        np.testing.assert_array_equal(np.sign(control.start[path]), np.sign(rewound.start[path]))
        assert not np.any(np.abs(control.start[path]) == np.abs(rewound.start[path]))
        assert np.std(control.start[path]) == pytest.approx(np.std(ticket.start[path]), rel=0.1)
    assert control.mask is ticket.mask
    assert control.iteration == 0
    assert [each["control"] for each in control.provenance["controls"]] == ["keep-signs"]


# Survivors moved about


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_every_shuffle_keeps_the_number_of_survivors(shuffle, ticket):
    assert sum(shuffle(ticket, seed=4).survivors.values()) == sum(ticket.survivors.values())


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_where_survivors_end_up_owes_nothing_to_where_they_were(shuffle, ticket):
    control = shuffle(ticket, seed=4)
    assert control.start is ticket.start
    for path, kept in ticket.mask.items():
        expected = control.mask[path].mean()
        assert np.mean(control.mask[path][kept]) == pytest.approx(expected, abs=5 / np.sqrt(kept.sum()))


def test_a_global_shuffle_gives_layers_the_mean_density_but_for_chance(ticket):
    uneven = replace(ticket, mask=ticket.mask | {"dense_1/kernel": np.ones((64, 300), bool)})
    control = shuffle_global(uneven, seed=4)
    for kept in control.mask.values():
        assert kept.mean() == pytest.approx(uneven.density, abs=5 * 0.5 / np.sqrt(kept.size))
    assert survivors(control.mask) != survivors(shuffle_even(uneven, seed=4).mask)


@pytest.mark.parametrize("control", [*SHUFFLES, lambda ticket, seed: random_mask(ticket, seed, densities=0.5)])
def test_exempt_layers_keep_their_mask(control, exempt):
    made = control(exempt, 4)
    assert made.mask["dense_3/kernel"].all()
    assert np.any(made.mask["dense_1/kernel"] != exempt.mask["dense_1/kernel"])


def test_a_random_mask_has_the_density_that_it_is_told(ticket):
    assert random_mask(ticket, seed=4, densities=0.123).survivors == {
        path: round(0.123 * kept.size) for path, kept in ticket.mask.items()
    }


def test_a_random_mask_can_be_told_the_density_of_each_layer(ticket):
    control = random_mask(ticket, seed=4, densities={"dense_1": 0.25, "dense_3": 0.1})
    assert control.survivors == ticket.survivors | {"dense_1/kernel": 64 * 300 // 4, "dense_3/kernel": 100}
    assert control.mask["dense_2/kernel"] is ticket.mask["dense_2/kernel"]


def test_an_exempt_layer_has_no_random_mask(exempt):
    with pytest.raises(InputError, match="densities: dense_3: it is exempt"):
        random_mask(exempt, seed=4, densities={"dense_3": 0.1})


DRAWS = {
    "one": (shuffle_layerwise, 0, 3, {}),
    "another level": (shuffle_layerwise, 0, 4, {}),
    "another seed": (shuffle_layerwise, 1, 3, {}),
    "another replicate": (shuffle_layerwise, seeds.derive(0, "replicate", 1), 3, {}),
    "evenly": (shuffle_even, 0, 3, {}),
    "globally": (shuffle_global, 0, 3, {}),
    "at a density": (random_mask, 0, 3, {"densities": 0.3}),
}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(DRAWS, 2)))
def test_two_draws_know_nothing_of_one_another(one, other, ticket):
    masks = []
    for control, seed, level, options in (DRAWS[one], DRAWS[other]):
        masks.append(control(replace(ticket, level=level), seed, **options).mask["dense_1/kernel"])
    first, second = masks
    expected = first.mean() * second.mean()
    assert np.mean(first & second) == pytest.approx(expected, abs=5 * np.sqrt(expected / first.size))


@pytest.mark.parametrize("other", ["keep signs", "another seed"])
def test_weights_of_two_controls_are_drawn_apart(other, ticket):
    one = reinitialise(ticket, 0).start["dense_1/kernel"]
    two = (keep_signs(ticket, 0) if other == "keep signs" else reinitialise(ticket, 1)).start["dense_1/kernel"]
    assert np.corrcoef(np.abs(one).ravel(), np.abs(two).ravel())[0, 1] == pytest.approx(0, abs=5 / np.sqrt(one.size))


@pytest.mark.parametrize(
    ("densities", "message"),
    [
        (1.5, "expected a fraction"),
        ({"dense_1": -0.1}, "dense_1 is -0.1"),
        ({"dense_9": 0.1}, "dense_9: there is no such layer"),
    ],
)
def test_densities_that_cannot_be_are_refused(densities, message, ticket):
    with pytest.raises(InputError, match=message):
        random_mask(ticket, seed=4, densities=densities)


def test_a_layerwise_shuffle_is_drawn_by_the_paths_of_a_registered_network(ticket):
    control = shuffle_layerwise(ticket, seed=4)
    for path, kept in ticket.mask.items():
        random = seeds.generator(4, "shuffle layerwise", 3, path)
        drawn = random.permutation(np.arange(kept.size) < kept.sum()).reshape(kept.shape)
        np.testing.assert_array_equal(control.mask[path], drawn)


def test_a_layer_that_a_shuffle_empties_is_reported_or_refused(ticket):
    only = np.zeros((100, 10), bool)
    only[3, 4] = True
    mask = {path: np.zeros_like(kept) for path, kept in ticket.mask.items()} | {"dense_3/kernel": only}
    sparse = replace(ticket, mask=mask)
    control = shuffle_global(sparse, seed=4)
    assert control.provenance["controls"] == [{"control": "shuffle-global", "seed": 4, "emptied": ["dense_3"]}]
    with pytest.raises(InputError, match=r"shuffle-global \(seed 4\) leaves no weight in dense_3\. Set allow_empty"):
        shuffle_global(sparse, seed=4, allow_empty=False)
    with pytest.raises(InputError, match="leaves no weight in dense_3"):
        random_mask(sparse, seed=4, densities={"dense_3": 0.0}, allow_empty=False)
    assert shuffle_layerwise(sparse, seed=4, allow_empty=False).survivors == sparse.survivors


# All of them


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_seeded_and_say_what_they_are(name, ticket, options):
    def control(seed):
        return resolve(CONTROLS[name].target)(ticket, seed, **options.get(name, {}))

    one, same, other = control(1), control(1), control(2)
    assert one.provenance["controls"][-1]["control"] == name
    assert one.level == ticket.level
    path = "dense_1/kernel"
    np.testing.assert_array_equal(one.mask[path], same.mask[path])
    np.testing.assert_array_equal(one.start[path], same.start[path])
    differs = np.any(one.mask[path] != other.mask[path]) or np.any(one.start[path] != other.start[path])
    assert differs == (name != "own-mask")  # which is what the file says, whatever the seed


def test_controls_of_controls_say_both(ticket):
    both = shuffle_even(reinitialise(ticket, 1), 2)
    assert [each["control"] for each in both.provenance["controls"]] == ["reinitialise", "shuffle-even"]


@pytest.mark.parametrize("name", CONTROLS)
def test_after_learning_rate_rewinding_no_survivor_of_a_control_starts_at_0(name, ticket, options):
    trained = {path: array * ticket.mask.get(path, True) for path, array in ticket.start.items()}
    rewound = replace(ticket, start=trained, iteration=0, provenance={"rewind": "none"})
    control = resolve(CONTROLS[name].target)(rewound, 4, **options.get(name, {}))
    assert all(control.start[path][kept].all() for path, kept in control.mask.items())
    if name not in ("reinitialise", "keep-signs"):
        assert control.start is ticket.initial


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_by_its_name_in_a_notebook(name, ticket, options):
    its = options.get(name, {})
    ours, theirs = tt.control(ticket, name, seed=3, **its), resolve(CONTROLS[name].target)(ticket, 3, **its)
    np.testing.assert_array_equal(ours.mask["dense_2/kernel"], theirs.mask["dense_2/kernel"])
    np.testing.assert_array_equal(ours.start["dense_2/kernel"], theirs.start["dense_2/kernel"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "shuffle"}, "shuffle-"),
        ({"name": "shuffle-even", "initialiser": "he_normal"}, "initialiser has no say in shuffle-even"),
        ({"name": "reinitialise", "densities": 0.5}, "densities has no say in reinitialise; it is of random-mask"),
        ({"name": "random-mask"}, "random-mask needs densities"),
        ({"name": "random-mask", "densities": 2.0}, "expected a fraction, 0 to 1"),
    ],
)
def test_options_that_do_not_fit_a_control_are_refused(options, message, ticket):
    with pytest.raises(InputError, match=message):
        tt.control(ticket, **options)


def test_a_control_without_options_is_written_as_its_name():
    assert Control(name="shuffle-even").model_dump(mode="json") == "shuffle-even"
    told = {"name": "random-mask", "densities": {"dense_1": 0.5}}
    assert Control.model_validate(told).model_dump(mode="json") == told
    assert Control.model_validate("shuffle-even") == Control(name="shuffle-even")
