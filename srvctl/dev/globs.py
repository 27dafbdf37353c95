"""Glob patterns for paths, as `pathlib.PurePath.match` reads them, and ``**`` for any number of directories.

Pure. Read by `patterns`; PurePath itself knows ``**`` from Python 3.13 on only.
"""

from __future__ import annotations

import posixpath
import re

_CLASS = re.compile(r"\[(!?)(\]?[^\]]*)\]")
_ESCAPED = re.compile(r"([\\^&~|\[\]])")  # what means something in a set of `re`, or may one day


def compile_globs(patterns: list[str], cwd: str, *, hidden: bool) -> re.Pattern[str]:
    """Return what fully matches an absolute path that one of the patterns matches; nothing if there are none.

    A relative pattern is compared from the right, so that ``*.py`` is any such name and ``tests/*.py`` what
    is in any directory of that name.

    Args:
        patterns: The globs.
        cwd: What ``./`` and ``../`` at their beginning mean.
        hidden: Whether a wildcard matches a dot that a name begins with, which it does not in a shell.
    """
    parts = [_translate(pattern, cwd, hidden=hidden) for pattern in patterns]
    return re.compile("|".join(parts) if parts else r"(?!)", re.DOTALL)


def literal_names(patterns: list[str]) -> frozenset[str]:
    """Return the names in the patterns that are no pattern themselves."""
    names = (name for pattern in patterns for name in pattern.split("/"))
    return frozenset(name for name in names if name not in {"", ".", ".."} and not set(name) & set("*?["))


def _translate(pattern: str, cwd: str, *, hidden: bool) -> str:
    if pattern.startswith(("./", "../")):
        pattern = posixpath.normpath(posixpath.join(_escape(cwd), pattern))
    names = [name for name in pattern.split("/") if name not in {"", "."}]
    text = "/" if pattern.startswith("/") else "(?:.*/)?"
    for number, name in enumerate(names, 1):
        is_last = number == len(names)
        if name == "**":
            text += ".*" if is_last else "(?:.*/)?"
        else:
            guard = r"(?!\.)" if not hidden and name[0] in "*?[" else ""
            text += guard + _component(name) + ("" if is_last else "/")
    return f"(?:{text})"


def _escape(path: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", path)


def _component(glob: str) -> str:
    """Translate one name of a pattern: no wildcard of it matches a slash."""
    text, at = "", 0
    while at < len(glob):
        sign = glob[at]
        found = _CLASS.match(glob, at) if sign == "[" else None
        if found is not None:
            text += _set_of(found)
            at = found.end()
            continue
        text += {"*": "[^/]*", "?": "[^/]"}.get(sign, re.escape(sign))
        at += 1
    return text


def _set_of(found: re.Match[str]) -> str:
    members = _ESCAPED.sub(r"\\\1", found[2])
    text = f"[^/{members}]" if found[1] else f"(?!/)[{members}]"
    try:
        re.compile(text)
    except re.error:  # a range that ends before it begins: nothing is in it
        return "[^/]" if found[1] else "(?!)"
    return text
