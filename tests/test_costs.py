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


def seconds(preset, *options):
    return cost_of(planned(preset, options).distinct).seconds


def test_the_cost_is_what_the_benchmark_measured(measure):
    measure({("conv-2 32x32x3", 60): 0.06, ("conv-2 32x32x3", 600): 0.3})
    preset, seed = "monte-carlo-tickets-conv-2-desk", "seeds=[0]"
    # 5 levels, a random mask and 3 Monte Carlo tickets, each of 8 epochs of 10,000 rows in batches of 60
    evaluated = (8 + 1) * 5000 + 10000  # after each epoch and in the end validation rows, then test rows
    cost = cost_of(planned(preset, [seed]).distinct)
    assert (cost.trainings, cost.iterations, cost.time) == (9, 1333, "16 min")
    assert cost.seconds == pytest.approx(9 * (1333 * 0.06 + evaluated * 0.5 * 0.001))
    assert all(part in str(cost) for part in ("9 trainings", "1,333 iterations", "16 min on 2 cores"))
    assert seconds("quickstart") is None
    # never less than the nearest
    for batch, step, row in ((6, 0.06, 0.001), (120, 0.12, 0.001), (300, 0.3, 0.0005), (1200, 0.6, 0.0005)):
        cost = cost_of(planned(preset, [seed, f"train.batch_size={batch}"]).distinct)
        assert cost.seconds == pytest.approx(9 * (cost.iterations * step + evaluated * 0.5 * row))


def test_the_cost_counts_the_evaluations_of_members_at_the_ends_of_generations(measure):
    measure({("lenet-300-100 28x28x1", 60): 0.0, ("lenet-300-100 28x28x1 variational", 60): 0.06})
    own = [TRAIN, "prune.levels=1", "controls=[]", "seeds=[0]", "chains=0", "ensemble=false"]
    evaluation = 10 * 0.5 * 0.001 * 5000  # by ten draws of the validation rows
    expected = {1: 0, 2: 1, 3: 0, 6: 3}  # after each 300, 150, 100, 50 iterations
    svi = "svi={{ways: [tuned], population: {{members: 8, generations: {}}}}}"
    costs = {generations: seconds(SAMPLING, *own, svi.format(generations)) for generations in expected}
    for generations, more in expected.items():
        assert costs[generations] - costs[1] == pytest.approx(8 * more * evaluation)


def test_the_cost_includes_chains_at_most(measure):
    gradient = "lenet-300-100 28x28x1 gradient at"
    measure({("lenet-300-100 28x28x1", 60): 0.06, (f"{gradient} 0.01", 1000): 0.001, (f"{gradient} 0.1", 1000): 0.004})

    def cost(*more, preset=SAMPLING):
        own = ["svi=null", "seeds=[0,1]", "data.train_rows=10000", "sample.max_tree_depth=8", "chains=4"]
        return cost_of(planned(preset, [*own, *more]).distinct)

    gradients = 600 * 255
    chain = 1.1 * gradients * 10_000 * 1e-6  # at 1 %
    whole, trained = cost(), cost("chains=0")
    assert (whole.chains, whole.gradients) == (8, gradients)
    assert whole.chain_seconds == pytest.approx(8 * chain)
    assert whole.seconds == pytest.approx(8 * chain + trained.seconds)
    assert cost("sampled_levels=[5,10]").chain_seconds == pytest.approx(8 * (chain + 4 * chain))  # at 10 %, and 1 %
    assert cost("sampled_levels=[0]").chain_seconds == pytest.approx(8 * 10 * 4 * chain)  # in proportion
    shuffled = cost("sampled_arms=[ticket, shuffle-layerwise]", "replicates=3")
    assert shuffled.chain_seconds == pytest.approx((8 + 3 * 8) * chain)
    assert all(part in str(whole) for part in ("8 chains", "153,000 gradients", "up to 3.7 h"))
    assert whole.time.startswith("up to ")
    assert trained.time[0].isdigit()
    for unknown in (cost("sample.engine=keras"), cost(preset="bayes-always-wins-lenet-300-100-cifar-10-desk")):
        assert unknown.chain_seconds is unknown.seconds is None
        assert unknown.time == "not measured"
        assert "not measured" in str(unknown)


def test_the_cost_counts_draws_and_passes_of_evaluations(measure):
    measure({("lenet-300-100 28x28x1", 60): 0.006, ("lenet-300-100 28x28x1 variational", 60): 0.06})
    own = [TRAIN, "prune.levels=1", "control_levels=[]", "seeds=[0]", "model.variational={}"]
    step, row = 2 * 0.06, 10 * 0.5 * 0.001  # of two draws, and of ten
    whole = 2 * (300 * step + row * (3 * 5000 + 5000 + 5 * 10000))
    plain = 2 * (300 * 0.006 + 0.5 * 0.0001 * (3 * 5000 + 5000 + 10000))
    for option, expected in {
        "seeds=[0]": whole,
        "train.objective.evaluation_draws=1": 2 * 300 * step + (whole - 2 * 300 * step) / 10,
        "evaluation_passes=1": whole - 2 * row * 4 * 10000,
        "train.evaluate_test=true": whole + 2 * row * 3 * 10000,
        "out_of_distribution.name=fashion-mnist": whole + 2 * row * 10000,
        "model.variational=null": plain,
    }.items():
        assert seconds("quickstart", *own, option) == pytest.approx(expected), option


def test_times_are_said_as_people_say_them():
    texts = {3: "< 1 min", 60: "1 min", 3000: "50 min", 9000: "2.5 h", 864000: "10 d", 1e8: "3.2 y"}
    assert {time: costs.duration_text(time) for time in texts} == texts
