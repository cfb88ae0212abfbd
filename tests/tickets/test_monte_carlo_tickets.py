"""Survival models, fitted to tickets of which it is known how they were drawn, and the tickets drawn from them."""

import json
from dataclasses import replace
from functools import partial
from unittest.mock import ANY

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import ks_2samp

import tfticket as tt
from tests.refusals import refused
from tfticket.backend import keras
from tfticket.errors import InputError
from tfticket.evaluation.connectivity import Connectivity, by_weight
from tfticket.pruning.mask import layer_of
from tfticket.tickets import monte_carlo_tickets
from tfticket.tickets.controls import shuffle_layerwise
from tfticket.tickets.monte_carlo_tickets import draw_mc_ticket, fit_survival_model, layer_features, logistic, offset
from tfticket.tickets.survival_model import Logistic, SurvivalModel, TicketLayer, subsample_images

pytestmark = pytest.mark.usefixtures("without_xla")
layers = keras.layers

TRUTH = {"conv": (-3.2, 1.0, 0.9), "dense": (-3.5, 1.4, 0.6)}
"""Intercept and slopes over standardised magnitude and connectivity by which the ticket's weights survived."""
FIRST = (-2.6, 1.2, 0.0)
"""Those of its first layer."""
DISTANCES = ("ks_weights", "ks_connectivity")


@pytest.fixture(scope="module")
def rows(data):
    """The middle of MNIST's images."""
    parts = {"x_train": data.x_train[:350, 4:24, 4:24], "y_train": data.y_train[:350]}
    parts |= {"x_test": data.x_test[:50, 4:24, 4:24], "y_test": data.y_test[:50]}
    return tt.load_data("digits", **parts, train_rows=300, validation_rows=50)


@pytest.fixture(scope="module")
def colours():
    return tt.load_data("cifar-10-small", train_rows=60, validation_rows=60)


def dense_ticket(data, seed, name="lenet-5"):
    return tt.Ticket.dense(tt.build_model(name, data), seed, data=data)


@pytest.fixture(scope="module")
def ticket(rows):
    """LeNet-5, masked layer by layer as TRUTH has it; about a fifth survives."""
    dense, random = dense_ticket(rows, 1), np.random.default_rng(7)
    inputs, mask = Connectivity(dense.model, dense.start, rows.x_train), dict(dense.mask)
    for path in dense.mask:
        kernel = dense.start[path]
        intercept, *slopes = FIRST if path == "conv_1/kernel" else TRUTH["dense" if kernel.ndim == 2 else "conv"]
        reached = inputs.of([path], mask, keep=True)[path]
        logits = intercept + slopes[0] * np.abs(kernel / kernel.std())
        logits += slopes[1] * by_weight(reached / np.abs(reached).mean(), kernel.shape)
        mask[path] = random.random(kernel.shape) < expit(logits)
    return replace(dense, mask=mask, level=4)


@pytest.fixture(scope="module")
def model(ticket, rows):
    return fit_survival_model(ticket, rows)


@pytest.fixture(scope="module")
def drawn(model, rows):
    """Tickets by (connectivity, as printed), on one other initialisation."""
    dense, cases = dense_ticket(rows, 2), [(True, False), (True, True), (False, False), (False, True)]
    return {
        (connectivity, printed): draw_mc_ticket(model, dense, rows, 5, connectivity=connectivity, as_printed=printed)
        for connectivity, printed in cases
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


def assert_same_masks(ours, theirs):
    assert list(ours.mask) == list(theirs.mask)
    assert all(np.array_equal(ours.mask[path], theirs.mask[path]) for path in ours.mask)


def assert_densities(ticket, expected):
    """Layers have these densities but for chance, at five standard errors."""
    for path, kept in ticket.mask.items():
        density = expected[layer_of(path)]
        assert kept.mean() == pytest.approx(density, abs=5 * np.sqrt(density * (1 - density) / kept.size)), path


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("scales", [(1.0,), (0.02, 300.0)])
def test_coefficients_are_those_of_statsmodels(intercept, scales):
    random, scales = np.random.default_rng(3), np.array(scales)[:, None]
    features = np.abs(random.normal(size=(len(scales), 5000))) * scales
    kept = random.random(5000) < expit(-1.5 + (features / scales).sum(0))
    fit = logistic(features, kept, intercept)
    design = sm.add_constant(features.T) if intercept else features.T
    expected = sm.GLM(kept.astype(float), design, family=sm.families.Binomial()).fit(tol=1e-14).params
    np.testing.assert_allclose([fit.intercept, *fit.slopes] if intercept else fit.slopes, expected, rtol=1e-5)
    assert intercept or fit.intercept == 0
    assert (fit.weights, fit.survivors) == (5000, kept.sum())
    np.testing.assert_allclose(fit.logits(features), design @ expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("constant", [0.1, 1.0, 0.0, -7.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_constant_feature_has_no_slope_and_serves_as_intercept_where_there_is_none(constant, intercept):
    random = np.random.default_rng(3)
    feature, same = np.abs(random.normal(size=2000)), np.full(2000, constant)
    kept = random.random(2000) < expit(feature - 2)
    alone = logistic(feature[None], kept, intercept or constant != 0)
    both = logistic(np.stack([feature, same]), kept, intercept)
    assert both.slopes[0] == pytest.approx(alone.slopes[0], rel=1e-6)
    assert both.slopes[1] * constant + both.intercept == pytest.approx(alone.intercept, rel=1e-6)
    if intercept:
        log_odds = np.log(kept.mean() / (~kept).mean())
        assert (both.slopes[1], logistic(same[None], kept, True).intercept) == (0, pytest.approx(log_odds))
    zero = logistic(np.zeros((2, 50)), np.arange(50) < 10, intercept=False)
    assert (zero.intercept, zero.slopes, zero.weights, zero.survivors) == (0.0, (0.0, 0.0), 50, 10)


def test_survivors_that_no_logistic_model_fits_are_refused():
    random = np.random.default_rng(3)
    for weights, scale in ((20, 1.0), (1000, 0.02)):
        features = scale * np.abs(random.normal(size=(1, weights)))
        with pytest.raises(InputError, match="threshold separates"):
            logistic(features, features[0] > np.median(features), intercept=True)
    for survives in (True, False):
        with pytest.raises(InputError, match="All or none"):
            logistic(np.ones((1, 20)), np.full(20, survives), intercept=True)
    feature = np.abs(random.normal(size=2000))
    for intercept in (True, False):
        with pytest.raises(InputError, match="proportional"):
            logistic(np.stack([feature, 3 * feature]), random.random(2000) < expit(feature - 2), intercept)


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=50).map(np.array), st.floats(0.001, 0.999))
@example(logits=np.append(np.zeros(999_999), -1e-11), density=0.2)  # all but constant: rounding outweighs the others
@example(logits=np.append(np.zeros(99_999), 1e-11), density=0.001)
def test_the_offset_meets_the_density(logits, density):
    assert expit(logits + offset(logits, density)).mean() == pytest.approx(density, abs=1e-6)
    assert not expit(logits + offset(logits, 0.0)).any()


@pytest.mark.parametrize(("family", "paths"), [("conv", ["conv_2"]), ("dense", ["dense_1", "dense_2"])])
def test_the_fit_recovers_how_the_ticket_was_drawn(family, paths, ticket, model, rows):
    features, paths = layer_features(ticket, rows.x_train), [f"{layer}/kernel" for layer in paths]
    design = sm.add_constant(np.concatenate([features.features(path).reshape(2, -1) for path in paths], 1).T)
    kept = np.concatenate([ticket.mask[path].ravel() for path in paths])
    errors = sm.Logit(kept.astype(float), design).fit(disp=False).bse
    fit = model.fits[family]["connectivity"]
    assert (fit.weights, fit.survivors) == (kept.size, kept.sum())
    assert np.all(errors < 0.5)
    assert np.all(np.abs(np.array([fit.intercept, *fit.slopes]) - TRUTH[family]) < 4 * errors)


def test_a_model_has_the_statistics_of_its_ticket_and_as_printed_no_intercept(ticket, model, rows):
    assert set(model.fits["conv"]) == {"magnitude", "magnitude as printed", "connectivity", "connectivity as printed"}
    first, second = (ticket.mask[f"conv_{number}/kernel"].size for number in (1, 2))
    assert model.fits["conv"]["magnitude"].weights == first + second  # the first layer too
    assert model.level == 4
    assert model.provenance == {
        **{"network": "lenet-5", "data": "digits", "data_contents": rows.contents, "images": 300, "iteration": 0},
        "families": dict(zip(ticket.mask, ["conv", "conv", "dense", "dense"], strict=True)),
    }
    for path, layer in model.layers.items():
        magnitudes = np.abs(ticket.start[path])
        assert layer.density == ticket.mask[path].mean()
        assert layer.relative_magnitude == pytest.approx(magnitudes[ticket.mask[path]].mean() / magnitudes.mean())
        assert layer.relative_magnitude > 1.1
    # The finding about the paper's formula: a fifth survives, so the slope is negative, though large weights survived.
    assert ticket.density == pytest.approx(0.2, abs=0.05)
    for fits in model.fits.values():
        assert fits["magnitude as printed"].slopes[0] < 0 < fits["magnitude"].slopes[0]
        assert fits["magnitude as printed"].intercept == fits["connectivity as printed"].intercept == 0


def other_start(ticket, **changes):
    return replace(ticket, start={path: array[::-1].copy() for path, array in ticket.start.items()}, **changes)


def test_of_rewound_tickets_the_start_weights_are_modelled_unless_trained(small, rows):
    fit = partial(fit_survival_model, data=rows, images=20)
    late, plain = other_start(small, iteration=9), fit(small)
    expected = fit(replace(small, start=late.start, initial=late.start))
    fitted = fit(late)
    assert fitted.fits == expected.fits != plain.fits
    assert (fitted.provenance["iteration"], expected.provenance["iteration"]) == (9, 0)
    trained = fit(other_start(small, iteration=9, provenance={"rewind": "none"}))
    assert (trained.fits, trained.provenance["iteration"]) == (plain.fits, 0)
    late = other_start(unpruned(small), iteration=9)
    ours, same, other = (
        draw_mc_ticket(fitted, dense, rows, 5, connectivity=False, images=20)
        for dense in (late, replace(late, initial=late.start, iteration=0), unpruned(small))
    )
    assert_same_masks(ours, same)
    assert not np.array_equal(ours.mask["conv_2/kernel"], other.mask["conv_2/kernel"])
    assert (ours.start is late.start, ours.iteration, other.iteration) == (True, 9, 0)
    assert other.provenance["monte_carlo"]["sampler"]["iteration"] == 9


def test_images_are_sampled_by_the_seed_each_once(rows):
    some, same, others = (subsample_images(rows, 100, seed) for seed in (0, 0, 1))
    assert (np.array_equal(some, same), np.array_equal(some, others)) == (True, False)
    assert len(np.unique(some.reshape(100, -1), axis=0)) == 100
    np.testing.assert_array_equal(subsample_images(rows, 300, seed=0), rows.x_train)


@pytest.mark.parametrize("connectivity", [True, False])
def test_a_drawn_ticket_has_the_tickets_densities_and_weights(connectivity, drawn, ticket, rows):
    ours = drawn[connectivity, False]
    assert (ours.level, ours.start is ours.initial) == (ticket.level, True)
    np.testing.assert_array_equal(ours.start["dense_1/kernel"], dense_ticket(rows, 2).start["dense_1/kernel"])
    assert_densities(ours, {layer_of(path): kept.mean() for path, kept in ticket.mask.items()})
    for path, kept in ours.mask.items():
        layer, theirs = layers_of(ours)[layer_of(path)], ticket.mask[path]
        assert (layer["density"], layer["ticket_density"]) == (kept.mean(), theirs.mean())
        # Samples of one distribution exceed this once in 10,000 times; 0.004 is of the quantiles.
        assert layer["ks_weights"] < 2.23 * np.sqrt(1 / kept.sum() + 1 / theirs.sum()) + 0.004


def test_one_seed_draws_the_same_bits_also_from_a_saved_model_and_another_others(drawn, model, rows, tmp_path):
    model.save(tmp_path / "model.json")
    loaded = SurvivalModel.load(tmp_path / "model.json")
    assert loaded == model
    again, other = (draw_mc_ticket(loaded, dense_ticket(rows, 2), rows, seed) for seed in (5, 6))
    assert_same_masks(again, drawn[True, False])
    assert again.provenance == drawn[True, False].provenance
    assert not any(np.array_equal(kept, again.mask[path]) for path, kept in other.mask.items())


@pytest.mark.parametrize("connectivity", [True, False])
def test_as_printed_the_density_follows_from_the_formula(connectivity, drawn, model):
    ours = drawn[connectivity, True]
    magnitudes, kept = np.abs(ours.start["conv_1/kernel"]).astype(float), ours.mask["conv_1/kernel"]
    density = expit(model.fits["conv"]["magnitude as printed"].slopes[0] * magnitudes).mean()
    assert kept.mean() == pytest.approx(density, abs=5 * np.sqrt(density * (1 - density) / kept.size))
    assert all(layers_of(ours)[layer_of(path)]["density"] == kept.mean() for path, kept in ours.mask.items())
    magnitudes, kept = np.abs(ours.start["dense_1/kernel"]), ours.mask["dense_1/kernel"]
    assert magnitudes[kept].mean() < magnitudes[~kept].mean()


def test_a_ticket_of_another_network_has_the_densities_of_its_layers_or_families(model, ticket, colours, tmp_path):
    dense = tt.Ticket.dense(mixed(colours.input_shape, 10), 3, data=colours)
    ours = draw_mc_ticket(model, dense, colours, 1, images=50)
    own = {layer_of(path): kept.mean() for path, kept in ticket.mask.items()}
    conv, flat = (
        np.concatenate([ticket.mask[f"{family}_{number}/kernel"].ravel() for number in (1, 2)]).mean()
        for family in ("conv", "dense")
    )
    densities = {"conv_2": own["conv_2"], "dense_1": conv, "other": conv, "hidden": flat, "dense_2": own["dense_2"]}
    assert_densities(ours, densities)
    assert layers_of(ours)["hidden"] == {"density": ANY} | dict.fromkeys(("ticket_density", *DISTANCES))
    ours.save(tmp_path / "ticket.safetensors")
    loaded = tt.Ticket.load(tmp_path / "ticket.safetensors")
    assert_same_masks(loaded, ours)
    assert loaded.provenance == ours.provenance
    exempt = replace(model, exempt=("dense_1", "dense_2"))  # dense_1 is a convolution here
    ours = draw_mc_ticket(exempt, dense, colours, 1, connectivity=False, density=0.5, images=20)
    assert_densities(ours, dict.fromkeys(densities, 0.5) | {"dense_2": own["dense_2"]})
    assert ours.provenance["exempt"] == ["dense_2"]
    assert layers_of(ours)["dense_1"]["ticket_density"] is None
    assert layers_of(ours)["dense_2"]["ticket_density"] == own["dense_2"]
    assert draw_mc_ticket(model, dense, colours, 1, connectivity=False, density=1, images=20).density == 1


def test_exempt_layers_stay_whole_and_empty_ones_empty(small, rows):
    whole, empty = (small.mask | {"dense_2/kernel": np.full((100, 10), kept)} for kept in (True, False))
    exempt = replace(small, mask=whole, provenance=small.provenance | {"exempt": ["dense_2"]})
    model = fit_survival_model(exempt, rows, images=20)
    assert model.fits["dense"]["magnitude"].weights == whole["hidden/kernel"].size
    assert model.density("dense_9/kernel", "dense") == whole["hidden/kernel"].mean()
    for density in (None, 0.7):
        ours = draw_mc_ticket(model, unpruned(small), rows, 5, density=density, images=20)
        assert ours.mask["dense_2/kernel"].all()
        assert ours.provenance["exempt"] == ["dense_2"]
        assert ours.density == pytest.approx(density or exempt.density, abs=0.02)
    model = fit_survival_model(replace(small, mask=empty), rows, images=20)
    ours = draw_mc_ticket(model, unpruned(small), rows, 5, images=20)
    assert not ours.mask["dense_2/kernel"].any()
    assert ours.provenance["monte_carlo"]["emptied"] == ["dense_2"]
    assert layers_of(ours)["dense_2"] == {"density": 0.0, "ticket_density": 0.0} | dict.fromkeys(DISTANCES)


def test_arguments_from_which_nothing_can_be_fitted_or_drawn_are_refused(ticket, small, model, rows, colours):
    dense = dense_ticket(rows, 2)
    with refused("ticket", None):
        fit_survival_model(dense, colours)  # before the images are looked at
    for use in (lambda **options: fit_survival_model(ticket, rows, **options),
                lambda **options: draw_mc_ticket(model, dense, rows, 5, **options)):  # fmt: skip
        for images in (0, 301):
            with refused("images", None, f"{images}", "300"):
                use(images=images)
    for use in (lambda: fit_survival_model(ticket, colours), lambda: draw_mc_ticket(model, dense, colours, 5)):
        with pytest.raises(InputError, match="Expected images uint8"):
            use()
    for density in (0.0, 1.001, float("nan")):
        with refused("density", None, str(density)):
            draw_mc_ticket(model, dense, rows, 5, density=density)
    with refused("density", None, "as_printed"):
        draw_mc_ticket(model, dense, rows, 5, as_printed=True, density=0.1)
    with refused("dense", None, "mixed"):
        draw_mc_ticket(model, small, rows, 5)


def test_a_family_without_a_model_is_refused_and_magnitude_is_offered(model, rows):
    dense, random = dense_ticket(rows, 1, "lenet-300-100"), np.random.default_rng(0)
    pruned = replace(dense, mask={path: random.random(kept.shape) < 0.3 for path, kept in dense.mask.items()})
    flat = fit_survival_model(pruned, rows, images=50)
    for options in ({}, {"density": 0.5}):
        with refused(None, None, "conv_1", "conv layers", "lenet-300-100"):
            draw_mc_ticket(flat, dense_ticket(rows, 2), rows, 5, **options)
    by_magnitude = {name: fit for name, fit in model.fits["conv"].items() if "magnitude" in name}
    first_alone = replace(model, fits=model.fits | {"conv": by_magnitude})
    with refused(None, None, "conv_2", "by connectivity", "draw by magnitude"):
        draw_mc_ticket(first_alone, dense_ticket(rows, 2), rows, 5)
    ours = draw_mc_ticket(first_alone, dense_ticket(rows, 2), rows, 5, connectivity=False, images=20)
    assert ours.density == pytest.approx(0.2, abs=0.05)


def test_distances_are_those_of_the_full_samples_and_histograms_count_every_survivor(model, ticket, drawn, rows):
    by_both, by_magnitude = (layers_of(drawn[how, False])["dense_1"] for how in (True, False))
    assert by_both["ks_connectivity"] < 0.5 * by_magnitude["ks_connectivity"]
    theirs = layer_features(ticket, rows.x_train)
    for each in (drawn[True, False], shuffle_layerwise(ticket, seed=0)):
        ours = layer_features(each, rows.x_train)
        for path in ticket.mask:
            distances = monte_carlo_tickets.closeness(model, ours, path)
            for number, name in enumerate(DISTANCES):
                samples = [features.features(path)[number][features.mask[path]] for features in (ours, theirs)]
                assert distances[name] == pytest.approx(ks_2samp(*samples, method="asymp").statistic, abs=0.005)
    for path, counts in zip(ticket.mask, monte_carlo_tickets.histograms(theirs).values(), strict=True):
        assert sum(counts["weights"]) == sum(counts["connectivity"]) == ticket.survivors[path]


def test_histograms_are_in_standard_deviations_and_means_and_the_outer_bins_are_open():
    kernel = np.array([*[[-1.0, 1.0]] * 5, [-70.0, 1.0]])
    reached = np.array([0.05, 0.05, 0.05, 0.05, 0.05, 10.0])
    mask = np.array([[True, True]] * 4 + [[False, False], [True, False]])
    counts = monte_carlo_tickets.histograms(
        monte_carlo_tickets.LayerFeatures({"a/kernel": mask}, {"a/kernel": kernel}, {"a/kernel": reached})
    )["a"]
    filled = {name: [(at, count) for at, count in enumerate(values) if count] for name, values in counts.items()}
    assert filled == {"weights": [(0, 1), (29, 4), (30, 4)], "connectivity": [(0, 8), (39, 1)]}
    assert [len(counts[name]) for name in ("weights", "connectivity")] == [60, 40]


# The file

FIT = ("fits", "dense", "magnitude", "slopes")
LAYER = ("layers", "kernel")
# fmt: off
ALTERED = [
    # keys, a value that no fit writes ('missing': none), the field that is named
    (("format",), 2, None), (("kind",), "run", None), (("fits",), None, None), (("provenance",), {}, None),
    (("fits",), {"conv": {"magnitude": {}}}, None), (LAYER, {"weights": []}, None),
    (("layers",), "missing", None), (("sizes",), "missing", None), (("exempt",), "missing", None),
    ((*LAYER, "density"), -0.2, "layers.kernel.density"), ((*LAYER, "density"), 2.0, "layers.kernel.density"),
    ((*LAYER, "density"), True, "layers.kernel.density"), ((*LAYER, "weights"), ["x"], "layers.kernel.weights"),
    (FIT, [float("nan")], "fits.dense.magnitude.slopes"), (FIT, [1e308], "fits.dense.magnitude.slopes"),
    (FIT, [1.0, 2.0], "the number of fits.dense.magnitude.slopes"), (("layers",), {}, "the number of layers"),
    (("sizes", "kernel"), 0, "sizes.kernel"), (("level",), -1, "level"),
]
# fmt: on


@pytest.mark.parametrize(("keys", "value", "field"), ALTERED)
def test_a_model_that_no_fit_writes_is_refused_by_field(tmp_path, keys, value, field):
    fits = {"dense": {"magnitude": Logistic(-1.0, (2.0,), 10, 2)}}
    provenance = {"network": "n", "families": {"kernel": "dense"}}
    layers = {"kernel": TicketLayer(0.2, 1.5, (1.0, 2.0), ())}
    model, path = SurvivalModel(fits, layers, {"kernel": 10}, 1, provenance=provenance), tmp_path / "model.json"
    model.save(path)
    assert SurvivalModel.load(path) == model
    part = record = json.loads(path.read_text())
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    if value == "missing":
        del part[keys[-1]]
    path.write_text(json.dumps(record))
    with refused(field, None, "model.json"):
        SurvivalModel.load(path)


def test_damaged_and_missing_files_are_refused(model, tmp_path):
    for name, text in (("half.json", '{"kind": "sampler"'), ("list.json", "[1]"), ("ticket.safetensors", "")):
        (tmp_path / name).write_text(text)
        with refused(None, None, name):
            SurvivalModel.load(tmp_path / name)
    with refused(None, None, "none.json"):
        SurvivalModel.load(tmp_path / "none.json")
    with refused(None, None, "no folder"):
        model.save(tmp_path / "none" / "model.json")
