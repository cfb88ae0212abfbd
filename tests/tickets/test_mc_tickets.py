"""Samplers are fitted to tickets of which it is known how they were drawn. Needs TensorFlow."""

import json
from dataclasses import replace
from unittest.mock import ANY

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import ks_2samp

import tfticket as tt
from tfticket.backend import keras
from tfticket.errors import InputError
from tfticket.evaluation.connectivity import Connectivity, by_weight
from tfticket.pruning.mask import layer_of
from tfticket.tickets.controls import shuffle_layerwise
from tfticket.tickets.mc_tickets import (
    CONNECTIVITY_EDGES,
    WEIGHT_EDGES,
    LayerFeatures,
    closeness,
    draw_mc_ticket,
    fit_survival_model,
    histograms,
    layer_features,
    logistic,
    offset,
)
from tfticket.tickets.survival_model import Logistic, SurvivalModel, TicketLayer, subsample_images

layers = keras.layers

TRUTH = {"conv": (-3.2, 1.0, 0.9), "dense": (-3.5, 1.4, 0.6)}
"""Intercept and slopes over standardised magnitude and connectivity by which the ticket's weights survived."""
FIRST = (-2.6, 1.2, 0.0)
"""Those of its first layer."""
DISTANCES = ("ks_weights", "ks_connectivity")


@pytest.fixture(scope="module")
def rows():
    return tt.load_data("mnist", train_rows=300, validation_rows=100)


@pytest.fixture(scope="module")
def colours():
    return tt.load_data("cifar-10-small", train_rows=60, validation_rows=60)


def dense_ticket(data, seed, name="lenet-5"):
    return tt.Ticket.dense(tt.build_model(name, data), seed, data=data)


@pytest.fixture(scope="module")
def ticket(rows):
    """LeNet-5, masked layer by layer as TRUTH has it; about a fifth survives."""
    dense, random = dense_ticket(rows, 1), np.random.default_rng(7)
    inputs = Connectivity(dense.model, dense.start, rows.x_train)
    mask = dict(dense.mask)
    for path, kernel in dense.start.items():
        if path in mask:
            intercept, *slopes = FIRST if path == "conv_1/kernel" else TRUTH["dense" if kernel.ndim == 2 else "conv"]
            reached = inputs.of([path], mask, keep=True)[path]
            logits = intercept + slopes[0] * np.abs(kernel / kernel.std())
            logits += slopes[1] * by_weight(reached / np.abs(reached).mean(), kernel.shape)
            mask[path] = random.random(kernel.shape) < expit(logits)
    return replace(dense, mask=mask, level=4)


@pytest.fixture(scope="module")
def sampler(ticket, rows):
    return fit_survival_model(ticket, rows)


@pytest.fixture(scope="module")
def drawn(sampler, rows):
    """Tickets by connectivity, by magnitude, and each as printed, on one other initialisation."""
    dense = dense_ticket(rows, 2)
    return {
        (connectivity, printed): draw_mc_ticket(sampler, dense, rows, 5, connectivity=connectivity, as_printed=printed)
        for connectivity in (True, False)
        for printed in (False, True)
    }


def mixed(shape, classes):
    """A network with one layer of LeNet-5's name and kind, one of its name and not its kind, and others."""
    images = keras.Input(shape)
    x = layers.Conv2D(16, 3, strides=2, activation="relu", name="conv_2")(images)
    x = layers.Conv2D(32, 3, strides=2, activation="relu", name="dense_1")(x)
    x = layers.Conv2D(16, 3, activation="relu", name="other")(x)
    x = layers.Dense(100, activation="relu", name="hidden")(layers.Flatten()(x))
    return keras.Model(images, layers.Dense(classes, name="dense_2")(x), name="mixed")


@pytest.fixture(scope="module")
def small(rows):
    """A small network, of which large weights survive rather than small ones."""
    dense, random = tt.Ticket.dense(mixed(rows.input_shape, 10), 1, data=rows), np.random.default_rng(0)
    sizes = {path: np.abs(dense.start[path]) / dense.start[path].std() for path in dense.mask}
    return replace(dense, mask={path: random.random(each.shape) < expit(each - 2) for path, each in sizes.items()})


def unpruned(ticket):
    return replace(ticket, mask={path: np.ones_like(kept) for path, kept in ticket.mask.items()}, level=0)


def layers_of(ticket):
    return ticket.provenance["monte_carlo"]["layers"]


def assert_same(left, right):
    assert list(left.mask) == list(right.mask)
    assert all(np.array_equal(left.mask[path], right.mask[path]) for path in left.mask)


# The logistic models


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("scales", [(1.0,), (0.02,), (1.0, 1.0), (0.02, 300.0)])
def test_its_coefficients_are_those_of_statsmodels(intercept, scales):
    random = np.random.default_rng(3)
    features = np.abs(random.normal(size=(len(scales), 5000))) * np.array(scales)[:, None]
    logits = -1.5 + (features / np.array(scales)[:, None]).sum(0)
    kept = random.random(5000) < expit(logits)
    found = logistic(features, kept, intercept)
    design = sm.add_constant(features.T) if intercept else features.T
    expected = sm.GLM(kept.astype(float), design, family=sm.families.Binomial()).fit(tol=1e-14).params
    ours = [found.intercept, *found.slopes] if intercept else found.slopes
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    assert intercept or found.intercept == 0
    assert (found.weights, found.survivors) == (5000, kept.sum())
    np.testing.assert_allclose(found.logits(features), design @ expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("weights", [20, 1000])
@pytest.mark.parametrize("scale", [1.0, 0.02])
def test_a_ticket_that_a_threshold_tells_has_no_model(weights, scale):
    features = scale * np.abs(np.random.default_rng(0).normal(size=(1, weights)))
    with pytest.raises(InputError, match=r"A threshold separates, or nearly separates, .* train longer"):
        logistic(features, features[0] > np.median(features), intercept=True)


@pytest.mark.parametrize("survives", [True, False])
def test_where_all_or_none_survive_there_is_nothing_to_fit(survives):
    with pytest.raises(InputError, match="All or none of the weights"):
        logistic(np.ones((1, 20)), np.full(20, survives), intercept=True)


@pytest.mark.parametrize("constant", [0.1, 0.3, 1.0, 0.0, -7.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_constant_feature_tells_nothing_and_stands_for_an_intercept_where_there_is_none(constant, intercept):
    random = np.random.default_rng(3)
    told, same = np.abs(random.normal(size=2000)), np.full(2000, constant)
    kept = random.random(2000) < expit(told - 2)
    alone = logistic(told[None], kept, intercept or constant != 0)
    found = logistic(np.stack([told, same]), kept, intercept)
    assert found.slopes[0] == pytest.approx(alone.slopes[0], rel=1e-6)
    assert found.slopes[1] * constant + found.intercept == pytest.approx(alone.intercept, rel=1e-6)
    assert not intercept or found.slopes[1] == 0
    assert not intercept or logistic(same[None], kept, True).intercept == pytest.approx(
        np.log(kept.mean() / (~kept).mean())
    )


def test_without_any_feature_or_intercept_all_survive_alike():
    kept = np.arange(50) < 10
    found = logistic(np.zeros((2, 50)), kept, intercept=False)
    assert (found.intercept, found.slopes, found.weights, found.survivors) == (0.0, (0.0, 0.0), 50, 10)


@pytest.mark.parametrize("intercept", [True, False])
def test_proportional_features_are_refused(intercept):
    random = np.random.default_rng(3)
    told = np.abs(random.normal(size=2000))
    with pytest.raises(InputError, match=r"are proportional.* Take a ticket"):
        logistic(np.stack([told, 3 * told]), random.random(2000) < expit(told - 2), intercept)


@given(
    logits=st.one_of(
        st.lists(st.floats(-30, 30), min_size=1, max_size=50).map(np.array),
        st.integers(0, 99).map(lambda seed: 5 * np.random.default_rng(seed).normal(size=1000)),
        st.floats(-30, 30).map(lambda value: np.full(100, value)),
    ),
    density=st.floats(0.001, 0.999),
)
@example(logits=np.append(np.zeros(999_999), -1e-11), density=0.2)  # all but constant: rounding outweighs the others
@example(logits=np.append(np.zeros(99_999), 1e-11), density=0.001)
def test_the_offset_meets_the_density(logits, density):
    assert expit(logits + offset(logits, density)).mean() == pytest.approx(density, abs=1e-6)


def test_the_offset_of_an_empty_layer_leaves_nothing():
    assert not expit(np.array([-3.0, 800.0]) + offset(np.array([-3.0, 800.0]), 0.0)).any()


# Fitting


@pytest.mark.parametrize(("family", "path"), [("conv", "conv_2/kernel"), ("dense", None)])
def test_the_fit_finds_how_the_ticket_was_drawn(family, path, ticket, sampler, rows):
    fit = sampler.fits[family]["connectivity"]
    seen = layer_features(ticket, rows.x_train)
    paths = [path] if path else ["dense_1/kernel", "dense_2/kernel"]
    features = np.concatenate([seen.features(path).reshape(2, -1) for path in paths], 1)
    kept = np.concatenate([ticket.mask[path].ravel() for path in paths])
    errors = sm.Logit(kept.astype(float), sm.add_constant(features.T)).fit(disp=False).bse
    assert (fit.weights, fit.survivors) == (kept.size, kept.sum())
    assert np.all(errors < 0.5)
    assert np.all(np.abs(np.array([fit.intercept, *fit.slopes]) - TRUTH[family]) < 4 * errors)


def test_the_sampler_knows_what_it_was_fitted_to(ticket, sampler, rows):
    assert set(sampler.fits["conv"]) == {"magnitude", "magnitude as printed", "connectivity", "connectivity as printed"}
    assert (
        sampler.fits["conv"]["magnitude"].weights == ticket.mask["conv_1/kernel"].size + 25_000
    )  # the first layer too
    assert sampler.level == 4
    assert sampler.provenance == {
        "network": "lenet-5",
        "data": "mnist",
        "data_contents": rows.contents,
        "images": 300,
        "iteration": 0,
        "families": dict(zip(ticket.mask, ["conv", "conv", "dense", "dense"], strict=True)),
    }
    for path, layer in sampler.layers.items():
        magnitudes = np.abs(ticket.start[path])
        assert layer.density == ticket.mask[path].mean()
        assert layer.relative_magnitude == pytest.approx(magnitudes[ticket.mask[path]].mean() / magnitudes.mean())
        assert layer.relative_magnitude > 1.1


def test_as_printed_there_is_no_intercept_and_small_weights_would_survive(sampler, ticket):
    """The finding about the paper's formula: a fifth survives, so the slope is negative, though large ones survived."""
    for family in ("conv", "dense"):
        printed, ours = (sampler.fits[family][f"magnitude{name}"] for name in (" as printed", ""))
        assert ticket.density == pytest.approx(0.2, abs=0.05)
        assert printed.intercept == 0
        assert printed.slopes[0] < 0 < ours.slopes[0]
        assert sampler.fits[family]["connectivity as printed"].intercept == 0


def other_start(ticket, **changes):
    start = {path: array[::-1].copy() for path, array in ticket.start.items()}
    return replace(ticket, start=start, **changes)


def test_of_a_late_rewound_ticket_the_start_weights_are_modelled(small, rows):
    late = other_start(small, iteration=9)
    expected = fit_survival_model(replace(small, start=late.start, initial=late.start), rows)
    found = fit_survival_model(late, rows)
    assert found.fits == expected.fits != fit_survival_model(small, rows).fits
    assert (found.provenance["iteration"], expected.provenance["iteration"]) == (9, 0)


def test_of_a_ticket_whose_rate_was_rewound_the_initial_weights_are_modelled(small, rows):
    trained = other_start(small, iteration=9, provenance=small.provenance | {"rewind": "none"})
    found = fit_survival_model(trained, rows)
    assert found.fits == fit_survival_model(small, rows).fits
    assert found.provenance["iteration"] == 0


def test_what_cannot_be_fitted_is_refused(ticket, rows, colours):
    with pytest.raises(InputError, match="The ticket is dense"):
        fit_survival_model(dense_ticket(rows, 1), colours)  # told before the images are looked at
    with pytest.raises(InputError, match="images is 301; expected 1 to 300, the training images of mnist"):
        fit_survival_model(ticket, rows, images=301)
    with pytest.raises(InputError, match=r"^Expected images uint8"):
        fit_survival_model(ticket, colours)


def test_images_are_chosen_by_the_seed_each_once(rows):
    some = subsample_images(rows, 100, seed=0)
    np.testing.assert_array_equal(some, subsample_images(rows, 100, seed=0))
    assert not np.array_equal(some, subsample_images(rows, 100, seed=1))
    assert len(np.unique(some.reshape(100, -1), axis=0)) == 100
    np.testing.assert_array_equal(subsample_images(rows, 300, seed=0), rows.x_train)
    assert subsample_images(rows, None, seed=0) is rows.x_train


# Drawing


def bound(first, second):
    """A Kolmogorov-Smirnov distance that samples of one distribution exceed once in 10,000 times, and quantiles."""
    return 2.23 * np.sqrt(1 / first + 1 / second) + 0.004


@pytest.mark.parametrize("connectivity", [True, False])
def test_a_drawn_ticket_has_the_tickets_densities_and_weights(connectivity, drawn, ticket, rows):
    found = drawn[connectivity, False]
    assert found.level == ticket.level
    assert found.start is found.initial
    np.testing.assert_array_equal(found.start["dense_1/kernel"], dense_ticket(rows, 2).start["dense_1/kernel"])
    for path, kept in found.mask.items():
        told, wanted = layers_of(found)[layer_of(path)], ticket.mask[path].mean()
        assert (told["density"], told["ticket_density"]) == (kept.mean(), wanted)
        assert kept.mean() == pytest.approx(wanted, abs=5 * np.sqrt(wanted * (1 - wanted) / kept.size))
        assert told["ks_weights"] < bound(kept.sum(), ticket.mask[path].sum())
    assert layers_of(found)["dense_1"]["ks_weights"] < 0.03


def test_it_is_closer_than_a_shuffled_one(drawn, sampler, rows):
    found = drawn[True, False]
    shuffled = layer_features(shuffle_layerwise(found, seed=0), rows.x_train)
    assert closeness(sampler, shuffled, "dense_1/kernel")["ks_weights"] > 5 * layers_of(found)["dense_1"]["ks_weights"]


def test_by_connectivity_it_has_the_tickets_connectivity_too(drawn, ticket):
    by_both, by_magnitude = (layers_of(drawn[how, False])["dense_1"]["ks_connectivity"] for how in (True, False))
    assert by_both < 0.5 * by_magnitude


def test_one_seed_draws_the_same_bits_and_another_others(drawn, sampler, rows):
    again, other = (draw_mc_ticket(sampler, dense_ticket(rows, 2), rows, seed) for seed in (5, 6))
    assert_same(again, drawn[True, False])
    assert again.provenance == drawn[True, False].provenance
    for path, kept in other.mask.items():
        assert not np.array_equal(kept, again.mask[path])


@pytest.mark.parametrize("connectivity", [True, False])
def test_as_printed_the_density_is_what_comes_out(connectivity, drawn, sampler):
    found = drawn[connectivity, True]
    magnitudes = np.abs(found.start["conv_1/kernel"]).astype(float)
    wanted = expit(sampler.fits["conv"]["magnitude as printed"].slopes[0] * magnitudes).mean()
    kept = found.mask["conv_1/kernel"]
    assert kept.mean() == pytest.approx(wanted, abs=5 * np.sqrt(wanted * (1 - wanted) / kept.size))
    for path, kept in found.mask.items():
        assert layers_of(found)[layer_of(path)]["density"] == kept.mean()
    large, small = (np.abs(found.start["dense_1/kernel"])[kept].mean() for kept in _halves(found, "dense_1/kernel"))
    assert large < small


def _halves(ticket, path):
    return ticket.mask[path], ~ticket.mask[path]


def assert_densities(ticket, wanted):
    for path, kept in ticket.mask.items():
        density = wanted[layer_of(path)]
        assert kept.mean() == pytest.approx(density, abs=5 * np.sqrt(density * (1 - density) / kept.size)), path


def test_it_draws_for_another_network_and_other_data(sampler, ticket, colours, tmp_path):
    dense = tt.Ticket.dense(mixed(colours.input_shape, 10), 3, data=colours)
    found = draw_mc_ticket(sampler, dense, colours, 1, images=50)
    mean = {
        family: sum(ticket.mask[path].sum() for path in paths) / sum(ticket.mask[path].size for path in paths)
        for family, paths in {
            "conv": ["conv_1/kernel", "conv_2/kernel"],
            "dense": ["dense_1/kernel", "dense_2/kernel"],
        }.items()
    }
    own = {layer_of(path): kept.mean() for path, kept in ticket.mask.items()}
    wanted = {"conv_2": own["conv_2"], "dense_1": mean["conv"], "other": mean["conv"]}
    assert_densities(found, wanted | {"hidden": mean["dense"], "dense_2": own["dense_2"]})
    assert layers_of(found)["hidden"] == {"density": ANY} | dict.fromkeys(("ticket_density", *DISTANCES))
    assert found.name == "mixed"
    found.save(tmp_path / "ticket.safetensors")
    loaded = tt.Ticket.load(tmp_path / "ticket.safetensors")
    assert_same(loaded, found)
    assert loaded.provenance == found.provenance


def test_a_density_of_ones_own_is_that_of_every_layer(sampler, rows):
    found = draw_mc_ticket(sampler, dense_ticket(rows, 2), rows, 5, connectivity=False, density=0.4, images=50)
    assert_densities(found, dict.fromkeys(map(layer_of, found.mask), 0.4))
    whole = draw_mc_ticket(sampler, dense_ticket(rows, 2), rows, 5, connectivity=False, density=1, images=50)
    assert all(kept.all() for kept in whole.mask.values())


def test_masks_are_drawn_for_the_start_weights_of_a_late_rewound_network(small, rows):
    sampler, late = fit_survival_model(small, rows), other_start(unpruned(small), iteration=9)
    found, expected, other = (
        draw_mc_ticket(sampler, each, rows, 5)
        for each in (late, replace(late, initial=late.start, iteration=0), unpruned(small))
    )
    assert_same(found, expected)
    assert not np.array_equal(found.mask["conv_2/kernel"], other.mask["conv_2/kernel"])
    assert found.iteration == 9
    assert found.start is late.start


def test_a_ticket_tells_of_which_iteration_its_weights_and_its_samplers_are(small, rows):
    sampler = fit_survival_model(other_start(small, iteration=9), rows)
    found = draw_mc_ticket(sampler, unpruned(small), rows, 5, connectivity=False)
    assert (found.iteration, found.provenance["monte_carlo"]["sampler"]["iteration"]) == (0, 9)


def test_a_density_as_printed_and_a_pruned_network_are_refused(small, sampler, rows):
    with pytest.raises(InputError, match="density cannot be set with as_printed"):
        draw_mc_ticket(sampler, unpruned(small), rows, 5, as_printed=True, density=0.1)
    with pytest.raises(InputError, match=r"mixed is pruned, to [0-9.]+%; expected an unpruned network"):
        draw_mc_ticket(sampler, small, rows, 5)


@pytest.mark.parametrize("density", [0.0, 1.001, float("nan")])
def test_no_density_is_refused(density, sampler, rows):
    with pytest.raises(InputError, match="expected 0 < density <= 1"):
        draw_mc_ticket(sampler, dense_ticket(rows, 2), rows, 5, density=density)


def test_exempt_layers_stay_whole(small, rows):
    mask = small.mask | {"dense_2/kernel": np.ones_like(small.mask["dense_2/kernel"])}
    exempt = replace(small, mask=mask, provenance=small.provenance | {"exempt": ["dense_2"]})
    sampler = fit_survival_model(exempt, rows)
    assert sampler.fits["dense"]["magnitude"].weights == mask["hidden/kernel"].size
    assert sampler.density("dense_9/kernel", "dense") == mask["hidden/kernel"].mean()
    for density in (None, 0.7):
        found = draw_mc_ticket(sampler, unpruned(small), rows, 5, density=density)
        assert found.mask["dense_2/kernel"].all()
        assert found.provenance["exempt"] == ["dense_2"]
        assert found.density == pytest.approx(density or exempt.density, abs=0.02)


def test_a_layer_of_an_exempt_name_and_another_family_is_drawn(sampler, colours):
    sampler = replace(sampler, exempt=("dense_1", "dense_2"))
    dense = tt.Ticket.dense(mixed(colours.input_shape, 10), 3, data=colours)
    found = draw_mc_ticket(sampler, dense, colours, 1, connectivity=False, density=0.5, images=20)
    own = {"dense_2": sampler.layers["dense_2/kernel"].density}
    assert_densities(found, dict.fromkeys(map(layer_of, found.mask), 0.5) | own)  # dense_1 is a convolution here
    assert found.provenance["exempt"] == ["dense_2"]
    assert layers_of(found)["dense_1"]["ticket_density"] is None
    assert layers_of(found)["dense_2"]["ticket_density"] == sampler.layers["dense_2/kernel"].density
    assert (sampler.layer("dense_1/kernel", "conv"), sampler.is_exempt("dense_1/kernel", "conv")) == (None, False)


def test_an_emptied_layer_is_drawn_empty(small, rows):
    mask = small.mask | {"dense_2/kernel": np.zeros_like(small.mask["dense_2/kernel"])}
    found = draw_mc_ticket(fit_survival_model(replace(small, mask=mask), rows), unpruned(small), rows, 5)
    assert not found.mask["dense_2/kernel"].any()
    assert found.provenance["monte_carlo"]["emptied"] == ["dense_2"]
    assert layers_of(found)["dense_2"] == {"density": 0.0, "ticket_density": 0.0} | dict.fromkeys(DISTANCES)


def test_a_family_that_the_ticket_had_not_is_refused(rows):
    dense, random = dense_ticket(rows, 1, "lenet-300-100"), np.random.default_rng(0)
    pruned = replace(dense, mask={path: random.random(kept.shape) < 0.3 for path, kept in dense.mask.items()})
    sampler = fit_survival_model(pruned, rows, images=50)
    for wanted in ({}, {"density": 0.5}):
        with pytest.raises(
            InputError, match=r"cannot draw conv_1: .* no fit for conv layers.* lenet-300-100 .*Fit one"
        ):
            draw_mc_ticket(sampler, dense_ticket(rows, 2), rows, 5, **wanted)


def test_where_connectivity_alone_has_no_model_magnitude_is_offered(sampler, rows):
    by_magnitude = {name: fit for name, fit in sampler.fits["conv"].items() if "magnitude" in name}
    first_alone = replace(sampler, fits=sampler.fits | {"conv": by_magnitude})
    with pytest.raises(InputError, match=r"cannot draw conv_2: .* by connectivity\. .*, or draw by magnitude\."):
        draw_mc_ticket(first_alone, dense_ticket(rows, 2), rows, 5)
    found = draw_mc_ticket(first_alone, dense_ticket(rows, 2), rows, 5, connectivity=False, images=20)
    assert found.density == pytest.approx(0.2, abs=0.05)


def test_images_that_do_not_fit_are_refused(sampler, rows, colours):
    with pytest.raises(InputError, match="images is 301; expected 1 to 300"):
        draw_mc_ticket(sampler, dense_ticket(rows, 2), rows, 5, images=301)
    with pytest.raises(InputError, match=r"^Expected images uint8"):
        draw_mc_ticket(sampler, dense_ticket(rows, 2), colours, 5)


# Closeness and histograms


def test_distances_are_those_of_the_full_samples(sampler, ticket, drawn, rows):
    for found in (drawn[True, False], shuffle_layerwise(ticket, seed=0)):
        ours, theirs = layer_features(found, rows.x_train), layer_features(ticket, rows.x_train)
        for path in ticket.mask:
            told = closeness(sampler, ours, path)
            for number, name in enumerate(DISTANCES):
                samples = [each.features(path)[number][each.mask[path]] for each in (ours, theirs)]
                assert told[name] == pytest.approx(ks_2samp(*samples, method="asymp").statistic, abs=0.005)


def test_histograms_count_every_survivor(ticket, rows):
    for path, counts in zip(ticket.mask, histograms(layer_features(ticket, rows.x_train)).values(), strict=True):
        assert (len(counts["weights"]), len(counts["connectivity"])) == (
            len(WEIGHT_EDGES) - 1,
            len(CONNECTIVITY_EDGES) - 1,
        )
        assert sum(counts["weights"]) == sum(counts["connectivity"]) == ticket.survivors[path]


def test_histograms_are_in_standard_deviations_and_means_and_their_last_bins_take_what_lies_beyond():
    kernel = np.array([[-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0], [-70.0, 1.0]])
    reached = np.array([0.05, 0.05, 0.05, 0.05, 0.05, 10.0])
    mask = np.array([[True, True]] * 4 + [[False, False], [True, False]])
    found = histograms(LayerFeatures({"a/kernel": mask}, {"a/kernel": kernel}, {"a/kernel": reached}))["a"]
    weights, connectivity = (np.flatnonzero(found[name]).tolist() for name in ("weights", "connectivity"))
    assert (weights, [found["weights"][place] for place in weights]) == ([0, 29, 30], [1, 4, 4])
    assert (connectivity, [found["connectivity"][place] for place in connectivity]) == ([0, 39], [8, 1])


# The file


def test_a_saved_sampler_draws_the_same(sampler, drawn, rows, tmp_path):
    sampler.save(tmp_path / "sampler.json")
    loaded = SurvivalModel.load(tmp_path / "sampler.json")
    assert loaded == sampler
    again = draw_mc_ticket(loaded, dense_ticket(rows, 2), rows, 5)
    assert_same(again, drawn[True, False])
    assert again.provenance == drawn[True, False].provenance


def without(found, name):
    return {key: value for key, value in found.items() if key != name}


CHANGES = {
    "newer": (lambda found: found | {"format": 2}, "has format 2; this version reads 1"),
    "of another kind": (lambda found: found | {"kind": "run"}, "is no survival model"),
    "a list": (lambda found: [found], "is no survival model"),
    "without fits": (lambda found: found | {"fits": None}, "is an incomplete"),
    "a fit without slopes": (
        lambda found: found | {"fits": {"conv": {"magnitude": {}}}},
        "is an incomplete",
    ),
    "a layer without density": (
        lambda found: found | {"layers": {"a/kernel": {"weights": []}}},
        "is an incomplete",
    ),
    "without families": (lambda found: found | {"provenance": {}}, "is an incomplete"),
    **{
        f"without {name}": (
            lambda found, name=name: {k: v for k, v in found.items() if k != name},
            "is an incomplete",
        )
        for name in ("layers", "sizes", "level", "exempt", "provenance")
    },
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_no_sampler_is_refused(name, sampler, tmp_path):
    change, message = CHANGES[name]
    file = tmp_path / "sampler.json"
    sampler.save(file)
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    with pytest.raises(InputError, match=message):
        SurvivalModel.load(file)


def test_damaged_and_missing_files_are_refused(sampler, tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        SurvivalModel.load(tmp_path / "none.json")
    sampler.save(tmp_path / "half.json")
    (tmp_path / "half.json").write_bytes((tmp_path / "half.json").read_bytes()[:-200])
    with pytest.raises(InputError, match="not readable as JSON"):
        SurvivalModel.load(tmp_path / "half.json")
    with pytest.raises(InputError, match="There is no folder"):
        sampler.save(tmp_path / "none" / "sampler.json")


@pytest.mark.parametrize(
    ("keys", "value", "named"),
    [
        (("layers", "density"), -0.2, "density is -0.2"),
        (("layers", "density"), 2.0, "density is 2.0"),
        (("layers", "weights"), [float("nan")], "weights is nan"),
        (("layers", "weights"), ["x"], "weights is 'x'"),
        (("slopes",), ["a"], "slopes is 'a'"),
        (("slopes",), [float("nan")], "slopes is nan"),
        (("slopes",), [1e308], "slopes is 1e.308"),
        (("slopes",), [1.0, 2.0], "the number of .* is 2"),
        (("all layers",), {}, "the number of layers is 0"),
    ],
)
def test_a_sampler_with_numbers_that_no_fit_makes_is_refused_by_name(tmp_path, keys, value, named):
    layer = TicketLayer(0.2, 1.5, (1.0, 2.0), ())
    made = {"kernel": 10}
    fits = {"dense": {"magnitude": Logistic(-1.0, (2.0,), 10, 2)}}
    path = tmp_path / "sampler.json"
    whole = SurvivalModel(
        fits, {"kernel": layer}, made, 1, provenance={"network": "n", "families": {"kernel": "dense"}}
    )
    whole.save(path)
    assert SurvivalModel.load(path) == whole
    found = json.loads(path.read_text())
    if keys[0] == "layers":
        found["layers"]["kernel"][keys[1]] = value
    elif keys[0] == "slopes":
        found["fits"]["dense"]["magnitude"]["slopes"] = value
    else:
        found["layers"] = value
    path.write_text(json.dumps(found))
    with pytest.raises(InputError, match=named):
        SurvivalModel.load(path)
