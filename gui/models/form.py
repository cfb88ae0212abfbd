"""A configuration as a form: typed values, their errors, undo and redo."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tfticket.config import ExperimentConfig
from tfticket.config.schema import Config
from tfticket.errors import InputError

from . import form_state as states
from .form_fields import MISSING, Field, Group
from .form_schema import flatten, read_schema
from .form_state import Snapshot, State
from .form_text import describe, read_yaml, write_text, write_yaml
from .signal import Signal

__all__ = ["Field", "FormModel", "Group"]

Values = Mapping[str, Any]
MAX_UNDO_STEPS = 500


class FormModel:
    """A configuration that is being edited.

    Args:
        config_class: Class of the configuration.
        values: Nested dictionaries, lists and scalars; missing values are the defaults.
        base: Values of the preset, with which marks and resets compare; None for the defaults.
        origin: Source of the values, in words.

    Attributes:
        changed: Emitted without arguments after every change.

    Raises:
        InputError: A key is unknown. Wrong values become ``errors`` instead.
    """

    def __init__(
        self, config_class: type[Config], values: Values, base: Values | None = None, origin: str = ""
    ) -> None:
        self.changed = Signal()
        self._snapshot = states.make_snapshot(config_class, values, base, origin)
        self._past: list[Snapshot] = []
        self._future: list[Snapshot] = []
        self._merging: str | None = None  # field whose typing is merged into one edit
        self._yaml_problem = ""
        self._revalidate()

    def load(self, config_class: type[Config], values: Values, base: Values | None = None, origin: str = "") -> None:
        """Replace the configuration; undo restores the previous one.

        Raises:
            InputError: A key is unknown; the previous configuration stays.
        """
        self._record(states.make_snapshot(config_class, values, base, origin), None)

    @property
    def config_class(self) -> type[Config]:
        return self._snapshot.config_class

    @property
    def origin(self) -> str:
        return self._snapshot.origin

    @property
    def has_preset(self) -> bool:
        """True if the form is compared with a preset, not with the defaults."""
        return self._snapshot.has_preset

    @property
    def root(self) -> Group:
        """Fields in their groups; they change when the kind of a table does, such as the optimiser's."""
        return read_schema(self.config_class, self._state.kinds)

    @property
    def fields(self) -> list[Field]:
        return list(self._fields.values())

    def field(self, path: str) -> Field:
        return self._fields[path]

    def get(self, path: str) -> Any:
        """Return a field's value: as in the configuration, or as typed if it is invalid."""
        return self._state.entries[path].value

    def text(self, path: str) -> str:
        """Return a field's value as text that can be typed."""
        entry = self._state.entries[path]
        return write_text(self._fields[path], entry.value) if entry.text is None else entry.text

    def describe(self, path: str) -> str:
        return describe(self._fields[path], self.get(path))

    def set(self, path: str, value: Any) -> None:
        """Edit a field.

        Args:
            path: Path of the field.
            value: A text as typed ('1e-3', '0, 1, 2'), or a value. Consecutive texts in the same field are one edit
                for undo.
        """
        field = self._fields[path]
        if field.read_only:
            return
        if field.is_discriminator:
            if value == self.get(path):
                return
            self._edit(states.switch_kind(self.config_class, self._state, self._base, field, value), None)
            return
        typed = isinstance(value, str) and (field.kind != "choice" or field.allows_other)
        entry = states.parse_entry(field, value) if typed else states.make_entry(field, value)
        if entry != self._state.entries[path] or self._yaml_problem:
            entries = {**self._state.entries, path: entry}
            for other in states.displaced_fields(
                self._state, path, entry.value
            ):  # such as data.name, replaced by data.path
                entries[other] = states.parse_entry(self._fields[other], "")
            self._edit(State(entries, self._state.kinds), path if typed else None)

    def end_edit(self) -> None:
        """End an edit, as when a field loses the focus: further typing is a new step for undo."""
        self._merging = None

    @property
    def errors(self) -> dict[str, str]:
        """Errors: path -> message. Conflicts between fields are under the group's path, '' for the whole."""
        return self._errors

    def error(self, path: str) -> str:
        """Return the error of a field or group; '' if there is none."""
        return self._errors.get(path, "")

    @property
    def is_valid(self) -> bool:
        return not self._errors

    def differs(self, path: str) -> bool:
        """Return True if a field's value is not the preset's."""
        reference = self._reference[path]
        return reference is not MISSING and bool(self.get(path) != reference)

    @property
    def differing(self) -> list[str]:
        """Paths of the fields whose values are not the preset's."""
        return [path for path in self._fields if self.differs(path)]

    def preset_text(self, path: str) -> str:
        """Return the preset's value of a field in words; '' if it has none."""
        reference = self._reference[path]
        return "" if reference is MISSING else describe(self._fields[path], reference)

    def reset(self, path: str) -> None:
        """Reset a field, or all fields of a group ('' for all), to the preset's value."""
        field = self._fields.get(path)
        if field is not None and not field.is_discriminator:
            entry = states.make_entry(field, self._reference[path])
            self._edit(State({**self._state.entries, path: entry}, self._state.kinds), None)
        else:
            group = path if field is None else field.group
            self._edit(states.restore_group(self.config_class, self._state, self._base, group), None)

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)

    def undo(self) -> str:
        """Undo the last edit; return the path of the first field that changed, '' if none did."""
        return self._step(self._past, self._future)

    def redo(self) -> str:
        """Redo an undone edit; return the path of the first field that changed, '' if none did."""
        return self._step(self._future, self._past)

    @property
    def values(self) -> dict[str, Any]:
        return self._state.plain

    @property
    def base(self) -> dict[str, Any] | None:
        """Values of the preset as nested dictionaries; None if the form is compared with the defaults."""
        return self._base.plain if self.has_preset else None

    def yaml(self) -> str:
        return write_yaml(self._state.tree)

    def set_yaml(self, text: str) -> None:
        """Replace all values by those of YAML text. Invalid YAML is an error, and the values stay."""
        values, problem = read_yaml(text)
        flat, kinds, problems = flatten(self.config_class, values) if not problem else ({}, (), [problem])
        self._yaml_problem = " ".join(problems) or self._other_experiment(flat)
        if self._yaml_problem:
            self._revalidate()
            self.changed.emit()
            return
        self._edit(
            states.keep_typed_text(self._state, states.make_state_from_flat(self.config_class, flat, kinds)), "yaml"
        )

    @property
    def yaml_problem(self) -> str:
        """Why the YAML typed last is invalid; '' if it is valid, or an edit has replaced it since."""
        return self._yaml_problem

    def config(self) -> Config:
        """Return the configuration.

        Raises:
            InputError: The form has errors.
        """
        if self._errors:
            lines = (f"{path}: {message}" if path else message for path, message in self._errors.items())
            raise InputError("The configuration has errors. " + "\n".join(lines), field=next(iter(self._errors)))
        return self.config_class.model_validate(self.values)

    def _edit(self, state: State, merging: str | None) -> None:
        self._record(replace(self._snapshot, state=state), merging)

    def _record(self, snapshot: Snapshot, merging: str | None) -> None:
        if merging is None or merging != self._merging:
            self._past = [*self._past, self._snapshot][-MAX_UNDO_STEPS:]
        self._future = []
        self._merging = merging
        self._show(snapshot)

    def _step(self, source: list[Snapshot], target: list[Snapshot]) -> str:
        if not source:
            return ""
        before = self._state.entries
        target.append(self._snapshot)
        self._merging = None
        self._show(source.pop())
        after = self._state.entries
        return next((path for path in self._fields if path not in before or before[path] != after[path]), "")

    def _show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._yaml_problem = ""
        self._revalidate()
        self.changed.emit()

    def _revalidate(self) -> None:
        self._state, self._base = self._snapshot.state, self._snapshot.base
        self._fields = {field.path: field for field in self.root.fields}
        self._reference = {
            field.path: states.reference_value(field, self._state, self._base) for field in self.root.fields
        }
        self._errors = states.find_errors(self.config_class, self._state)
        if self._yaml_problem:
            self._errors = {"": f"The YAML is invalid. {self._yaml_problem}"} | self._errors

    def _other_experiment(self, flat: Mapping[str, Any]) -> str:
        """Return why values of another experiment are refused: its form has other fields."""
        if not issubclass(self.config_class, ExperimentConfig):
            return ""
        ours, theirs = self.get("experiment"), flat["experiment"]
        return (
            ""
            if ours == theirs
            else f"This form is for the experiment '{ours}'. For '{theirs}', choose one of its presets."
        )
