"""Reference pages that come from the code: a page's line `% generated` is replaced by Markdown made here."""

import importlib
import inspect
import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from rich.text import Text

from tfticket.cli import app as command_line
from tfticket.config.durations import Duration, Rewind
from tfticket.config.schema import Config, config_classes
from tfticket.registry import DATA_SETS, EXPERIMENTS, resolve

MARK = "% generated"


def fill(app: Any, page: str, source: list[str]) -> None:
    """Put what is made here into a page, when Sphinx reads it."""
    if page in PAGES:
        assert MARK in source[0], f"{page} has no line '{MARK}'"
        source[0] = source[0].replace(MARK, "\n".join(PAGES[page]()))


def configuration() -> Iterator[str]:
    """Every field of every experiment's configuration."""
    for name, entry in EXPERIMENTS.items():
        module = importlib.import_module(entry.target.partition(":")[0])
        yield f"## {name}\n\n{sentence(prose(entry.about))}\n"
        yield from fields_of(module.Config, None, "", 3)


def fields_of(cls: type[Config], default: Config | None, prefix: str, depth: int) -> Iterator[str]:
    """A table of the plain fields, then a section for each field that is a configuration itself."""
    rows, sections = [], []
    for name, field in cls.model_fields.items():
        key = f"{prefix}{name}"
        value = getattr(default, name) if default is not None else ... if field.is_required() else field.get_default()
        inner, listed = config_classes(field.annotation), get_origin(field.annotation) is tuple
        if listed or not inner:
            kind = type_text(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)
            usual = "required" if value is ... else code(yaml_text(value))
            rows.append([code(key), kind, usual, prose(field.description or "")])
        for part in inner:
            title = code(key)
            if len(inner) > 1:
                usual = " (the default)" if isinstance(value, part) else ""
                title += f" with {code('name: ' + part.model_fields['name'].get_default())}{usual}"
            if listed:
                sections.append((f"One of {title}", prose(inspect.getdoc(part) or ""), part, None, ""))
                continue
            own = value if isinstance(value, part) else part()
            sections.append((title, prose(inspect.getdoc(part) or ""), part, own, f"{key}."))
    if rows:
        yield from table(["field", "type", "default", "what it is"], rows)
    for title, about, part, own, inside in sections:
        yield f"{'#' * depth} {title}\n\n{about}\n"
        yield from fields_of(part, own, inside, min(depth + 1, 4))


def type_text(annotation: Any, plural: str = "") -> str:
    """A type in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *notes = parts
        if Duration.__metadata__[0] in notes:
            return f"duration{plural}"
        if Rewind.__metadata__[0] in notes:
            return "duration or `none`"
        notes = [part for note in notes for part in getattr(note, "metadata", [note])]
        bounds = [f"{sign} {getattr(note, name)}" for note in notes for name, sign in SIGNS if hasattr(note, name)]
        bounds += [f"({note.min_length} or more)" for note in notes if getattr(note, "min_length", 0) > 1]
        kind, null, _ = type_text(inner, plural).partition(" or null")
        return f"{kind} {', '.join(bounds)}".strip() + null
    if origin is Literal:
        return " or ".join(map(code, parts))
    if origin in (Union, types.UnionType):
        return " or ".join(type_text(part, plural) for part in parts)
    if origin is tuple:
        return f"list of {type_text(parts[0], 's')}"
    if origin is dict:
        return f"table of {type_text(parts[1], 's')} by name"
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return f"name{plural} or table{plural}"
    if annotation is bool:
        return "true or false"
    if annotation is type(None):
        return "null"
    return {int: "integer", float: "number", str: "text"}[annotation] + plural


SIGNS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


def yaml_text(value: Any) -> str:
    """A default as a YAML file says it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(yaml_text, value))}]"
    if isinstance(value, Config):
        return yaml_text(value.model_dump(mode="json"))
    if isinstance(value, float):
        return f"{value:g}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def commands() -> Iterator[str]:
    """Every command with its arguments, options and examples."""
    group: Any = typer.main.get_command(command_line)
    for name, command in {"": group, **group.commands}.items():
        arguments = [argument_text(part) for part in command.params if part.param_type_name == "argument"]
        arguments += [] if name else ["COMMAND"]
        title = f"tfticket {name}".strip()
        yield f"## {title}\n\n{prose(command.help)}\n\n```text\n{' '.join([title, '[OPTIONS]', *arguments])}\n```\n"
        yield from parameters(command)
        yield from epilog(command.epilog or "")


def argument_text(parameter: Any) -> str:
    """An argument as the line of usage says it."""
    text = parameter.metavar or parameter.name.upper()
    if parameter.metavar is None and parameter.nargs == -1:
        text += "..."
    return text if parameter.required or text.startswith("[") else f"[{text}]"


def parameters(command: Any) -> Iterator[str]:
    """Arguments and options, what they are, their defaults and environment variables."""
    rows = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = code(parameter.metavar or parameter.name.upper())
        else:
            name = ", ".join(map(code, parameter.opts))
            name += "" if parameter.is_flag else f" {code(parameter.metavar or parameter.name.upper())}"
        notes = [prose(plain(parameter.help or ""))]
        if parameter.required:
            notes.append("Required.")
        elif parameter.default not in (None, False, ()) and not callable(parameter.default):
            notes.append(f"Default: {code(parameter.default)}.")
        if parameter.envvar:
            notes.append(f"Or the environment variable {code(parameter.envvar)}.")
        rows.append([name, " ".join(notes)])
    yield from table(["argument or option", "what it is"], rows)


def epilog(text: str) -> Iterator[str]:
    """Examples as a block of commands, what is said beside them as text."""
    block: list[str] = []
    for line in [*text.split("\n\n"), ""]:
        if line.startswith("  "):
            block.append(line.strip())
            continue
        if block:
            yield "```bash\n" + "\n".join(block) + "\n```\n"
            block = []
        if line:
            yield prose(" ".join(plain(line).split())) + "\n"


def data_sets() -> Iterator[str]:
    """Every data set that has a name."""
    for name, entry in DATA_SETS.items():
        source = resolve(entry.target)
        places = [f"among the program's own files: {code(source.bundled)}"] if source.bundled else []
        if source.files:
            places.append(f"in each folder of data sets: {', '.join(map(code, source.files))}")
        if source.installed:
            places.append(f"where a system's package puts it: {code(source.installed)}")
        if source.remote:
            places.append("downloaded: " + ", ".join(f"<{remote.url}>" for remote in source.remote))
        rows = [
            ["label in figures and tables", source.label],
            ["licence", prose(source.licence)],
            ["contents checksum", code(source.contents) if source.contents else "not known, so not checked"],
            ["looked for", "<br>".join(f"{number}. {place}" for number, place in enumerate(places, 1))],
        ]
        yield f"## {name}\n\n{sentence(prose(entry.about))}\n"
        yield from table(["", ""], rows)
        if source.get:
            yield f"{prose(source.get)}\n"


def table(header: list[str], rows: list[list[Any]]) -> Iterator[str]:
    """A table in Markdown."""
    yield line(header)
    yield line(["---"] * len(header))
    yield from (line(row) for row in rows)
    yield ""


def line(cells: list[Any]) -> str:
    """A row of a table in Markdown."""
    return "| " + " | ".join(str(cell or "").replace("|", "\\|") for cell in cells) + " |"


def code(text: Any) -> str:
    """Text as code."""
    return f"`{text}`"


def plain(text: str) -> str:
    """A help text without the marks of its colours, what is bold as code."""
    return Text.from_markup(re.sub(r"\[bold\](.*?)\[/\]", r"`\1`", text)).plain


def prose(text: str) -> str:
    """A text of the code as Markdown that shows the same characters; what is in backquotes stays code."""
    parts = re.split(r"(`+[^`]+`+)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([<*\[])", r"\\\1", part) for part in parts)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


PAGES = {
    "reference/cli": commands,
    "reference/configuration": configuration,
    "reference/data-sets": data_sets,
}


def docstring(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text: a star is a star, and 'x_train, x_test: uint8' tells of each of them."""
    result = []
    for text in lines:
        several = re.fullmatch(r"( +)(\w+(?:, \w+)+)(: .*)", text)
        result += [f"{several[1]}{part}{several[3]}" for part in several[2].split(", ")] if several else [text]
    lines[:] = [re.sub(r"(?<![*\\])\*(?!\*)", r"\\*", text) for text in result]


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", fill)
    app.connect("autodoc-process-docstring", docstring, priority=400)  # before napoleon
    return {"parallel_read_safe": True}
