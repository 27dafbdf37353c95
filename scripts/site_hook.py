"""What the documentation site needs beside MkDocs: links that work in the repository work on the site, too.

Pages are written to be read in the repository: they link to files outside of docs/ (README.md, configs/,
examples/). Of these, Markdown becomes a page of the site, any other text a page that shows it, and a
directory a page that lists it; links are rewritten to lead there. So nothing needs to know where the
repository is published. Also fills in what mkdocs.yml leaves to it: ``folder/*.md`` in ``nav`` stands for the
pages of a folder that ``nav`` does not name. Called by MkDocs (``hooks`` in mkdocs.yml); knows nothing of
srvctl.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[1]
#: Markdown outside of docs/ that is part of the site, and where it is there.
BESIDE: Final = {
    "README.md": "project/readme.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "examples/README.md": "examples.md",
    "benchmarks/README.md": "benchmarks.md",
}
#: Where files of the repository are shown that are no pages.
SHOWN: Final = "files"
_DOCS: Final = "docs/"
#: The text of a link may go on in the next line.
_LINK: Final = re.compile(r"(!?\[(?:[^\]\n]|\n(?!\n))*\]\()([^)\s]+)(\))")
#: What is no place for links: fenced blocks and code within a line.
_CODE: Final = re.compile(r"^ *(```|~~~).*?^ *\1 *$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LANGUAGES: Final = {
    ".py": "python", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".html": "html", ".conf": "nginx",
    ".lua": "lua", ".sh": "sh", ".service": "ini", ".socket": "ini", ".json": "json",
}  # fmt: skip


def place_of(source: str) -> str:
    """Return where a file of the repository is on the site, both relative to their tops."""
    if source in BESIDE:
        return BESIDE[source]
    if source.startswith(_DOCS):
        return source.removeprefix(_DOCS)
    return f"{SHOWN}/{source}.md"


def source_of(place: str) -> str:
    """Return which file of the repository is at a place of the site."""
    beside = {there: here for here, there in BESIDE.items()}
    return beside.get(place) or _DOCS + place


def links_of(text: str) -> Iterator[str]:
    """Return where the links of a page lead, without those to other sites and to the page itself."""
    outside = _CODE.sub("", text)
    return (link for _, link, _ in _LINK.findall(outside) if not re.match(r"[a-z]+:|#", link))


def rewritten(text: str, source: str) -> str:
    """Return a page with its links as the site needs them.

    Args:
        text: The Markdown.
        source: The page's path in the repository.
    """
    here = posixpath.dirname(place_of(source))

    def link(match: re.Match[str]) -> str:
        before, target, after = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path, mark, anchor = target.partition("#")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        return before + posixpath.relpath(place_of(wanted), here) + mark + anchor + after

    return _outside_code(text, lambda words: _LINK.sub(link, words))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    # A link's own text may be code: such code stays part of what is changed.
    parts, at = [], 0
    for code in _CODE.finditer(text):
        if code[0].startswith("`") and not code[1] and text[code.start() - 1 : code.start()] == "[":
            continue
        parts += [change(text[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, change(text[at:])])


def shown(path: Path) -> str:
    """Return the page that shows a file of the repository, or lists a directory."""
    name = path.relative_to(ROOT).as_posix()
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {name}\n\n"
    if path.is_dir():
        return head + "".join(f"- [{each.name}]({path.name}/{each.name}.md)\n" for each in _listed(path))
    text = path.read_text(encoding="utf-8")
    language = "dockerfile" if path.name.startswith("Dockerfile") else _LANGUAGES.get(path.suffix, "text")
    fence = "`" * max(
        4, 4, *(len(ticks) + 1 for ticks in re.findall("`{3,}", text))
    )  # longer than any inside
    return f"{head}{fence}{language}\n{text.rstrip()}\n{fence}\n"


def _listed(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))


# -- called by MkDocs ----------------------------------------------------------------------------------------


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to, then complete the navigation."""
    for source, place in BESIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    sources = [source_of(file.src_uri) for file in files.documentation_pages()]
    for source in sources:
        for link in links_of((ROOT / source).read_text(encoding="utf-8")):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link.partition("#")[0]))
            _add(ROOT / target, files, config)
    named = set(_named(config.nav))
    places = [file.src_uri for file in files.documentation_pages() if file.src_uri not in named]
    config.nav = _expanded(config.nav, sorted(places))
    return files


def _add(path: Path, files: Files, config: MkDocsConfig) -> None:
    """Add the page of a file that is not on the site yet; of a missing one, MkDocs complains itself."""
    if not path.exists() or not path.is_relative_to(ROOT):
        return
    place = place_of(path.relative_to(ROOT).as_posix())
    if files.get_file_from_path(place) is not None:
        return
    files.append(File.generated(config, place, content=shown(path)))
    for each in _listed(path) if path.is_dir() else ():
        _add(each, files, config)


def _expanded(nav: Any, places: list[str]) -> Any:
    """Return ``nav`` with the pages in the place of each ``folder/*.md``."""
    if isinstance(nav, dict):
        return {title: _expanded(inside, places) for title, inside in nav.items()}
    if not isinstance(nav, list):
        return nav
    expanded: list[Any] = []
    for item in nav:
        if isinstance(item, str) and item.endswith("/*.md"):
            folder = item.removesuffix("/*.md")
            expanded += [place for place in places if posixpath.dirname(place) == folder]
        else:
            expanded.append(_expanded(item, places))
    return expanded


def _named(nav: Any) -> Iterator[str]:
    match nav:
        case str():
            yield nav
        case dict():
            yield from _named(list(nav.values()))
        case list():
            for inside in nav:
                yield from _named(inside)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs passes them
    """Rewrite the links of one page."""
    if page.file.src_uri.startswith(f"{SHOWN}/"):
        return markdown
    return rewritten(markdown, source_of(page.file.src_uri))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs passes them
    r"""Write ``|`` for ``\|`` in cells: elsewhere code in a table needs it, and this Markdown shows it."""
    return re.sub(r"<td.*?</td>", lambda cell: cell[0].replace("\\|", "|"), html, flags=re.DOTALL)
