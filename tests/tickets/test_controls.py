"""Controls: what each keeps, and what it draws at random."""

import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import tfticket as tt
from tests.refusals import refused
from tfticket import seeds
from tfticket.backend import keras
from tfticket.config import Control
from tfticket.registry import CONTROLS, resolve
from tfticket.tickets import controls
from tfticket.tickets.controls import keep_signs, random_mask, reinitialise, shuffle_even, shuffle_layerwise

SHUFFLES = [controls.shuffle_global, shuffle_even, shuffle_layerwise]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Options that a control needs."""
    path = tmp_path_factory.mktemp("mask") / "mask.npz"
    np.savez(path, dense_1=np.random.default_rng(1).random((64, 300)) < 0.1)
    return {"random-mask": {"densities": 0.2}, "own-mask": {"path": str(path)}}


@pytest.fixture(scope="module")
def ticket():
    dense = tt.Ticket.dense(tt.build_model("lenet-300-100", input_shape=(8, 8, 1), num_classes=10), seed=4)
    random = np.random.default_rng(0)
    return replace(dense, mask={path: random.random(kept.shape) < 0.3 for path, kept in dense.mask.items()}, level=3)


@pytest.mark.parametrize("control", [reinitialise, keep_signs])
def test_kernels_are_drawn_anew_from_their_own_or_another_distribution(control, ticket):
    rewound = replace(ticket, start={path: -array for path, array in ticket.start.items()}, iteration=7)
    for seed in (4, 5):  # also at the ticket's own seed
        drawn = control(rewound, seed)
        assert (drawn.mask is ticket.mask, drawn.initial is drawn.start, drawn.iteration) == (True, True, 0)
        assert drawn.provenance["controls"] == [{"control": control.__name__.replace("_", "-"), "seed": seed}]
        for path in ticket.mask:
            assert not np.any(np.abs(drawn.start[path]) == np.abs(ticket.start[path]))
            assert np.std(drawn.start[path]) == pytest.approx(np.std(ticket.start[path]), rel=0.1)
            same_signs = np.sign(drawn.start[path]) == np.sign(rewound.start[path])
            assert same_signs.all() == (control is keep_signs)
    other = control(ticket, seed=4, initialiser="he_uniform")
    for path in ticket.mask:
        assert np.max(np.abs(other.start[path])) == pytest.approx(np.sqrt(6 / ticket.mask[path].shape[0]), rel=0.02)
    assert not other.start["dense_1/bias"].any()
    assert other.provenance["controls"][-1]["initialiser"] == "he_uniform"


class Constant(keras.layers.Layer):
    """Holds a number that is not trained and has no initialiser."""

    def build(self, shape):
        self.number = self.add_weight("number", (), initializer="zeros", trainable=False)

    def call(self, inputs):
        return inputs + self.number


def test_reinitialising_keeps_the_tickets_constants():
    flat = keras.layers.Flatten()
    model = keras.Sequential([keras.Input((2, 2, 1)), flat, Constant(name="constant"), keras.layers.Dense(3)])
    model.get_layer("constant").number.assign(5.0)
    assert reinitialise(tt.Ticket.dense(model, seed=1), seed=2).start["constant/number"] == 5


def test_shuffles_keep_the_number_of_survivors_and_forget_their_places(ticket):
    uneven = replace(ticket, mask=ticket.mask | {"dense_1/kernel": np.ones((64, 300), bool)})
    by_chance, even, layerwise = (shuffle(uneven, seed=4) for shuffle in SHUFFLES)
    for control in (by_chance, even, layerwise):
        assert sum(control.survivors.values()) == sum(uneven.survivors.values())
        assert control.start is ticket.start
        for path, kept in ticket.mask.items():
            expected = control.mask[path].mean()
            assert np.mean(control.mask[path][kept]) == pytest.approx(expected, abs=5 / np.sqrt(kept.sum()))
    for path, kept in uneven.mask.items():
        assert by_chance.mask[path].mean() == pytest.approx(uneven.density, abs=5 * 0.5 / np.sqrt(kept.size))
        assert even.mask[path].sum() == pytest.approx(uneven.density * kept.size, abs=1)
    assert by_chance.survivors != even.survivors
    assert layerwise.survivors == uneven.survivors


def test_a_layerwise_shuffle_is_drawn_by_the_paths_of_a_registered_network(ticket):
    control = shuffle_layerwise(ticket, seed=4)
    for path, kept in ticket.mask.items():
        random = seeds.generator(4, "shuffle layerwise", 3, path)
        drawn = random.permutation(np.arange(kept.size) < kept.sum()).reshape(kept.shape)
        np.testing.assert_array_equal(control.mask[path], drawn)


def test_a_random_mask_has_the_density_of_all_layers_or_of_each_and_exempt_layers_keep_theirs(ticket):
    everywhere = random_mask(ticket, seed=4, densities=0.123).survivors
    assert everywhere == {path: round(0.123 * kept.size) for path, kept in ticket.mask.items()}
    control = random_mask(ticket, seed=4, densities={"dense_1": 0.25, "dense_3": 0.1})
    assert control.survivors == ticket.survivors | {"dense_1/kernel": 64 * 300 // 4, "dense_3/kernel": 100}
    assert control.mask["dense_2/kernel"] is ticket.mask["dense_2/kernel"]
    mask = ticket.mask | {"dense_3/kernel": np.ones_like(ticket.mask["dense_3/kernel"])}
    exempt = replace(ticket, mask=mask, provenance={"exempt": ["dense_3"]})
    for control in (*SHUFFLES, partial(random_mask, densities=0.5)):
        altered = control(exempt, 4).mask
        assert altered["dense_3/kernel"].all()
        assert np.any(altered["dense_1/kernel"] != mask["dense_1/kernel"])
    with pytest.raises(tt.InputError, match="dense_3"):
        random_mask(exempt, seed=4, densities={"dense_3": 0.1})


def test_an_empty_layer_is_recorded_or_refused(ticket):
    only = np.zeros((100, 10), bool)
    only[3, 4] = True
    mask = {path: np.zeros_like(kept) for path, kept in ticket.mask.items()} | {"dense_3/kernel": only}
    sparse = replace(ticket, mask=mask)
    control = controls.shuffle_global(sparse, seed=4)
    assert control.provenance["controls"] == [{"control": "shuffle-global", "seed": 4, "emptied": ["dense_3"]}]
    with refused("allow_empty", None, "shuffle-global", "seed 4", "dense_3"):
        controls.shuffle_global(sparse, seed=4, allow_empty=False)
    with refused("allow_empty", None, "random-mask", "dense_3"):
        random_mask(sparse, seed=4, densities={"dense_3": 0.0}, allow_empty=False)
    assert shuffle_layerwise(sparse, seed=4, allow_empty=False).survivors == sparse.survivors


def test_draws_of_other_controls_levels_seeds_and_replicates_are_independent(ticket):
    replicate = seeds.derive(0, "replicate", 1)
    draws = [(shuffle_layerwise, seed, level) for seed, level in ((0, 3), (0, 4), (1, 3), (replicate, 3))]
    others = (shuffle_even, controls.shuffle_global, partial(random_mask, densities=0.3))
    draws += [(control, 0, 3) for control in others]
    masks = [control(replace(ticket, level=level), seed).mask["dense_1/kernel"] for control, seed, level in draws]
    for first, second in itertools.combinations(masks, 2):
        expected = first.mean() * second.mean()
        assert np.mean(first & second) == pytest.approx(expected, abs=5 * np.sqrt(expected / first.size))
    weights = [reinitialise(ticket, 0), reinitialise(ticket, 1), keep_signs(ticket, 0)]
    magnitudes = [np.abs(control.start["dense_1/kernel"]).ravel() for control in weights]
    for first, second in itertools.combinations(magnitudes, 2):
        assert np.corrcoef(first, second)[0, 1] == pytest.approx(0, abs=5 / np.sqrt(first.size))


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_seeded_recorded_and_start_survivors_at_no_zero(name, ticket, options):
    def control(seed, ticket=ticket):
        return resolve(CONTROLS[name].target)(ticket, seed, **options.get(name, {}))

    first, other, api = control(1), control(2), tt.control(ticket, name, seed=1, **options.get(name, {}))
    assert first.provenance["controls"][-1]["control"] == name
    assert first.level == ticket.level

    def equal(theirs):
        parts = ((each.mask["dense_1/kernel"], each.start["dense_1/kernel"]) for each in (first, theirs))
        return all(itertools.starmap(np.array_equal, zip(*parts, strict=True)))

    assert equal(api)
    assert equal(other) == (name == "own-mask")  # which is the file's, whatever the seed
    trained = {path: array * ticket.mask.get(path, True) for path, array in ticket.start.items()}
    rewound = control(4, replace(ticket, start=trained, iteration=0, provenance={"rewind": "none"}))
    assert all(rewound.start[path][kept].all() for path, kept in rewound.mask.items())
    assert (rewound.start is ticket.initial) == (name not in ("reinitialise", "keep-signs"))
    both = shuffle_even(first, 2).provenance["controls"]
    assert [each["control"] for each in both] == [name, "shuffle-even"]


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({"name": "shuffle"}, "shuffle-"),
        ({"name": "shuffle-even", "initialiser": "he_normal"}, "initialiser.*shuffle-even"),
        ({"name": "random-mask"}, "random-mask needs densities"),
        ({"name": "random-mask", "densities": 2.0}, "0 to 1"),
        ({"name": "random-mask", "densities": {"dense_1": -0.1}}, "densities"),
        ({"name": "random-mask", "densities": {"dense_9": 0.1}}, "dense_9"),
    ],
)
def test_options_that_do_not_fit_a_control_are_refused(options, facts, ticket):
    with pytest.raises(tt.InputError, match=facts):
        tt.control(ticket, **options)


def test_a_control_without_options_is_written_as_its_name():
    assert Control(name="shuffle-even").model_dump(mode="json") == "shuffle-even"
    values = {"name": "random-mask", "densities": {"dense_1": 0.5}}
    assert Control.model_validate(values).model_dump(mode="json") == values
