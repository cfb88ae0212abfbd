"""Numba's cache: wherever it can lie, whatever lies there."""

import os
import subprocess
import sys

import pytest
from numba.core import caching

from tfticket.sparse import compiling
from tfticket.sparse.compiling import compiled


def doubled(x):
    return 2.0 * x


def refuse(*_):
    raise OSError(28, "No space left on device")


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """The system's temporary folder, where neither the program's nor the user's can be written."""
    for locator in (caching.UserProvidedCacheLocator, caching.InTreeCacheLocator):
        monkeypatch.setattr(locator, "from_function", classmethod(lambda *_: None))
    ensure_anywhere = caching.UserWideCacheLocator.ensure_cache_path

    def ensure(self):
        if not str(self.get_cache_path()).startswith(str(tmp_path)):
            raise OSError("read-only file system")
        ensure_anywhere(self)

    monkeypatch.setattr(caching.UserWideCacheLocator, "ensure_cache_path", ensure)
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path / f"tfticket-{os.getuid()}"


def hits():
    """Call a kernel; return how often its code came from the cache, None if it has none."""
    kernel = compiled(doubled)
    assert kernel(2.0) == 4.0
    return None if isinstance(kernel._cache, caching.NullCache) else sum(kernel.stats.cache_hits.values())


def test_code_is_cached_in_a_private_temporary_folder_by_the_sources(temporary, monkeypatch):
    assert [hits(), hits()] == [0, 1]
    assert temporary.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(compiling, "_stamp", lambda: "of another version of vectors.py")
    assert hits() == 0


def test_a_folder_of_others_or_a_link_is_not_used(temporary, tmp_path):
    temporary.mkdir()
    temporary.chmod(0o777)
    assert hits() is None
    assert not list(temporary.rglob("*.nbi"))
    temporary.rmdir()
    (tmp_path / "theirs").mkdir(mode=0o700)
    temporary.symlink_to(tmp_path / "theirs")
    assert hits() is None


def test_without_a_folder_or_space_for_a_cache_kernels_work(temporary, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(caching.IndexDataCacheFile, "_open_for_write", refuse)
        assert [hits(), hits()] == [0, 0]
    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse)
    monkeypatch.setattr(caching.UserWideCacheLocator, "ensure_cache_path", refuse)
    assert hits() is None


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_damaged_code_is_compiled_again(ending, temporary):
    hits()
    (file,) = temporary.rglob(f"*.{ending}")
    file.write_bytes(file.read_bytes()[:40])
    assert [hits(), hits()] == [0, 1]


CODE = """
from tfticket.sparse.compiling import compiled
def increased(x):
    return x + 1
kernel = compiled(increased)
kernel(1)
print(len(kernel.signatures))
"""


@pytest.mark.parametrize(
    ("name", "value", "facts"),
    [("NUMBA_DISABLE_JIT", "1", ["1"]), ("NUMBA_NUM_THREADS", "0", ["tfticket.errors.InputError", "threads", "> 0"])],
)
def test_numba_compiles_whatever_its_environment_or_refuses_a_number_of_threads(name, value, facts, monkeypatch):
    monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120)
    last = (done.stdout or done.stderr).splitlines()[-1]
    assert all(fact in last for fact in facts), done.stderr
