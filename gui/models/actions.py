"""Actions as data: menus, toolbar and command palette are built from one table."""

from collections.abc import Callable
from dataclasses import dataclass

from .workspace import WorkspaceModel


@dataclass(frozen=True)
class Action:
    """Something a user can do.

    Attributes:
        id: Name of the method of ``Commands`` that does it.
        menu: Key of its menu in ``MENUS``.
        title: Menu text; & precedes the mnemonic letter.
        keys: Shortcut; '' for none.
        about: One line of help.
        is_enabled: True if the action applies now.
        on_toolbar: Whether the toolbar shows it.
        separator: Whether a line is drawn above it.
        for_run: Whether the context menu of a run shows it.
        group: Exclusive group in which one action is checked at a time; '' for none.
        more_keys: Further shortcuts.
        short: Toolbar text where it differs from the title.
    """

    id: str
    menu: str
    title: str
    keys: str
    about: str
    is_enabled: Callable[[WorkspaceModel], bool] = lambda model: True
    on_toolbar: bool = False
    separator: bool = False
    for_run: bool = False
    group: str = ""
    more_keys: tuple[str, ...] = ()
    short: str = ""

    @property
    def name(self) -> str:
        """Title without mnemonics and dots."""
        return self.title.replace("&", "").rstrip(".")


def _is_open(model: WorkspaceModel) -> bool:
    return model.folder is not None


def _has_run(model: WorkspaceModel) -> bool:
    return model.focused is not None


def _in(*states: str) -> Callable[[WorkspaceModel], bool]:
    return lambda model: model.focused is not None and model.focused.state in states


MENUS = {"file": "&File", "edit": "&Edit", "run": "&Run", "view": "&View", "compare": "&Compare", "help": "&Help"}

ACTIONS = (
    Action("open_workspace", "file", "&Open workspace...", "Ctrl+O", "Show the runs of another folder"),
    Action("open_yaml", "file", "Open &configuration...", "Ctrl+Shift+O", "Fill the form from a YAML file"),
    Action("save_yaml", "file", "&Save configuration...", "Ctrl+S", "Write the form to a YAML file"),
    Action("export_figure", "file", "&Export figure...", "Ctrl+E", "Write the figure of this tab", separator=True),
    Action("export_csv", "file", "Export CS&V...", "Ctrl+Shift+E", "Write the numbers of this tab"),
    Action(
        "export_all",
        "file",
        "Export figure, CSV and confi&guration...",
        "Ctrl+Alt+E",
        "Write the figure and the numbers of this tab and the run's configuration",
        _has_run,
    ),
    Action("close", "file", "&Quit", "Ctrl+Q", "Close the window; runs continue", separator=True),
    Action("undo", "edit", "&Undo", "Ctrl+Z", "Undo the last change in the form"),
    Action("redo", "edit", "&Redo", "Ctrl+Shift+Z", "Redo the change that was undone last", more_keys=("Ctrl+Y",)),
    Action("copy_figure", "edit", "&Copy figure", "Ctrl+Shift+C", "Copy this tab's figure as an image", separator=True),
    Action("find_run", "edit", "&Find runs", "Ctrl+F", "Filter the table of runs"),
    Action("new_run", "run", "&New from preset...", "Ctrl+N", "Fill the form from a preset", on_toolbar=True),
    Action("start_run", "run", "&Run", "Ctrl+R", "Start a run of the form", _is_open, on_toolbar=True),
    Action(
        "stop_run",
        "run",
        "&Stop",
        "Ctrl+.",
        "Write a checkpoint and stop; Resume continues",
        _in("running"),
        on_toolbar=True,
        for_run=True,
    ),
    Action(
        "resume_run",
        "run",
        "R&esume",
        "Ctrl+Shift+R",
        "Continue the run from its last checkpoint",
        _in("stopped", "killed", "failed"),
        on_toolbar=True,
        for_run=True,
    ),
    Action(
        "duplicate_run",
        "run",
        "&Duplicate",
        "Ctrl+D",
        "Fill the form from this run",
        _has_run,
        on_toolbar=True,
        for_run=True,
    ),
    Action(
        "kill_run",
        "run",
        "&Kill...",
        "",
        "End the run's process immediately",
        _in("running"),
        separator=True,
        for_run=True,
    ),
    Action(
        "show_folder", "run", "Show &folder", "", "Open the run's folder in the file manager", _has_run, for_run=True
    ),
    Action(
        "show_traceback", "run", "Show &traceback", "Ctrl+T", "Show why the run failed", _in("failed"), for_run=True
    ),
    Action("show_palette", "view", "Command &palette", "Ctrl+Shift+P", "Find an action by typing"),
    Action("next_tab", "view", "&Next tab", "Ctrl+PgDown", "Show the tab to the right", separator=True),
    Action("previous_tab", "view", "P&revious tab", "Ctrl+PgUp", "Show the tab to the left"),
    Action("theme_light", "view", "&Light theme", "", "Dark on white", separator=True, group="theme"),
    Action("theme_dark", "view", "&Dark theme", "", "Light on dark", group="theme"),
    Action("theme_system", "view", "S&ystem's theme", "", "Light or dark, following the desktop", group="theme"),
    Action(
        "toggle_overlay",
        "compare",
        "&Overlay run",
        "Ctrl+L",
        "Overlay the run on others in the tabs Live and Sparsity",
        _has_run,
        separator=True,
        for_run=True,
    ),
    Action(
        "clear_overlay", "compare", "&Clear overlay", "Ctrl+Shift+L", "Remove every overlay", lambda m: bool(m.overlaid)
    ),
    Action(
        "show_differences",
        "compare",
        "Configuration &differences",
        "",
        "List the fields in which the selected or overlaid runs differ",
        _has_run,
        for_run=True,
        on_toolbar=True,
        short="Differences",
    ),
    Action("show_shortcuts", "help", "&Shortcuts", "F1", "List every action and its keys"),
    Action("show_about", "help", "&About tfticket", "", "Show the versions of the program and its libraries"),
)
"""All actions, in menu order."""


def matching_actions(text: str, model: WorkspaceModel) -> list[Action]:
    """Return the enabled actions that contain every word of a text; matches in the title come first."""
    words = text.casefold().split()

    def matches(words_of_action: str) -> bool:
        return all(word in words_of_action.casefold() for word in words)

    actions = [a for a in ACTIONS if a.is_enabled(model) and matches(f"{a.name} {a.about}")]
    return sorted(actions, key=lambda action: not matches(action.name))
