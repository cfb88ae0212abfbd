import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from tfticket.seeds import derive, generator

NAMES = st.lists(st.text(max_size=5) | st.integers(0, 20), max_size=4).map(tuple)


def test_derived_seeds_are_frozen():
    assert derive(0, "initial", "dense_1/kernel") == 316182381529153036097144471440059689009
    assert derive(7, "order", 3) == 244526598629305144941625929180716196035


def test_the_streams_are_frozen():
    raw = generator(0, "ties", "a/kernel").bit_generator.random_raw(3).tolist()
    assert raw == [13450441369631397930, 729955481227686896, 8843424344083147349]
    # Not promised by NumPy: a failure here alone means that an update of NumPy changed every result.
    assert generator(0, "ties", "a/kernel").permutation(10).tolist() == [1, 3, 6, 8, 7, 2, 5, 4, 0, 9]
    assert generator(0, "ties", "a/kernel").random(2).tolist() == [0.7291498876921633, 0.039570965928237944]


@given(st.integers(0, 9), NAMES, st.integers(0, 9), NAMES)
def test_different_roots_or_names_have_different_seeds(root, names, other_root, other_names):
    assert (derive(root, *names) == derive(other_root, *other_names)) == ((root, names) == (other_root, other_names))


@pytest.mark.parametrize(("names", "others"), [(("1",), (1,)), (("ab", "c"), ("a", "bc")), (("a",), ("a", ""))])
def test_names_do_not_run_into_each_other(names, others):
    assert derive(0, *names) != derive(0, *others)


def test_the_first_draws_of_neighbouring_seeds_and_indices_are_uniform():
    assert kstest([generator(seed, "order", 0).random() for seed in range(1000)], "uniform").pvalue > 0.01
    assert kstest([generator(0, "order", index).random() for index in range(1000)], "uniform").pvalue > 0.01
