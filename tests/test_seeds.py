from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import kstest

from tfticket.seeds import derive, generator

NAMES = st.lists(st.text(max_size=5) | st.integers(0, 20), max_size=4).map(tuple)


def test_derived_seeds_and_streams_are_frozen():
    assert derive(0, "initial", "dense_1/kernel") == 316182381529153036097144471440059689009
    assert derive(7, "order", 3) == 244526598629305144941625929180716196035
    raw = generator(0, "ties", "a/kernel").bit_generator.random_raw(3).tolist()
    assert raw == [13450441369631397930, 729955481227686896, 8843424344083147349]
    # Not promised by NumPy: a failure here alone means that an update of NumPy changed every result.
    assert generator(0, "ties", "a/kernel").permutation(10).tolist() == [1, 3, 6, 8, 7, 2, 5, 4, 0, 9]
    assert generator(0, "ties", "a/kernel").random(2).tolist() == [0.7291498876921633, 0.039570965928237944]


@given(st.integers(0, 9), NAMES, st.integers(0, 9), NAMES)
@example(0, ("1",), 0, (1,))
@example(0, ("ab", "c"), 0, ("a", "bc"))
@example(0, ("a",), 0, ("a", ""))
def test_different_roots_or_names_have_different_seeds(root, names, other_root, other_names):
    assert (derive(root, *names) == derive(other_root, *other_names)) == ((root, names) == (other_root, other_names))


def test_the_first_draws_of_neighbouring_seeds_and_indices_are_uniform():
    for seeds in ([(seed, 0) for seed in range(1000)], [(0, index) for index in range(1000)]):
        assert kstest([generator(seed, "order", index).random() for seed, index in seeds], "uniform").pvalue > 0.01
