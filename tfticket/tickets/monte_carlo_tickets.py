"""Monte Carlo winning tickets: sparse networks drawn from a model of a genuine ticket, without pruning.

Logistic regression models a weight's survival in the ticket by its magnitude and its connectivity: the mean input that
reaches the weight in the untrained network under the masks of the layers before (for data of floats, the mean absolute
input). Dense layers share one model, convolutions another. A new network is then drawn layer by layer from the input
on, its first layer by magnitude alone.

The fit takes survivors and pruned weights: the paper mentions survivors alone, which do not determine a probability of
survival. As printed, the model has no intercept: to keep a fifth of the weights, all probabilities must be below one
half, so the slope is negative and small weights survive. By default, therefore, there is an intercept; magnitudes are
divided by their layer's standard deviation, connectivities by their layer's mean; and an offset makes the expected
density of a drawn layer the ticket's. ``as_printed`` has none of these.

References:
    "Monte Carlo winning tickets", section 2, equations 1 to 4.
"""

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import LinAlgWarning
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import ks_2samp

from tfticket import seeds
from tfticket.data import Dataset
from tfticket.errors import InputError
from tfticket.evaluation.connectivity import Connectivity, by_weight
from tfticket.pruning.mask import collapsed_layers, layer_of
from tfticket.tickets.controls import stream_names
from tfticket.tickets.survival_model import Logistic, SurvivalModel, TicketLayer, check_density, subsample_images
from tfticket.tickets.ticket import Ticket, check_class_names, check_ticket
from tfticket.types import Mask, Weights

QUANTILES = 501
"""Number of quantiles stored of a distribution: Kolmogorov-Smirnov distances to it are accurate to 0.002."""

WEIGHT_EDGES = np.linspace(-3.0, 3.0, 61)
"""Of histograms of initial weights, in standard deviations of their layer; the outer bins are open."""
CONNECTIVITY_EDGES = np.linspace(0.0, 4.0, 41)
"""Of histograms of connectivity, in means of their layer; the outer bins are open."""


@dataclass(frozen=True)
class LayerFeatures:
    """A ticket's mask, weights and connectivity, from which features are computed.

    Attributes:
        mask: Kernel path -> boolean array.
        weights: Kernel path -> the start or initial kernel.
        connectivity: Kernel path -> mean of each input channel [channels].
    """

    mask: Mask
    weights: Weights
    connectivity: dict[str, np.ndarray]

    def features(self, path: str) -> np.ndarray:
        """Return magnitude and connectivity of each weight, standardised, float64 [2, *kernel]."""
        kernel, channels = self.weights[path], self.connectivity[path]
        return np.stack([scaled_magnitudes(kernel), by_weight(scaled_connectivity(channels), kernel.shape)])

    def raw(self, path: str) -> np.ndarray:
        """Return magnitude and connectivity of each weight, not standardised, float64 [2, *kernel]."""
        kernel = self.weights[path]
        return np.stack([np.abs(kernel).astype(np.float64), by_weight(self.connectivity[path], kernel.shape)])


def fit_survival_model(
    ticket: Ticket,
    data: Dataset,
    images: int | None = None,
    seed: int = 0,
    features: LayerFeatures | None = None,
    **hooks: Any,
) -> SurvivalModel:
    """Fit logistic models of survival to a genuine ticket.

    Args:
        ticket: Found by pruning. The fit uses its start weights: those at initialisation or, if it was rewound later,
            of that moment; after learning-rate rewinding, the initial ones.
        data: Connectivity is averaged over its training rows.
        images: Number of training rows to average over; None: all.
        seed: Of their choice.
        features: Result of ``layer_features``, if already computed.
        hooks: ``on_progress`` and ``should_stop`` of ``Connectivity``.

    Raises:
        InputError: Nothing was pruned; data of other shapes.
    """
    check_ticket(ticket, "fit_survival_model")
    check_class_names(ticket, data)
    pruned = [path for path, kept in ticket.mask.items() if not kept.all()]
    if not pruned:
        raise InputError(
            "The ticket is dense; expected a pruned one, from which survival is learnt. See find_tickets.",
            field="ticket",
        )
    features = features or layer_features(ticket, subsample_images(data, images, seed), **hooks)
    first = next(iter(ticket.mask))
    fits: dict[str, dict[str, Logistic]] = {}
    for family in ("dense", "conv"):
        paths = [path for path in pruned if layer_family(features.weights[path]) == family]
        for statistic, count, fitted in (
            ("magnitude", 1, paths),
            ("connectivity", 2, [path for path in paths if path != first]),
        ):
            if fitted:
                kept = np.concatenate([ticket.mask[path].ravel() for path in fitted])
                models = fits.setdefault(family, {})
                for name, values in ((statistic, features.features), (f"{statistic} as printed", features.raw)):
                    layers = [values(path)[:count].reshape(count, -1) for path in fitted]
                    models[name] = logistic(np.concatenate(layers, 1), kept, intercept=name == statistic)
    exempt = tuple(ticket.provenance.get("exempt", ()))
    provenance = {
        "network": ticket.name,
        "data": data.name,
        "data_contents": data.contents,
        "images": len(data.x_train) if images is None else images,
        "iteration": 0 if ticket.unmasked_start is ticket.initial else ticket.iteration,
        "families": {path: layer_family(array) for path, array in features.weights.items()},
    }
    statistics = {path: layer_statistics(features, path) for path in ticket.mask}
    sizes = {path: kept.size for path, kept in ticket.mask.items()}
    return SurvivalModel(fits, statistics, sizes, ticket.level, exempt, provenance)


def draw_mc_ticket(
    model: SurvivalModel,
    dense: Ticket,
    data: Dataset,
    seed: int,
    *,
    connectivity: bool = True,
    as_printed: bool = False,
    density: float | None = None,
    images: int | None = None,
    **hooks: Any,
) -> Ticket:
    """Draw a sparse network, layer by layer from the input on.

    Args:
        model: Fitted to a ticket of this or another network.
        dense: The unpruned network to be masked, with its start weights.
        data: Connectivity is averaged over its training rows.
        seed: Of the draws, and of the choice of rows.
        connectivity: Draw by magnitude and connectivity (equation 4), else by magnitude alone (equation 1).
        as_printed: Use no intercept, no standardisation and no offset; the resulting density is random.
        density: Of every layer that is drawn, not with ``as_printed``; None: each layer's in the ticket or, for a
            layer that the ticket has not, the ticket's mean over layers of its family, dense or convolutional.
        images: Number of training rows to average over; None: all.
        hooks: ``on_progress`` and ``should_stop`` of ``Connectivity``.

    Returns:
        The ticket; 'monte_carlo' in its provenance holds the distance of each layer to the genuine ticket's. The
        ticket's iteration is that of ``dense``; the iteration of the weights to which the model was fitted stands
        under 'sampler' in the provenance and may differ.

    Raises:
        InputError: A density outside (0, 1], or one with ``as_printed``; a pruned network; a layer whose family the
            model does not cover; data of other shapes.
    """
    check_ticket(dense, "draw_mc_ticket")
    check_class_names(dense, data)
    check_density(density, as_printed)
    if not all(kept.all() for kept in dense.mask.values()):
        raise InputError(
            f"{dense.name} is pruned, to {dense.density:.1%}; expected an unpruned network: Ticket.dense(model).",
            field="dense",
        )
    weights, names = dense.unmasked_start, stream_names(dense)
    families = {path: layer_family(weights[path]) for path in dense.mask}
    densities = {
        path: model.density(path, family) if density is None or model.is_exempt(path, family) else density
        for path, family in families.items()
    }
    suffix = " as printed" if as_printed else ""
    fits = {  # all are looked up before the first pass over the images
        path: model.fit(
            layer_of(path), families[path], f"{'connectivity' if connectivity and number else 'magnitude'}{suffix}"
        )
        for number, path in enumerate(dense.mask)
        if densities[path] < 1
    }
    inputs = Connectivity(dense.model, weights, subsample_images(data, images, seed), **hooks)
    mask: Mask = dict(dense.mask)
    channels: dict[str, np.ndarray] = {}
    for path in dense.mask:
        if connectivity:
            channels |= inputs.of([path], mask, keep=True)
        if path in fits:
            features = LayerFeatures(
                mask, weights, channels if connectivity else {path: np.ones(weights[path].shape[-2])}
            )
            values = (features.raw if as_printed else features.features)(path)[: len(fits[path].slopes)]
            logits = fits[path].logits(values)
            probability = expit(logits if as_printed else logits + offset(logits, densities[path]))
            mask[path] = seeds.generator(seed, "monte carlo", names[path]).random(probability.shape) < probability
    if not connectivity:
        channels = inputs.of(list(mask), mask)
    drawn = LayerFeatures(mask, weights, channels)
    record: dict[str, Any] = {
        "seed": seed,
        "connectivity": connectivity,
        "as_printed": as_printed,
        "sampler": model.provenance,
        "layers": {layer_of(path): closeness(model, drawn, path) for path in mask},
        "histograms": histograms(drawn),
    }
    if collapsed := collapsed_layers(dense.mask, mask):
        record["emptied"] = collapsed
    whole = {layer_of(path) for path, family in families.items() if model.is_exempt(path, family)}
    exempt = [name for name in model.exempt if name in whole]
    provenance = dense.provenance | {"monte_carlo": record} | ({"exempt": exempt} if exempt else {})
    return replace(dense, mask=mask, level=model.level, provenance=provenance)


def layer_features(ticket: Ticket, images: np.ndarray, **hooks: Any) -> LayerFeatures:
    """Return the features of a ticket's layers, in one pass over the images."""
    weights = ticket.unmasked_start
    inputs = Connectivity(ticket.model, weights, images, **hooks).of(list(ticket.mask), ticket.mask)
    return LayerFeatures(ticket.mask, {path: weights[path] for path in ticket.mask}, inputs)


def layer_family(kernel: np.ndarray) -> str:
    """Return 'dense' or 'conv'."""
    return "dense" if kernel.ndim == 2 else "conv"


def scaled_magnitudes(kernel: np.ndarray) -> np.ndarray:
    """Return absolute weights in standard deviations of their layer, float64; 0 if all weights are equal."""
    stddev = float(kernel.std(dtype=np.float64))
    scaled: np.ndarray = np.abs(kernel).astype(np.float64) / (stddev or math.inf)
    return scaled


def scaled_connectivity(channels: np.ndarray) -> np.ndarray:
    """Return mean inputs divided by the layer's mean absolute input, which scales inputs of both signs."""
    scaled: np.ndarray = channels / (float(np.abs(channels).mean()) or math.inf)
    return scaled


def logistic(features: np.ndarray, kept: np.ndarray, intercept: bool) -> Logistic:
    """Fit a logistic regression without a penalty.

    A constant feature carries no information and has slope 0; without an intercept, the first one serves as intercept.

    Args:
        features: float64 [features, weights].
        kept: Survivors, boolean [weights].
        intercept: Fit an intercept, or set it to 0.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression  # a second to import

    count = int(np.count_nonzero(kept))
    if count in (0, kept.size):
        raise InputError(
            "All or none of the weights to be modelled survive; expected some of each. Take a ticket of another level."
        )
    separable = InputError(
        "A threshold separates, or nearly separates, the ticket's survivors from its pruned weights, so that no "
        "logistic model fits: was its mask chosen by its initial weights? Take a ticket that was found by training; "
        "train longer between prunings."
    )
    size, spread = np.maximum(features.max(1), -features.min(1)), features.std(1)
    used = varies = spread > 1e-9 * size  # rounding gives constants a spread, too
    if not intercept and (constant := np.flatnonzero(~varies & (size > 0))).size:
        used = varies | (np.arange(len(features)) == constant[0])
    slopes = np.zeros(len(features))
    if not used.any():
        log_odds = math.log(count / (kept.size - count)) if intercept else 0.0
        return Logistic(log_odds, tuple(slopes.tolist()), kept.size, count)
    scale = np.where(varies, spread, size)[used]  # conditions the solver
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", fit_intercept=intercept, tol=1e-8, max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("error", LinAlgWarning)
        try:
            model.fit(((features if used.all() else features[used]) / scale[:, None]).T, kept)
        except (ConvergenceWarning, np.linalg.LinAlgError):
            raise separable from None
        except LinAlgWarning:
            raise InputError(
                "Magnitude and connectivity of the weights to be modelled are proportional, so that their effects "
                "cannot be separated. Take a ticket of another initialisation, or other data."
            ) from None
    slopes[used] = model.coef_[0] / scale
    fit = Logistic(float(model.intercept_[0]) if intercept else 0.0, tuple(slopes.tolist()), kept.size, count)
    if np.array_equal(fit.logits(features) > 0, kept):  # with few weights the solver converges all the same
        raise separable
    return fit


def offset(logits: np.ndarray, density: float) -> float:
    """Return the number to add to logits so that their mean probability is a density in [0, 1)."""
    if density == 0:
        return -math.inf
    target = math.log(density / (1 - density))
    low, high = target - float(logits.max()) - 1e-6, target - float(logits.min()) + 1e-6  # margins against rounding
    return float(brentq(lambda shift: float(expit(logits + shift).mean()) - density, low, high, xtol=1e-9))


def layer_statistics(features: LayerFeatures, path: str) -> TicketLayer:
    """Return the statistics of a layer's survivors."""
    kept = features.mask[path]
    values = features.features(path)[:, kept]
    levels, all_weights = np.linspace(0, 1, QUANTILES), float(scaled_magnitudes(features.weights[path]).mean())
    relative = float(values[0].mean()) / all_weights if kept.any() and all_weights else None
    magnitudes, connectivity = (
        np.quantile(sample, levels, method="inverted_cdf") if kept.any() else np.zeros(0) for sample in values
    )
    return TicketLayer(float(kept.mean()), relative, tuple(magnitudes.tolist()), tuple(connectivity.tolist()))


def closeness(model: SurvivalModel, drawn: LayerFeatures, path: str) -> dict[str, float | None]:
    """Compare a drawn layer with the ticket's: densities, and Kolmogorov-Smirnov distances over survivors.

    Returns:
        'density', 'ticket_density', 'ks_weights', 'ks_connectivity'; None if the ticket has no such layer, or one of
        the two has no survivor.
    """
    kept, layer = drawn.mask[path], model.layer(path, layer_family(drawn.weights[path]))
    weights_distance = connectivity_distance = None
    if layer is not None and layer.weights and kept.any():
        weights, connectivity = drawn.features(path)[:, kept]
        weights_distance = float(ks_2samp(weights, layer.weights, method="asymp").statistic)
        connectivity_distance = float(ks_2samp(connectivity, layer.connectivity, method="asymp").statistic)
    return {
        "density": float(kept.mean()),
        "ticket_density": None if layer is None else layer.density,
        "ks_weights": weights_distance,
        "ks_connectivity": connectivity_distance,
    }


def histograms(features: LayerFeatures) -> dict[str, dict[str, list[int]]]:
    """Count each layer's survivors by weight (``WEIGHT_EDGES``) and by connectivity (``CONNECTIVITY_EDGES``)."""
    counts = {}
    for path, kept in features.mask.items():
        _, connectivity = features.features(path)[:, kept]
        signed = features.weights[path][kept] / (float(features.weights[path].std(dtype=np.float64)) or math.inf)
        counts[layer_of(path)] = {
            "weights": _counts(signed, WEIGHT_EDGES),
            "connectivity": _counts(connectivity, CONNECTIVITY_EDGES),
        }
    return counts


def _counts(values: np.ndarray, edges: np.ndarray) -> list[int]:
    counts: list[int] = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].tolist()
    return counts
