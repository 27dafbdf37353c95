"""Works out plain expressions of Python: literals, arithmetic, f-strings, ``os.getenv``. Runs nothing. Pure.

A value remembers the environment variables that it depends on. The number of CPUs is a value of its own,
`CPUS`, and so is whatever is computed from it; what is not plain is `UNKNOWN`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from srvctl.migrate.pyfunctions import (
    COMPARISONS,
    CONSTANTS,
    CPU_COUNTS,
    FUNCTIONS,
    GETENV,
    METHODS,
    NUMBERS,
    SIGNS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class _Sign(Enum):
    UNKNOWN = "unknown"
    CPUS = "cpus"


UNKNOWN: Final = _Sign.UNKNOWN
CPUS: Final = _Sign.CPUS
#: Longer texts and larger numbers are no settings, and would take memory: ``"a" * 10**9``.
_LARGEST: Final = 2**63
_LONGEST: Final = 10**5
#: Its width could be huge: ``{:>9999999999}``.
_FORMAT_SPEC: Final = re.compile(r"\{[^}]*:")


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression stands for.

    Attributes:
        content: The value itself, `CPUS` or `UNKNOWN`.
        variables: Environment variables it depends on.
        why: What keeps it from being known, as the end of a sentence; empty for no special reason.
    """

    content: Any
    variables: tuple[str, ...] = ()
    why: str = ""

    def also(self, variables: Iterable[str]) -> Value:
        """Return it with further variables it depends on."""
        return Value(self.content, tuple(dict.fromkeys((*self.variables, *variables))), self.why)


class _CannotTellError(Exception):
    """The expression is not plain; ends in `Evaluator.__call__`."""

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why


class Evaluator:
    """Works out expressions of one file."""

    def __init__(self, known: Mapping[str, str], look_up: Callable[[str], Value | None]) -> None:
        self._known = known
        self._look_up = look_up
        self._modules: dict[str, str] = {}
        self._variables: list[str] = []

    def learn(self, statement: ast.Import | ast.ImportFrom) -> None:
        """Remember what an import calls things: ``import multiprocessing as mp``."""
        prefix = f"{statement.module}." if isinstance(statement, ast.ImportFrom) else ""
        for alias in statement.names:
            self._modules[alias.asname or alias.name] = f"{prefix}{alias.name}"

    def __call__(self, expression: ast.expr) -> Value:
        """Return what an expression stands for."""
        self._variables = []
        why = ""
        try:
            content = self._of(expression)
        except _CannotTellError as error:
            content, why = UNKNOWN, error.why
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
            content = UNKNOWN
        return Value(content, tuple(dict.fromkeys(self._variables)), why)

    def _of(self, node: ast.expr) -> Any:
        method = getattr(self, f"_of_{type(node).__name__.lower()}", None)
        if method is None:
            raise _CannotTellError
        return method(node)

    def _of_constant(self, node: ast.Constant) -> Any:
        return node.value

    def _of_name(self, node: ast.Name) -> Any:
        value = self._look_up(node.id)
        if value is None or value.content is UNKNOWN:
            raise _CannotTellError(value.why if value else "")
        self._variables += value.variables
        return value.content

    def _of_attribute(self, node: ast.Attribute) -> Any:
        name = self._dotted(node)
        if name not in CONSTANTS:
            raise _CannotTellError
        return CONSTANTS[name]

    def _of_list(self, node: ast.List) -> Any:
        return self._all(node.elts)

    def _of_tuple(self, node: ast.Tuple) -> Any:
        return self._all(node.elts)

    def _of_dict(self, node: ast.Dict) -> Any:
        if None in node.keys:
            raise _CannotTellError
        keys = self._all([key for key in node.keys if key is not None])
        return dict(zip(keys, self._all(node.values), strict=True))

    def _of_unaryop(self, node: ast.UnaryOp) -> Any:
        content = self._of(node.operand)
        if content is CPUS or type(node.op) not in SIGNS:
            raise _CannotTellError
        return SIGNS[type(node.op)](content)

    def _of_binop(self, node: ast.BinOp) -> Any:
        left, right = self._of(node.left), self._of(node.right)
        if left is CPUS or right is CPUS:
            return CPUS
        if type(node.op) not in NUMBERS:
            raise _CannotTellError
        self._check_size(node.op, left, right)
        return NUMBERS[type(node.op)](left, right)

    @staticmethod
    def _check_size(op: ast.operator, left: Any, right: Any) -> None:
        is_repetition = isinstance(op, ast.Mult) and not all(
            isinstance(x, (int, float)) for x in (left, right)
        )
        is_large = any(isinstance(x, int) and abs(x) > _LARGEST for x in (left, right))
        if is_repetition or is_large:
            raise _CannotTellError

    def _of_boolop(self, node: ast.BoolOp) -> Any:
        content: Any = None
        for part in node.values:
            content = self._of(part)
            if bool(content) is isinstance(node.op, ast.Or):
                return content
        return content

    def _of_compare(self, node: ast.Compare) -> Any:
        left = self._of(node.left)
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self._of(part)
            if CPUS in (left, right):
                raise _CannotTellError
            if not COMPARISONS[type(op)](left, right):
                return False
            left = right
        return True

    def _of_ifexp(self, node: ast.IfExp) -> Any:
        test = self._of(node.test)
        if test is CPUS:
            raise _CannotTellError
        return self._of(node.body if test else node.orelse)

    def _of_joinedstr(self, node: ast.JoinedStr) -> Any:
        parts = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue) and (
                part.format_spec is not None or part.conversion != -1
            ):
                raise _CannotTellError
            content = self._of(part.value if isinstance(part, ast.FormattedValue) else part)
            if content is CPUS:
                raise _CannotTellError
            parts.append(str(content))
        return "".join(parts)

    def _of_subscript(self, node: ast.Subscript) -> Any:
        if self._dotted(node.value) == "os.environ":
            name = self._text(node.slice)
            return self._variable(name)
        return self._of(node.value)[self._of(node.slice)]

    def _of_call(self, node: ast.Call) -> Any:
        name = self._dotted(node.func)
        if name in CPU_COUNTS or (name == "len" and "sched_getaffinity" in ast.dump(node)):
            return CPUS
        if name in GETENV:
            default = [*node.args[1:], *(keyword.value for keyword in node.keywords)]
            return self._variable(self._text(node.args[0]), default)
        if node.keywords:
            raise _CannotTellError
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            return self._method(node.func, node.args)
        if name not in FUNCTIONS:
            raise _CannotTellError
        contents = self._all(node.args)
        if any(content is CPUS for content in contents):
            return CPUS
        return FUNCTIONS[name](*contents)

    def _method(self, function: ast.Attribute, args: Sequence[ast.expr]) -> Any:
        text, contents = self._of(function.value), self._all(args)
        if not isinstance(text, str) or any(content is CPUS for content in contents):
            raise _CannotTellError
        if len(text) * max([len(x) for x in contents if isinstance(x, str)], default=1) > _LONGEST:
            raise _CannotTellError
        if function.attr == "format" and _FORMAT_SPEC.search(text):
            raise _CannotTellError
        return getattr(text, function.attr)(*contents)

    def _variable(self, name: str, default: Sequence[ast.expr] | None = None) -> Any:
        """Return the value of an environment variable, for which ``None`` says that it has to be set."""
        self._variables.append(name)
        if name in self._known:
            return self._known[name]
        if default is None:
            raise _CannotTellError(f"is ${name}, which is not known here")
        return self._of(default[0]) if default else None

    def _text(self, node: ast.expr) -> str:
        content = self._of(node)
        if not isinstance(content, str):
            raise _CannotTellError
        return content

    def _all(self, nodes: Sequence[ast.expr]) -> list[Any]:
        return [self._of(node) for node in nodes]

    def _dotted(self, node: ast.expr) -> str:
        """Return the full name of a function or constant: ``mp.cpu_count`` is multiprocessing's."""
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        return self._modules.get(node.id, node.id) if isinstance(node, ast.Name) else ""
