"""Needs TensorFlow, which the package imports."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfticket.training.batches import RowOrder

SEEDS, ROWS, BATCH = st.integers(0, 3), st.integers(1, 50), st.integers(1, 70)


@given(SEEDS, ROWS, BATCH, st.integers(1, 30))
def test_every_row_is_seen_once_in_each_epoch(seed, rows, batch_size, iterations):
    batches = RowOrder(seed, rows, batch_size).batches(0, iterations)
    assert (batches.dtype, batches.shape) == (np.int32, (iterations, batch_size))
    stream = batches.ravel()
    for begin in range(0, len(stream) - rows + 1, rows):
        assert sorted(stream[begin : begin + rows]) == list(range(rows))
    rest = stream[len(stream) // rows * rows :]
    assert len(set(rest)) == len(rest)
    assert np.isin(rest, range(rows)).all()


@given(SEEDS, ROWS, BATCH, st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_any_cut_gives_the_same_batches(seed, rows, batch_size, lengths):
    ends = np.cumsum(lengths).tolist()
    whole = RowOrder(seed, rows, batch_size).batches(0, ends[-1])
    order = RowOrder(seed, rows, batch_size)
    parts = [order.batches(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@given(SEEDS, ROWS, BATCH, st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=4))
def test_a_segment_does_not_depend_on_what_was_asked_before(seed, rows, batch_size, segments):
    used = RowOrder(seed, rows, batch_size)
    for first, length in segments:
        fresh = RowOrder(seed, rows, batch_size).batches(first, first + length)
        np.testing.assert_array_equal(used.batches(first, first + length), fresh)


def test_epochs_and_seeds_have_orders_of_their_own():
    one, two = (RowOrder(seed, rows=50, batch_size=50).batches(0, 3) for seed in (0, 1))
    assert len({batch.tobytes() for batch in (*one, *two)}) == 6


def test_the_order_is_frozen():
    assert RowOrder(0, rows=8, batch_size=3).batches(1, 4).tolist() == [[2, 1, 0], [5, 4, 7], [6, 5, 4]]
