"""Monte Carlo winning tickets: sparse networks drawn from what a genuine ticket is like, without pruning.

A weight's survival in the ticket is modelled by logistic regression on its magnitude, and on its connectivity: the mean
input that reaches it in the untrained network, masked so far (the mean absolute input, of data of floats). There is one
model for dense layers and one for convolutions. A new network is then drawn layer by layer, from the input on; its
first layer by magnitude alone.

Both classes are fitted, the ticket's survivors and what was pruned: the paper speaks of survivors alone, from which a
probability of survival cannot be told. As printed, without an intercept, a fifth of the weights kept asks for
probabilities below one half everywhere, so for a negative slope: small weights would survive. By default, therefore:
an intercept; magnitudes over the standard deviation of their layer, connectivities over their layer's mean; and when a
layer is drawn, an offset by which the expected density is the ticket's. ``as_printed`` has none of these.

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
from tfticket.pruning.mask import emptied_layers, layer_of
from tfticket.tickets.controls import stream_names
from tfticket.tickets.sampler import Logistic, Sampler, TicketLayer, check_density, rows_of
from tfticket.tickets.ticket import Ticket, check_class_names, check_ticket
from tfticket.types import Mask, Weights

QUANTILES = 501
"""So many values stand for a distribution over survivors: Kolmogorov-Smirnov distances to it are true to 0.002."""

WEIGHT_EDGES = np.linspace(-3.0, 3.0, 61)
"""Of histograms of initial weights, in standard deviations of their layer; what lies beyond counts in the last bin."""
CONNECTIVITY_EDGES = np.linspace(0.0, 4.0, 41)
"""Of histograms of connectivity, in means of its layer."""


@dataclass(frozen=True)
class Seen:
    """A ticket's layers as they are modelled.

    Attributes:
        mask: Kernel path -> boolean array.
        weights: Kernel path -> the start or initial kernel.
        connectivity: Kernel path -> mean of each input channel [channels].
    """

    mask: Mask
    weights: Weights
    connectivity: dict[str, np.ndarray]

    def features(self, path: str) -> np.ndarray:
        """Magnitude and connectivity of each weight, standardised, float64 [2, *kernel]."""
        shape = self.weights[path].shape
        reached = by_weight(standardised(self.connectivity[path]), shape)
        return np.stack([magnitudes(self.weights[path]), reached])

    def raw(self, path: str) -> np.ndarray:
        """The same as they are."""
        shape = self.weights[path].shape
        return np.stack([np.abs(self.weights[path]).astype(np.float64), by_weight(self.connectivity[path], shape)])


def fit_sampler(
    ticket: Ticket,
    data: Dataset,
    images: int | None = None,
    seed: int = 0,
    seen: Seen | None = None,
    **hooks: Any,
) -> Sampler:
    """Fit logistic models of survival to a genuine ticket.

    Args:
        ticket: Found by pruning. Modelled are its start weights, which are those at initialisation or, of a ticket
            that was rewound later, of that moment; of one whose learning rate alone was rewound, the initial ones.
        data: Over whose training rows connectivity is averaged.
        images: So many of them, chosen by the seed; None: all.
        seed: Of the choice.
        seen: What ``see`` has found of it, if it was looked at already.
        hooks: ``on_progress`` and ``should_stop`` of ``Connectivity``.

    Raises:
        InputError: Nothing was pruned; data of other shapes.
    """
    check_ticket(ticket, "fit_sampler")
    check_class_names(ticket, data)
    pruned = [path for path, kept in ticket.mask.items() if not kept.all()]
    if not pruned:
        raise InputError("The ticket is dense: which weights survive can be learnt from a pruned one alone.")
    seen = seen or see(ticket, rows_of(data, images, seed), **hooks)
    first = next(iter(ticket.mask))
    fits: dict[str, dict[str, Logistic]] = {}
    for family in ("dense", "conv"):
        paths = [path for path in pruned if family_of(seen.weights[path]) == family]
        for statistic, count, chosen in (
            ("magnitude", 1, paths),
            ("connectivity", 2, [path for path in paths if path != first]),
        ):
            if chosen:
                kept = np.concatenate([ticket.mask[path].ravel() for path in chosen])
                models = fits.setdefault(family, {})
                for name, features in ((statistic, seen.features), (f"{statistic} as printed", seen.raw)):
                    entries = [features(path)[:count].reshape(count, -1) for path in chosen]
                    models[name] = logistic(np.concatenate(entries, 1), kept, intercept=name == statistic)
    exempt = tuple(ticket.provenance.get("exempt", ()))
    provenance = {
        "network": ticket.name,
        "data": data.name,
        "data_contents": data.contents,
        "images": len(data.x_train) if images is None else images,
        "iteration": 0 if ticket.unmasked_start is ticket.initial else ticket.iteration,
        "families": {path: family_of(array) for path, array in seen.weights.items()},
    }
    layers = {path: ticket_layer(seen, path) for path in ticket.mask}
    sizes = {path: kept.size for path, kept in ticket.mask.items()}
    return Sampler(fits, layers, sizes, ticket.level, exempt, provenance)


def draw_ticket(
    sampler: Sampler,
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
        sampler: Fitted to a ticket, of this network or another.
        dense: The network to be masked, unpruned, with its start weights.
        data: Over whose training rows connectivity is averaged.
        seed: Of the draws, and of the choice of rows.
        connectivity: By magnitude and connectivity (equation 4), else by magnitude alone (equation 1).
        as_printed: No intercept, features as they are, and no offset: the density is what comes out.
        density: Of every layer that is drawn, not as printed; None: the ticket's, layer by layer, or for a layer that
            the ticket had not, the ticket's mean over layers of its family, dense or convolutional.
        images: So many of the training rows, chosen by the seed; None: all.
        hooks: ``on_progress`` and ``should_stop`` of ``Connectivity``.

    Returns:
        The ticket; its provenance has under 'monte_carlo' how close each layer is to the genuine ticket's. Its
        iteration is that of the weights it was drawn for; that of the weights the sampler was fitted to is under
        'sampler' there, and may be another.

    Raises:
        InputError: A density outside (0, 1], or one as printed; a pruned network; a layer of a family that the sampler
            has no model of; data of other shapes.
    """
    check_ticket(dense, "draw_ticket")
    check_class_names(dense, data)
    check_density(density, as_printed)
    if not all(kept.all() for kept in dense.mask.values()):
        raise InputError(f"{dense.name} is pruned, to {dense.density:.1%}; give the unpruned network.")
    weights, names = dense.unmasked_start, stream_names(dense)
    families = {path: family_of(weights[path]) for path in dense.mask}
    wanted = {
        path: sampler.density(path, family) if density is None or sampler.is_exempt(path, family) else density
        for path, family in families.items()
    }
    printed = " as printed" if as_printed else ""
    models = {  # all are looked up before the first pass over the images
        path: sampler.fit(
            layer_of(path), families[path], f"{'connectivity' if connectivity and number else 'magnitude'}{printed}"
        )
        for number, path in enumerate(dense.mask)
        if wanted[path] < 1
    }
    inputs = Connectivity(dense.model, weights, rows_of(data, images, seed), **hooks)
    mask: Mask = dict(dense.mask)
    reached: dict[str, np.ndarray] = {}
    for path in dense.mask:
        if connectivity:
            reached |= inputs.of([path], mask, keep=True)
        if path in models:
            seen = Seen(mask, weights, reached if connectivity else {path: np.ones(weights[path].shape[-2])})
            features = (seen.raw if as_printed else seen.features)(path)[: len(models[path].slopes)]
            logits = models[path].logits(features)
            chance = expit(logits if as_printed else logits + offset(logits, wanted[path]))
            mask[path] = seeds.generator(seed, "monte carlo", names[path]).random(chance.shape) < chance
    if not connectivity:
        reached = inputs.of(list(mask), mask)
    drawn = Seen(mask, weights, reached)
    said: dict[str, Any] = {
        "seed": seed,
        "connectivity": connectivity,
        "as_printed": as_printed,
        "sampler": sampler.provenance,
        "layers": {layer_of(path): closeness(sampler, drawn, path) for path in mask},
        "histograms": histograms(drawn),
    }
    if emptied := emptied_layers(dense.mask, mask):
        said["emptied"] = emptied
    left_whole = {layer_of(path) for path, family in families.items() if sampler.is_exempt(path, family)}
    exempt = [name for name in sampler.exempt if name in left_whole]
    provenance = dense.provenance | {"monte_carlo": said} | ({"exempt": exempt} if exempt else {})
    return replace(dense, mask=mask, level=sampler.level, provenance=provenance)


def see(ticket: Ticket, images: np.ndarray, **hooks: Any) -> Seen:
    """A ticket's layers, its connectivity averaged over images: one pass."""
    weights = ticket.unmasked_start
    inputs = Connectivity(ticket.model, weights, images, **hooks).of(list(ticket.mask), ticket.mask)
    return Seen(ticket.mask, {path: weights[path] for path in ticket.mask}, inputs)


def family_of(kernel: np.ndarray) -> str:
    """'dense' or 'conv'."""
    return "dense" if kernel.ndim == 2 else "conv"


def magnitudes(kernel: np.ndarray) -> np.ndarray:
    """Absolute weights in standard deviations of their layer, float64; 0 where all weights are alike."""
    deviation = float(kernel.std(dtype=np.float64))
    scaled: np.ndarray = np.abs(kernel).astype(np.float64) / (deviation or math.inf)
    return scaled


def standardised(channels: np.ndarray) -> np.ndarray:
    """Mean inputs over the layer's mean; over the mean absolute one, so that inputs of both signs have a scale too."""
    scaled: np.ndarray = channels / (float(np.abs(channels).mean()) or math.inf)
    return scaled


def logistic(features: np.ndarray, kept: np.ndarray, intercept: bool) -> Logistic:
    """Logistic regression without a penalty.

    A feature that is the same everywhere tells nothing and has slope 0; without an intercept the first such stands for
    one.

    Args:
        features: float64 [features, weights].
        kept: Which weights survive, boolean [weights].
        intercept: Fit one, or have 0.

    Raises:
        InputError: No finite fit: nothing or everything survives, a threshold tells the survivors, or features are
            proportional.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression  # a second to import

    count = int(np.count_nonzero(kept))
    if count in (0, kept.size):
        raise InputError("Of the weights to be modelled all or none survive: there is nothing to tell them apart by.")
    separable = InputError(
        "A threshold tells, or all but tells, the ticket's survivors from what was pruned, so that no logistic model "
        "fits: was its mask chosen by its initial weights? Take a ticket that was found by training; train longer "
        "between prunings."
    )
    size, spread = np.maximum(features.max(1), -features.min(1)), features.std(1)
    used = told = spread > 1e-9 * size  # rounding gives constants a spread, too
    if not intercept and (constant := np.flatnonzero(~told & (size > 0))).size:
        used = told | (np.arange(len(features)) == constant[0])
    slopes = np.zeros(len(features))
    if not used.any():
        middle = math.log(count / (kept.size - count)) if intercept else 0.0
        return Logistic(middle, tuple(slopes.tolist()), kept.size, count)
    scale = np.where(told, spread, size)[used]  # for the solver's sake
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
                "Magnitude and connectivity of the weights to be modelled are proportional to one another, so that no "
                "model tells what each does. Take a ticket of another initialisation, or other data."
            ) from None
    slopes[used] = model.coef_[0] / scale
    middle = float(model.intercept_[0]) if intercept else 0.0
    found = Logistic(middle, tuple(slopes.tolist()), kept.size, count)
    if np.array_equal(found.logits(features) > 0, kept):  # of few weights the solver ends all the same
        raise separable
    return found


def offset(logits: np.ndarray, density: float) -> float:
    """What to add to logits for their mean probability to be a density in [0, 1)."""
    if density == 0:
        return -math.inf
    target = math.log(density / (1 - density))
    low, high = target - float(logits.max()) - 1e-6, target - float(logits.min()) + 1e-6  # else rounding decides
    return float(brentq(lambda shift: float(expit(logits + shift).mean()) - density, low, high, xtol=1e-9))


def ticket_layer(seen: Seen, path: str) -> TicketLayer:
    """What a layer is like."""
    kept = seen.mask[path]
    values = seen.features(path)[:, kept]
    share, all_weights = np.linspace(0, 1, QUANTILES), float(magnitudes(seen.weights[path]).mean())
    relative = float(values[0].mean()) / all_weights if kept.any() and all_weights else None
    weights, reached = (
        np.quantile(each, share, method="inverted_cdf") if kept.any() else np.zeros(0) for each in values
    )
    return TicketLayer(float(kept.mean()), relative, tuple(weights.tolist()), tuple(reached.tolist()))


def closeness(sampler: Sampler, drawn: Seen, path: str) -> dict[str, float | None]:
    """How close a drawn layer is to the ticket's: densities, and Kolmogorov-Smirnov distances over survivors.

    Returns:
        'density', 'ticket_density', 'ks_weights', 'ks_connectivity'; None where the ticket had no such layer, or one
        of the two has no survivor.
    """
    kept, layer = drawn.mask[path], sampler.layer(path, family_of(drawn.weights[path]))
    found: dict[str, float | None] = {"density": float(kept.mean())}
    found["ticket_density"] = None if layer is None else layer.density
    known = layer is not None and layer.weights and kept.any()
    values = drawn.features(path)[:, kept] if known else ()
    references = (layer.weights, layer.connectivity) if known and layer else ()
    found |= {"ks_weights": None, "ks_connectivity": None}
    for name, ours, theirs in zip(("ks_weights", "ks_connectivity"), values, references, strict=bool(known)):
        found[name] = float(ks_2samp(ours, theirs, method="asymp").statistic)
    return found


def histograms(seen: Seen) -> dict[str, dict[str, list[int]]]:
    """Layer -> counts of its survivors' weights (``WEIGHT_EDGES``) and connectivity (``CONNECTIVITY_EDGES``)."""
    found = {}
    for path, kept in seen.mask.items():
        _, reached = seen.features(path)[:, kept]
        signed = seen.weights[path][kept] / (float(seen.weights[path].std(dtype=np.float64)) or math.inf)
        found[layer_of(path)] = {
            "weights": _counts(signed, WEIGHT_EDGES),
            "connectivity": _counts(reached, CONNECTIVITY_EDGES),
        }
    return found


def _counts(values: np.ndarray, edges: np.ndarray) -> list[int]:
    counts: list[int] = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].tolist()
    return counts
