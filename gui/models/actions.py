"""What a user can do, as data: menus, toolbar and command palette are made from this one table."""

from collections.abc import Callable
from dataclasses import dataclass

from .workspace import WorkspaceModel


@dataclass(frozen=True)
class Action:
    """Something a user can do.

    Attributes:
        id: The name of the window's method that does it.
        menu: The menu it is in.
        title: What it is called there; & is before the letter that chooses it.
        keys: Its shortcut, '' for none.
        about: One line about it.
        can: Whether it can be done now.
        toolbar: Whether the toolbar has it too.
        apart: Whether a line is drawn above it.
        of_run: Whether the menu of a run in the table has it too.
        more_keys: Further shortcuts.
        short: What the toolbar calls it, where that is not the title.
        one_of: A group of which one is chosen, and marked, at a time; '' for none.
    """

    id: str
    menu: str
    title: str
    keys: str
    about: str
    can: Callable[[WorkspaceModel], bool] = lambda model: True
    toolbar: bool = False
    apart: bool = False
    of_run: bool = False
    one_of: str = ""
    more_keys: tuple[str, ...] = ()
    short: str = ""

    @property
    def name(self) -> str:
        """The title without marks."""
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
    Action("export_figure", "file", "&Export figure...", "Ctrl+E", "Write the figure of this tab", apart=True),
    Action("export_csv", "file", "Export CS&V...", "Ctrl+Shift+E", "Write the numbers of this tab"),
    Action(
        "export_all",
        "file",
        "Export figure, CSV and confi&guration...",
        "Ctrl+Alt+E",
        "Write the figure and the numbers of this tab and the run's configuration",
        _has_run,
    ),
    Action("close", "file", "&Quit", "Ctrl+Q", "Close the window; runs go on", apart=True),
    Action("undo", "edit", "&Undo", "Ctrl+Z", "Take back the last change in the form"),
    Action("redo", "edit", "&Redo", "Ctrl+Shift+Z", "Make it again", more_keys=("Ctrl+Y",)),
    Action("copy_figure", "edit", "&Copy figure", "Ctrl+Shift+C", "Copy this tab's figure as a picture", apart=True),
    Action("find_run", "edit", "&Find runs", "Ctrl+F", "Type a filter for the table of runs"),
    Action("new_run", "run", "&New from preset...", "Ctrl+N", "Fill the form from a preset", toolbar=True),
    Action("start_run", "run", "&Run", "Ctrl+R", "Start what the form says", _is_open, toolbar=True),
    Action(
        "stop_run",
        "run",
        "&Stop",
        "Ctrl+.",
        "Checkpoint and stop; it can go on later",
        _in("running"),
        toolbar=True,
        of_run=True,
    ),
    Action(
        "resume_run",
        "run",
        "R&esume",
        "Ctrl+Shift+R",
        "Go on where the run stopped",
        _in("stopped", "killed", "failed"),
        toolbar=True,
        of_run=True,
    ),
    Action(
        "duplicate_run", "run", "&Duplicate", "Ctrl+D", "Fill the form as this run", _has_run, toolbar=True, of_run=True
    ),
    Action("kill_run", "run", "&Kill...", "", "End its process at once", _in("running"), apart=True, of_run=True),
    Action(
        "show_folder", "run", "Show &folder", "", "Open the run's folder in the file manager", _has_run, of_run=True
    ),
    Action("show_traceback", "run", "Show &traceback", "Ctrl+T", "Why the run failed", _in("failed"), of_run=True),
    Action("show_palette", "view", "Command &palette", "Ctrl+Shift+P", "Find an action by typing"),
    Action("next_tab", "view", "&Next tab", "Ctrl+PgDown", "Show the tab to the right", apart=True),
    Action("previous_tab", "view", "P&revious tab", "Ctrl+PgUp", "Show the tab to the left"),
    Action("theme_light", "view", "&Light theme", "", "Dark on white", apart=True, one_of="theme"),
    Action("theme_dark", "view", "&Dark theme", "", "Light on dark", one_of="theme"),
    Action("theme_system", "view", "S&ystem's theme", "", "Light or dark, as the desktop has it", one_of="theme"),
    Action(
        "toggle_eye",
        "compare",
        "&Overlay run",
        "Ctrl+L",
        "Show the run beside others in the tabs Live and Sparsity",
        _has_run,
        apart=True,
        of_run=True,
    ),
    Action("clear_eyes", "compare", "&Clear overlay", "Ctrl+Shift+L", "Show one run alone", lambda m: bool(m.eyes)),
    Action(
        "show_differences",
        "compare",
        "Configuration &differences",
        "",
        "Fields that differ between the runs that are selected or overlaid",
        _has_run,
        of_run=True,
        toolbar=True,
        short="Differences",
    ),
    Action("show_shortcuts", "help", "&Shortcuts", "F1", "Every action and its keys"),
    Action("show_about", "help", "&About tfticket", "", "Versions"),
)
"""Every action, in the order of its menu."""


def matching(text: str, model: WorkspaceModel) -> list[Action]:
    """Actions that can be done now and have every word of a text in their title or line, for the palette."""
    words = text.casefold().split()
    found = [action for action in ACTIONS if action.can(model)]
    fitting = [action for action in found if all(word in f"{action.name} {action.about}".casefold() for word in words)]
    return sorted(fitting, key=lambda action: not all(word in action.name.casefold() for word in words))
