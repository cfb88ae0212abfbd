"""Run pytest in this process: to measure tests, or to run some of them until one fails."""

import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import coverage
import pytest
from hypothesis import Phase, settings


class Reporter:
    """Pytest plugin that collects failures; Hypothesis does not shrink them."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, str]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:  # after tests/conftest.py, which loads a profile
        settings.register_profile("mutants", settings(), phases=[Phase.explicit, Phase.generate])
        settings.load_profile("mutants")

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failures.append((report.nodeid, str(report.longrepr)))

    pytest_runtest_logreport = pytest_collectreport

    def run(self, *paths: str) -> int:
        """Run tests in this process until one fails."""
        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--assert=plain", "--timeout=0"]
        return int(pytest.main([*options, *paths], [self]))


class Meter(Reporter):
    """Pytest plugin that measures tests: CPU seconds, and lines executed by a test or by the fixtures it shares."""

    def __init__(self) -> None:
        super().__init__()
        self.coverage = coverage.Coverage(data_file=None, config_file=False, include=[f"{Path.cwd()}/tfticket/*"])
        self.contexts = [""]
        self.seconds: dict[str, float] = {}
        self.fixtures: dict[str, list[str]] = {}

    def _within(self, context: str) -> Generator[None, Any, Any]:
        self.contexts.append(context)
        self.coverage.switch_context(context)
        try:
            return (yield)
        finally:
            self.contexts.pop()
            self.coverage.switch_context(self.contexts[-1])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        began = time.process_time()
        result = yield from self._within(item.nodeid)
        self.seconds[item.nodeid] = time.process_time() - began
        self.fixtures[item.nodeid] = item.fixturenames
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Any:
        if fixturedef.scope == "function":
            return (yield)
        return (yield from self._within(f"@{fixturedef.argname}"))

    def lines(self) -> dict[str, dict[int, list[str]]]:
        """Return the tests that execute each line of each file; "" stands for an import."""
        data, tests = self.coverage.get_data(), {}
        for context in data.measured_contexts():
            users = [test for test, fixtures in self.fixtures.items() if context[1:] in fixtures]
            tests[context] = users if context.startswith("@") else [context]
        return {
            str(Path(file).relative_to(Path.cwd())): {
                line: sorted({test for context in contexts for test in tests[context]})
                for line, contexts in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }


class Selection(Reporter):
    """Pytest plugin that runs the given tests only, in that order."""

    def __init__(self, tests: Sequence[str]) -> None:
        super().__init__()
        self.order = {test: number for number, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted((item for item in items if item.nodeid in self.order), key=lambda i: self.order[i.nodeid])


def measure(path: str) -> dict[str, Any]:
    """Run a test file in this process; return the seconds of its tests and who executes each line."""
    meter = Meter()
    with meter.coverage.collect():
        code = meter.run(path)
    return {"code": code, "failures": meter.failures, "seconds": meter.seconds, "lines": meter.lines()}


def run_tests(tests: Sequence[str]) -> dict[str, Any]:
    """Run tests in this process until one fails; return pytest's exit code and the failure."""
    if not tests:
        return {"code": 0, "killed_by": "", "message": "no test imports the module"}
    selection = Selection(tests)
    code = selection.run(*dict.fromkeys(test.partition("::")[0] for test in tests))
    test, message = selection.failures[0] if selection.failures else ("", "")
    return {"code": code, "killed_by": test, "message": message.strip().rpartition("\n")[2][:200]}
