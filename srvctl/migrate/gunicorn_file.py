"""Reads a ``gunicorn.conf.py`` without running it: what its statements would assign, as far as that is plain.

The environment is taken for empty, but for what is known of it: ``os.getenv("PORT", "80")`` is 80, and the
value remembers that it depends on ``$PORT``. What cannot be understood is listed with its line, never
guessed. Expressions are worked out by `pyvalues`. Pure.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from srvctl.migrate.gunicorn_options import HOOKS, NAMES
from srvctl.migrate.pyvalues import CPUS, UNKNOWN, Evaluator, Value
from srvctl.migrate.result import Given

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LONGEST: Final = 60
_Assignment = ast.Assign | ast.AnnAssign | ast.AugAssign


@dataclass(slots=True)
class Conf:
    """What a configuration file says.

    Attributes:
        values: Settings by name.
        hooks: Server hooks it defines, with their place.
        unclear: Places that could not be understood, each with a sentence.
    """

    values: dict[str, Given] = field(default_factory=dict)
    hooks: dict[str, str] = field(default_factory=dict)
    unclear: list[tuple[str, str]] = field(default_factory=list)


def read_conf(text: str, name: str, known: Mapping[str, str]) -> Conf:
    """Read a configuration file.

    Args:
        text: Its text.
        name: What it is called in messages.
        known: Environment variables whose values are known.
    """
    conf = Conf()
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        conf.unclear.append((f"{name}:{line}" if line else name, f"is not valid Python: {error}"))
        return conf
    reader = _Reader(name, known)
    reader.run(statements, ())
    conf.unclear += reader.unclear
    _sort(reader, conf)
    return conf


def _sort(reader: _Reader, conf: Conf) -> None:
    """Tell settings, hooks and helper variables apart."""
    for variable, (value, line) in reader.names.items():
        origin = f"{reader.file}:{line} {variable}"
        if variable in HOOKS:
            conf.hooks[variable] = origin
        elif variable in NAMES:
            _add(variable, value, origin, conf)


def _add(variable: str, value: Value, origin: str, conf: Conf) -> None:
    if value.content is UNKNOWN:
        why = value.why or "is more than can be read without running it"
        conf.unclear.append((origin, f"{why}; the setting was left out"))
        return
    content = value.content
    if content is CPUS:
        content = "auto"
        why = "depends on the number of CPUs; auto was taken, which counts those that srvctl may use"
        conf.unclear.append((origin, why))
    conf.values[variable] = Given(variable, content, origin, value.variables)


class _Reader:
    """Goes through statements in their order and remembers what each name stands for."""

    def __init__(self, file: str, known: Mapping[str, str]) -> None:
        self.file = file
        self.names: dict[str, tuple[Value, int]] = {}
        self.unclear: list[tuple[str, str]] = []
        self._evaluate = Evaluator(known, lambda name: self.names[name][0] if name in self.names else None)

    def run(self, statements: Iterable[ast.stmt], depends_on: Sequence[str]) -> None:
        """Read statements.

        Args:
            statements: In their order.
            depends_on: Variables that decide whether they run at all.
        """
        for statement in statements:
            match statement:
                case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                    self._assign(statement, depends_on)
                case ast.If():
                    self._choose(statement, depends_on)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    self._set(statement.name, Value(UNKNOWN, why="is a function"), statement.lineno)
                case ast.Import() | ast.ImportFrom():
                    self._import(statement)
                case ast.Expr() | ast.Assert() | ast.Pass():
                    pass  # print(...), a docstring
                case _:
                    self._give_up(statement)

    def _assign(self, statement: _Assignment, depends_on: Sequence[str]) -> None:
        if statement.value is None:
            return
        expression = statement.value
        if isinstance(statement, ast.AugAssign):
            expression = ast.BinOp(left=_as_read(statement.target), op=statement.op, right=statement.value)
        value = self._evaluate(expression).also(depends_on)
        if value.content is UNKNOWN:
            why = value.why or f"is {_shown(statement.value)}, which is not known"
            value = Value(UNKNOWN, value.variables, why)
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            self._assign_to(target, value, statement.lineno)

    def _assign_to(self, target: ast.expr, value: Value, line: int) -> None:
        match target:
            case ast.Name():
                self._set(target.id, value, line)
            case ast.Tuple() | ast.List():
                content = value.content if isinstance(value.content, (list, tuple)) else ()
                for position, part in enumerate(target.elts):
                    is_there = len(content) == len(target.elts)
                    inner = content[position] if is_there else UNKNOWN
                    self._assign_to(part, Value(inner, value.variables), line)
            case ast.Subscript(value=ast.Name(id=name)) if name in self.names:  # d["a"] = 1
                self._set(name, Value(UNKNOWN, why="is changed behind its assignment"), line)
            case _:
                pass  # os.environ["A"] = "b" changes no setting

    def _choose(self, statement: ast.If, depends_on: Sequence[str]) -> None:
        test = self._evaluate(statement.test)
        if test.content is UNKNOWN or test.content is CPUS:
            self._give_up(statement)
            return
        branch = statement.body if test.content else statement.orelse
        skipped = statement.orelse if test.content else statement.body
        self.run(branch, (*depends_on, *test.variables))
        if test.variables:
            self._tell_of_skipped(skipped, test.variables)

    def _tell_of_skipped(self, statements: Sequence[ast.stmt], variables: Sequence[str]) -> None:
        """Remember for settings that another environment would make them something else."""
        for name, line in _assigned(statements):
            if name in self.names:
                value, at = self.names[name]
                self.names[name] = (value.also(variables), at)
            elif name in NAMES:
                named = " and ".join(f"${variable}" for variable in variables)
                self.unclear.append((f"{self.file}:{line} {name}", f"is set depending on {named}; left out"))

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            name = alias.asname or alias.name
            if alias.name == "*" and isinstance(statement, ast.ImportFrom):
                place = f"{self.file}:{statement.lineno}"
                self.unclear.append((place, f"what comes from {statement.module} is not read"))
            elif name in NAMES:
                self._set(name, Value(UNKNOWN, why="is imported from another module"), statement.lineno)
        self._evaluate.learn(statement)

    def _give_up(self, statement: ast.stmt) -> None:
        """Whatever a loop, a ``try`` or a branch that nobody can foresee assigns is not known."""
        for name, line in _assigned([statement]):
            self._set(name, Value(UNKNOWN, why="is assigned where it depends on what runs"), line)

    def _set(self, name: str, value: Value, line: int) -> None:
        self.names[name] = (value, line)


def _assigned(statements: Sequence[ast.stmt]) -> list[tuple[str, int]]:
    """Return every name that is assigned anywhere in some statements, with the line."""
    return [
        (node.id, node.lineno)
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def _as_read(target: ast.expr) -> ast.expr:
    return ast.Name(id=target.id, ctx=ast.Load()) if isinstance(target, ast.Name) else target


def _shown(expression: ast.expr) -> str:
    try:
        text = " ".join(ast.unparse(expression).split())
    except RecursionError:
        return "an expression of hundreds of parts"
    return f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text
