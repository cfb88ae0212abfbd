"""Actions as data: menus, toolbar and command palette are built from one table."""

from dataclasses import dataclass

from .workspace import WorkspaceModel


@dataclass(frozen=True)
class Action:
    """Something a user can do.

    Attributes:
        id: Name of the method of ``Commands`` that does it.
        menu: Key of its menu in ``MENUS``.
        title: Menu text; & precedes the mnemonic letter.
        keys: Shortcut; '' for none, several with '; ' between.
        about: One line of help.
        needs: 'workspace', 'run', 'overlay', or the states of the run in focus in which it applies; '' for always.
        symbol: Its symbol on the toolbar; '' if the toolbar does not show it.
        short: Toolbar text where it differs from the title.
        separator: Whether a line is drawn above it.
        is_theme: Whether it is one of the themes, of which one is checked.
    """

    id: str
    menu: str
    title: str
    keys: str
    about: str
    needs: str = ""
    symbol: str = ""
    short: str = ""
    separator: bool = False
    is_theme: bool = False

    @property
    def name(self) -> str:
        """Title without mnemonics and dots."""
        return self.title.replace("&", "").rstrip(".")

    @property
    def for_run(self) -> bool:
        """True if the context menu of a run shows it."""
        return self.menu != "file" and self.needs not in ("", "workspace", "overlay")

    def is_enabled(self, model: WorkspaceModel) -> bool:
        """Return True if it applies now."""
        if self.needs == "workspace":
            return model.folder is not None
        if self.needs == "overlay":
            return bool(model.overlaid)
        run = model.focused
        return not self.needs or (run is not None and (self.needs == "run" or run.state in self.needs.split()))


MENUS = {"file": "&File", "edit": "&Edit", "run": "&Run", "view": "&View", "compare": "&Compare", "help": "&Help"}

_EXPORT_ALL = "Write the figure and the numbers of this tab and the run's configuration"
_RESUME = "Continue the run from its last checkpoint"
_OVERLAY = "Overlay the run on others in the tabs Live and Sparsity"
_DIFFERENCES = "List the fields in which the selected or overlaid runs differ"

ACTIONS = (
    Action("open_workspace", "file", "&Open workspace...", "Ctrl+O", "Show the runs of another folder"),
    Action("open_yaml", "file", "Open &configuration...", "Ctrl+Shift+O", "Fill the form from a YAML file"),
    Action("save_yaml", "file", "&Save configuration...", "Ctrl+S", "Write the form to a YAML file"),
    Action("export_figure", "file", "&Export figure...", "Ctrl+E", "Write the figure of this tab", separator=True),
    Action("export_csv", "file", "Export CS&V...", "Ctrl+Shift+E", "Write the numbers of this tab"),
    Action("export_all", "file", "Export figure, CSV and confi&guration...", "Ctrl+Alt+E", _EXPORT_ALL, "run"),
    Action("close", "file", "&Quit", "Ctrl+Q", "Close the window; runs continue", separator=True),
    Action("undo", "edit", "&Undo", "Ctrl+Z", "Undo the last change in the form"),
    Action("redo", "edit", "&Redo", "Ctrl+Shift+Z; Ctrl+Y", "Redo the change that was undone last"),
    Action("copy_figure", "edit", "&Copy figure", "Ctrl+Shift+C", "Copy this tab's figure as an image", separator=True),
    Action("find_run", "edit", "&Find runs", "Ctrl+F", "Filter the table of runs"),
    Action("new_run", "run", "&New from preset...", "Ctrl+N", "Fill the form from a preset", symbol="+"),
    Action("start_run", "run", "&Run", "Ctrl+R", "Start a run of the form", "workspace", "▶"),
    Action("stop_run", "run", "&Stop", "Ctrl+.", "Write a checkpoint and stop; Resume continues", "running", "■"),
    Action("resume_run", "run", "R&esume", "Ctrl+Shift+R", _RESUME, "stopped killed failed", "»"),
    Action("duplicate_run", "run", "&Duplicate", "Ctrl+D", "Fill the form from this run", "run", "❐"),
    Action("kill_run", "run", "&Kill...", "", "End the run's process immediately", "running", separator=True),
    Action("show_folder", "run", "Show &folder", "", "Open the run's folder in the file manager", "run"),
    Action("show_traceback", "run", "Show &traceback", "Ctrl+T", "Show why the run failed", "failed"),
    Action("show_palette", "view", "Command &palette", "Ctrl+Shift+P", "Find an action by typing"),
    Action("next_tab", "view", "&Next tab", "Ctrl+PgDown", "Show the tab to the right", separator=True),
    Action("previous_tab", "view", "P&revious tab", "Ctrl+PgUp", "Show the tab to the left"),
    Action("theme_light", "view", "&Light theme", "", "Dark on white", separator=True, is_theme=True),
    Action("theme_dark", "view", "&Dark theme", "", "Light on dark", is_theme=True),
    Action("theme_system", "view", "S&ystem's theme", "", "Light or dark, following the desktop", is_theme=True),
    Action("toggle_overlay", "compare", "&Overlay run", "Ctrl+L", _OVERLAY, "run", separator=True),
    Action("clear_overlay", "compare", "&Clear overlay", "Ctrl+Shift+L", "Remove every overlay", "overlay"),
    Action("show_differences", "compare", "Configuration &differences", "", _DIFFERENCES, "run", "≠", "Differences"),
    Action("show_shortcuts", "help", "&Shortcuts", "F1", "List every action and its keys"),
    Action("show_about", "help", "&About tfticket", "", "Show the versions of the program and its libraries"),
)


def matching_actions(text: str, model: WorkspaceModel) -> list[Action]:
    """Return the enabled actions that contain every word of a text; matches in the title come first."""
    words = text.casefold().split()

    def matches(words_of_action: str) -> bool:
        return all(word in words_of_action.casefold() for word in words)

    actions = [a for a in ACTIONS if a.is_enabled(model) and matches(f"{a.name} {a.about}")]
    return sorted(actions, key=lambda action: not matches(action.name))
