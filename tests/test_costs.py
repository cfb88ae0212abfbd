"""The cost of a plan, computed by hand from measured steps."""

import pytest

from tfticket import costs
from tfticket.costs import cost_of
from tfticket.presets import planned

SAMPLING = "bayes-always-wins-lenet-300-100-mnist-desk"
TRAIN = "train={epochs: 300it, batch_size: 60, evaluate_every: 100it, objective: {draws: 2}}"


@pytest.fixture
def measure(monkeypatch):
    """Pretends that these times were measured: seconds of a step, by network and batch size."""
    return lambda table: monkeypatch.setattr(costs, "_measured", lambda: (table, "2 cores"))


def cost(preset, *options):
    return cost_of(planned(preset, options).distinct)


def test_the_cost_is_what_the_benchmark_measured(measure):
    measure({("conv-2 32x32x3", 60): 0.06, ("conv-2 32x32x3", 600): 0.3})
    preset, seed = "monte-carlo-tickets-conv-2-desk", "seeds=[0]"
    # 5 levels, a random mask and 3 Monte Carlo tickets, each of 8 epochs of 10,000 rows in batches of 60
    evaluated = (8 + 1) * 5000 + 10000  # after each epoch and in the end validation rows, then test rows
    whole = cost(preset, seed)
    assert (whole.trainings, whole.iterations, whole.time) == (9, 1333, "16 min")
    assert whole.seconds == pytest.approx(9 * (1333 * 0.06 + evaluated * 0.5 * 0.001))
    assert all(part in str(whole) for part in ("9 trainings", "1,333 iterations", "16 min on 2 cores"))
    assert cost("quickstart").seconds is None
    # never less than the nearest
    for batch, step, row in ((6, 0.06, 0.001), (120, 0.12, 0.001), (300, 0.3, 0.0005), (1200, 0.6, 0.0005)):
        other = cost(preset, seed, f"train.batch_size={batch}")
        assert other.seconds == pytest.approx(9 * (other.iterations * step + evaluated * 0.5 * row))
    texts = {3: "< 1 min", 60: "1 min", 3000: "50 min", 9000: "2.5 h", 864000: "10 d", 1e8: "3.2 y"}
    assert {time: costs.duration_text(time) for time in texts} == texts


def test_sparse_tickets_cost_less_by_the_sparse_engine(measure):
    measure({("lenet-300-100 28x28x1", 60): 0.06})
    ticket = [TRAIN, "prune={levels: 1, sparsity: 0.9}", "controls=[]", "seeds=[0]", "chains=0", "svi=null"]
    saved = cost(SAMPLING, *ticket, "train.engine=keras").seconds - cost(SAMPLING, *ticket).seconds
    assert saved == pytest.approx(300 * 0.06 * (1 - 0.08 - 3.7 * 0.1))


def test_the_cost_counts_the_evaluations_of_members_at_the_ends_of_generations(measure):
    measure({("lenet-300-100 28x28x1", 60): 0.0, ("lenet-300-100 28x28x1 variational", 60): 0.06})
    own = [TRAIN, "prune.levels=1", "controls=[]", "seeds=[0]", "chains=0", "ensemble=false"]
    evaluation = 10 * 0.5 * 0.001 * 5000  # by ten draws of the validation rows
    svi = "svi={{ways: [tuned], population: {{members: 8, generations: {}}}}}"
    once = cost(SAMPLING, *own, svi.format(1)).seconds
    for generations, more in {2: 1, 3: 0, 6: 3}.items():  # after each 150, 100, 50 iterations
        assert cost(SAMPLING, *own, svi.format(generations)).seconds - once == pytest.approx(8 * more * evaluation)


def test_the_cost_includes_chains_at_most(measure):
    gradient = "lenet-300-100 28x28x1 gradient at"
    measure({("lenet-300-100 28x28x1", 60): 0.06, (f"{gradient} 0.01", 1000): 0.001, (f"{gradient} 0.1", 1000): 0.004})
    own = ["svi=null", "seeds=[0,1]", "data.train_rows=10000", "sample.max_tree_depth=8", "chains=4"]
    gradients = 600 * 255
    chain = 1.1 * gradients * 10_000 * 1e-6  # at 1 %
    whole, trained = cost(SAMPLING, *own), cost(SAMPLING, *own, "chains=0")
    assert (whole.chains, whole.gradients) == (8, gradients)
    assert whole.seconds == pytest.approx(8 * chain + trained.seconds)
    for options, expected in (
        (["seeds=[0,1]"], 8 * chain),
        (["sampled_levels=[5,10]"], 8 * (chain + 4 * chain)),  # at 10 %, and 1 %
        (["sampled_levels=[0]"], 8 * 10 * 4 * chain),  # in proportion
        (["sampled_arms=[ticket, shuffle-layerwise]", "replicates=3"], (8 + 3 * 8) * chain),
    ):
        assert cost(SAMPLING, *own, *options).chain_seconds == pytest.approx(expected)
    assert all(part in str(whole) for part in ("8 chains", "153,000 gradients", "up to 3.7 h"))
    assert whole.time.startswith("up to ")
    assert trained.time[0].isdigit()
    other = "bayes-always-wins-lenet-300-100-cifar-10-desk"
    for unknown in (cost(SAMPLING, *own, "sample.engine=keras"), cost(other, *own)):
        assert (unknown.chain_seconds, unknown.seconds, unknown.time) == (None, None, "not measured")
        assert "not measured" in str(unknown)


def test_the_cost_counts_draws_and_passes_of_evaluations(measure):
    measure({("lenet-300-100 28x28x1", 60): 0.006, ("lenet-300-100 28x28x1 variational", 60): 0.06})
    own = [TRAIN, "train.engine=keras", "prune.levels=1", "control_levels=[]", "seeds=[0]", "model.variational={}"]
    step, row = 2 * 0.06, 10 * 0.5 * 0.001  # of two draws, and of ten
    whole = 2 * (300 * step + row * (3 * 5000 + 5000 + 5 * 10000))
    for option, expected in {
        "seeds=[0]": whole,
        "train.objective.evaluation_draws=1": 2 * 300 * step + (whole - 2 * 300 * step) / 10,
        "evaluation_passes=1": whole - 2 * row * 4 * 10000,
        "train.evaluate_test=true": whole + 2 * row * 3 * 10000,
        "out_of_distribution.name=fashion-mnist": whole + 2 * row * 10000,
        "model.variational=null": 2 * (300 * 0.006 + 0.5 * 0.0001 * (3 * 5000 + 5000 + 10000)),
    }.items():
        assert cost("quickstart", *own, option).seconds == pytest.approx(expected), option
