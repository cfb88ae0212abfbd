"""Numba's cache: wherever it can lie, whatever lies there."""

import os
import subprocess
import sys

import pytest
from numba.core import caching
from numba.core.registry import CPUDispatcher

from tfticket.sampling import compiling
from tfticket.sampling.compiling import compiled


def doubled(x):
    return 2.0 * x


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """The system's temporary folder, where neither the program's nor the user's can be written."""
    for locator in (caching.UserProvidedCacheLocator, caching.InTreeCacheLocator):
        monkeypatch.setattr(locator, "from_function", classmethod(lambda *_: None))
    within = caching.UserWideCacheLocator.ensure_cache_path

    def ensure(self):
        if not str(self.get_cache_path()).startswith(str(tmp_path)):
            raise OSError("read-only file system")
        within(self)

    monkeypatch.setattr(caching.UserWideCacheLocator, "ensure_cache_path", ensure)
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path / f"tfticket-{os.getuid()}"


def files(folder, ending):
    return sorted(folder.rglob(f"*.{ending}"))


def hits(kernel):
    return sum(kernel.stats.cache_hits.values())


def test_code_is_kept_in_a_temporary_folder_of_the_users_own(temporary):
    first = compiled(doubled)
    assert (first(2.0), hits(first)) == (4.0, 0)
    assert temporary.stat().st_mode & 0o777 == 0o700
    second = compiled(doubled)
    assert (second(2.0), hits(second)) == (4.0, 1)


def test_a_folder_that_others_can_write_to_is_not_used(temporary):
    temporary.mkdir()
    temporary.chmod(0o777)
    kernel = compiled(doubled)
    assert kernel(2.0) == 4.0
    assert isinstance(kernel._cache, caching.NullCache)
    assert not files(temporary, "nbi")


def test_a_link_to_another_folder_is_not_used(temporary, tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o700)
    temporary.symlink_to(tmp_path / "theirs")
    assert isinstance(compiled(doubled)._cache, caching.NullCache)


def test_without_any_place_for_a_cache_kernels_work(monkeypatch):
    def refuse(self):
        raise OSError("read-only file system")

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse)
    kernel = compiled(doubled)
    assert kernel(2.0) == 4.0
    assert isinstance(kernel._cache, caching.NullCache)


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_damaged_code_is_compiled_anew(ending, temporary):
    compiled(doubled)(2.0)
    (file,) = files(temporary, ending)
    file.write_bytes(file.read_bytes()[:40])
    again = compiled(doubled)
    assert (again(2.0), hits(again)) == (4.0, 0)
    mended = compiled(doubled)
    assert (mended(2.0), hits(mended)) == (4.0, 1)


def test_a_full_disk_costs_the_cache_alone(temporary, monkeypatch):
    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_open_for_write", full)
    assert compiled(doubled)(2.0) == 4.0
    assert not files(temporary, "nbi")


def test_code_of_other_sources_is_not_used(temporary, monkeypatch):
    compiled(doubled)(2.0)
    monkeypatch.setattr(compiling, "_stamp", lambda: "of another version of vectors.py")
    kernel = compiled(doubled)
    assert (kernel(2.0), hits(kernel)) == (4.0, 0)


def test_every_kernel_is_compiled_with_this_cache():
    from tfticket.sampling import kernels

    found = [value for value in vars(kernels).values() if isinstance(value, CPUDispatcher)]
    cached = [one for one in found if one.py_func.__module__ == kernels.__name__ and one.targetoptions.get("nogil")]
    assert len(cached) > 10
    assert all(isinstance(one._cache, compiling._Cache | caching.NullCache) for one in cached)


CODE = """
import numpy as np
from tfticket.sampling.compiling import compiled
def total(values):
    found = 0.0
    for value in values:
        found += value
    return found
kernel = compiled(total)
kernel(np.ones(3))
print(len(kernel.signatures))
"""


def test_numba_compiles_where_the_environment_says_not_to(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120)
    assert done.stdout == "1\n", done.stderr


def test_a_number_of_threads_that_numba_refuses_is_told(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "0")
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120)
    message = "tfticket.errors.InputError: Numba does not start: Number of threads specified must be > 0."
    assert done.stderr.splitlines()[-1].startswith(message)
