"""A configuration as a form: values as they are typed, what is wrong with them, and the way back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tfticket.config import ExperimentConfig
from tfticket.config.schema import Config
from tfticket.errors import InputError

from .form_fields import MISSING, Field, Group
from .form_schema import flatten, read_schema
from .form_state import (
    Draft,
    State,
    draft_of,
    dropped,
    entries_of,
    entry_of,
    errors_of,
    kept,
    reference_of,
    restored,
    switched,
    typed_entry,
)
from .form_text import describe, read_yaml, write_text, write_yaml
from .signal import Signal

__all__ = ["Field", "FormModel", "Group"]

MOST_STEPS = 500
"""Edits that can be undone."""


class FormModel:
    """A configuration that is being edited.

    Args:
        config_class: Its class.
        values: Nested dictionaries, lists and scalars; what is not there has its default.
        base: The preset's, that marks and resets compare with; None: the defaults.
        origin: Where they came from, in words.

    Attributes:
        changed: Emitted without values after every change.

    Raises:
        InputError: An unknown key. Wrong values are shown as errors instead.
    """

    def __init__(
        self,
        config_class: type[Config],
        values: Mapping[str, Any],
        base: Mapping[str, Any] | None = None,
        origin: str = "",
    ) -> None:
        self.changed = Signal()
        self._draft = draft_of(config_class, values, base, origin)
        self._past: list[Draft] = []
        self._future: list[Draft] = []
        self._merging: str | None = None  # the field that typing goes on in
        self._yaml_problem = ""
        self._look()

    def take(
        self,
        config_class: type[Config],
        values: Mapping[str, Any],
        base: Mapping[str, Any] | None = None,
        origin: str = "",
    ) -> None:
        """Hold another configuration instead; undo brings back what was there.

        Raises:
            InputError: An unknown key; what was there stays.
        """
        self._record(draft_of(config_class, values, base, origin), None)

    @property
    def config_class(self) -> type[Config]:
        """The configuration's class."""
        return self._draft.config_class

    @property
    def origin(self) -> str:
        """Where the configuration came from, in words."""
        return self._draft.origin

    @property
    def has_preset(self) -> bool:
        """Whether it is compared with a preset, and not with the defaults."""
        return self._draft.has_preset

    @property
    def root(self) -> Group:
        """The fields in their groups. They change when a table becomes another kind, such as the optimiser's."""
        return read_schema(self.config_class, self._state.kinds)

    @property
    def fields(self) -> list[Field]:
        """All fields, in the order of the form."""
        return list(self._fields.values())

    def field(self, path: str) -> Field:
        """The field with this path."""
        return self._fields[path]

    def get(self, path: str) -> Any:
        """A field's value: as the configuration would hold it, or as it was typed where that is wrong."""
        return self._state.entries[path].value

    def text(self, path: str) -> str:
        """A field's value as it was, or would be, typed."""
        entry = self._state.entries[path]
        return write_text(self._fields[path], entry.value) if entry.text is None else entry.text

    def describe(self, path: str) -> str:
        """A field's value in a sentence."""
        return describe(self._fields[path], self.get(path))

    def set(self, path: str, value: Any) -> None:
        """Edit a field.

        Args:
            path: Which.
            value: A text as typed ('1e-3', '0, 1, 2'), or a value. A text typed right after another in the same field
                is undone with it.
        """
        field = self._fields[path]
        if field.fixed:
            return
        if field.switches:
            if value == self.get(path):
                return
            self._edit(switched(self.config_class, self._state, self._base, field, value), None)
            return
        typed = isinstance(value, str) and (field.kind != "choice" or field.others)
        entry = typed_entry(field, value) if typed else entry_of(field, value)
        if entry != self._state.entries[path] or self._yaml_problem:
            entries = {**self._state.entries, path: entry}
            for emptied in dropped(self._state, path, entry.value):  # such as the name of data that a path replaces
                entries[emptied] = typed_entry(self._fields[emptied], "")
            self._edit(State(entries, self._state.kinds), path if typed else None)

    def finish(self) -> None:
        """End an edit, as when a field is left: typing in it again is another step."""
        self._merging = None

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong: path -> words. A group's path, '' for the whole, where it is in how its fields go together."""
        return self._errors

    def error(self, path: str) -> str:
        """What is wrong with a field or a group itself; '' if nothing is."""
        return self._errors.get(path, "")

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self._errors

    def differs(self, path: str) -> bool:
        """Whether a field's value is not the preset's."""
        reference = self._reference[path]
        return reference is not MISSING and bool(self.get(path) != reference)

    @property
    def differing(self) -> list[str]:
        """The fields whose values are not the preset's."""
        return [path for path in self._fields if self.differs(path)]

    def preset_text(self, path: str) -> str:
        """What the preset says of a field, in words; '' where it says nothing."""
        reference = self._reference[path]
        return "" if reference is MISSING else describe(self._fields[path], reference)

    def reset(self, path: str) -> None:
        """Give a field, or all fields of a group ('' for all), the preset's value."""
        field = self._fields.get(path)
        if field is not None and not field.switches:
            entry = entry_of(field, self._reference[path])
            self._edit(State({**self._state.entries, path: entry}, self._state.kinds), None)
        else:
            group = path if field is None else field.group
            self._edit(restored(self.config_class, self._state, self._base, group), None)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit that was taken back."""
        return bool(self._future)

    def undo(self) -> str:
        """Take the last edit back; returns the path of the first field that changed by it, '' if none did."""
        return self._step(self._past, self._future)

    def redo(self) -> str:
        """Do again what was taken back; returns the path of the first field that changed by it, '' if none did."""
        return self._step(self._future, self._past)

    @property
    def values(self) -> dict[str, Any]:
        """The values as a plain tree."""
        return self._state.plain

    @property
    def base(self) -> dict[str, Any] | None:
        """The preset's values as a plain tree; None: it is compared with the defaults."""
        return self._base.plain if self.has_preset else None

    def yaml(self) -> str:
        """All values, as YAML."""
        return write_yaml(self._state.tree)

    def set_yaml(self, text: str) -> None:
        """Take all values from YAML. If it is not understood it is an error, and the values stay."""
        values, problem = read_yaml(text)
        flat, kinds, problems = flatten(self.config_class, values) if not problem else ({}, (), [problem])
        self._yaml_problem = " ".join(problems) or self._other_experiment(flat)
        if self._yaml_problem:
            self._look()
            self.changed.emit()
            return
        self._edit(kept(self._state, entries_of(self.config_class, flat, kinds)), "yaml")

    @property
    def yaml_problem(self) -> str:
        """Why the YAML that was typed last was not understood; '' if it was, or was dropped by an edit since."""
        return self._yaml_problem

    def drop_yaml(self) -> None:
        """Forget YAML that was not understood; the values are what they were before."""
        self._yaml_problem = ""
        self._look()
        self.changed.emit()

    def config(self) -> Config:
        """The configuration.

        Raises:
            InputError: Something is wrong with it.
        """
        if self._errors:
            said = (f"{path}: {words}" if path else words for path, words in self._errors.items())
            raise InputError("The configuration is not ready. " + "\n".join(said))
        return self.config_class.model_validate(self.values)

    @property
    def _state(self) -> State:
        return self._draft.state

    @property
    def _base(self) -> State:
        return self._draft.base

    def _edit(self, state: State, merging: str | None) -> None:
        self._record(replace(self._draft, state=state), merging)

    def _record(self, draft: Draft, merging: str | None) -> None:
        """Make an edit that can be undone; typing that goes on is one."""
        if merging is None or merging != self._merging:
            self._past = [*self._past, self._draft][-MOST_STEPS:]
        self._future = []
        self._merging = merging
        self._show(draft)

    def _step(self, source: list[Draft], target: list[Draft]) -> str:
        if not source:
            return ""
        before = self._state.entries
        target.append(self._draft)
        self._merging = None
        self._show(source.pop())
        after = self._state.entries
        return next((path for path in self._fields if path not in before or before[path] != after[path]), "")

    def _show(self, draft: Draft) -> None:
        self._draft = draft
        self._yaml_problem = ""
        self._look()
        self.changed.emit()

    def _look(self) -> None:
        """See which fields there are, what the preset says of them, and what is wrong."""
        self._fields = {field.path: field for field in self.root.fields}
        self._reference = {field.path: reference_of(field, self._state, self._base) for field in self.root.fields}
        self._errors = errors_of(self.config_class, self._state)
        if self._yaml_problem:
            self._errors = {"": f"The YAML is not understood. {self._yaml_problem}"} | self._errors

    def _other_experiment(self, flat: Mapping[str, Any]) -> str:
        """Why values of another experiment are not taken: its form has other fields."""
        if not issubclass(self.config_class, ExperimentConfig):
            return ""
        mine, theirs = self.get("experiment"), flat["experiment"]
        return "" if mine == theirs else f"This form is of the experiment '{mine}'; for '{theirs}' take a preset of it."
