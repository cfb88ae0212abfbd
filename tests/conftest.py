"""Shared fixtures: real data, few rows."""

import pytest
from hypothesis import settings

import tfticket as tt

settings.register_profile("tfticket", derandomize=True, deadline=None, database=None)
settings.load_profile("tfticket")


@pytest.fixture(scope="session")
def data():
    return tt.load_data("mnist", train_rows=2000, validation_rows=1000)
