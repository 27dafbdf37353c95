"""From the report in Markdown to one HTML page that needs no network, no script and no other file. Pure."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML

from benchmarks.whole import markdown, plots

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

    from benchmarks.whole.values import Results

_STYLE: Final = """
:root{color-scheme:light dark;--page:#fff;--ink:#1a1d21;--soft:#58626e;--grid:#dfe4ea;--zone:#f5f7f9;
--link:#005a8c;--warn:#8a4b00}
@media(prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e6e9ed;--soft:#a4afbb;--grid:#333b45;
--zone:#1c2127;--link:#7cc4f0;--warn:#f0b35c}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:64rem;margin:0 auto;padding:2rem 1.25rem 5rem}
h1{font-size:1.9rem;line-height:1.2}h2{margin:3rem 0 .5rem;padding-top:1rem;border-top:1px solid var(--grid)}
h3{margin:1.75rem 0 .25rem;font-size:1.05rem}a{color:var(--link)}strong{color:var(--warn)}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:0;list-style:none}
.wide{overflow-x:auto;margin:1rem 0;border:1px solid var(--grid);border-radius:6px}
.wide:focus-visible{outline:2px solid var(--link)}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:.4rem .7rem;border-bottom:1px solid var(--grid);white-space:nowrap;text-align:left;
vertical-align:top}
th{background:var(--zone)}tbody tr:last-child td{border-bottom:0}
tr.ours td,td.ours,th.ours{font-weight:650}
figure{margin:.25rem 0;overflow-x:auto}figure svg.plot{min-width:600px}
figure img{max-width:100%;background:#fff;border-radius:6px}
p>em:only-child{color:var(--soft);font-size:.9rem;font-style:normal}
pre{overflow-x:auto;padding:1rem;background:var(--zone);border-radius:6px;font-size:.82rem;line-height:1.4}
li{margin:.15rem 0}
""".strip()


class _Renderer(RendererHTML):
    """Writes plots into the page, and tables so that they scroll by themselves."""

    def image(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        folder, _, name = str(tokens[idx].attrs["src"]).partition("/")
        if folder == "plots" and name.removesuffix(".svg") in env["charts"]:
            name = name.removesuffix(".svg")
            return f"<figure>{plots.svg(env['charts'][name], name)}</figure>"
        if folder == "profiles" and name in env["pictures"]:
            data = b64encode(env["pictures"][name].encode()).decode()
            text = f"Flame graph, {name.removesuffix('.svg')}"
            return f'<figure><img alt="{escape(text)}" src="data:image/svg+xml;base64,{data}"></figure>'
        return f"<em>{escape(self.renderInlineAsText(tokens[idx].children or [], options, env))}</em>"

    def table_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        del tokens, idx, options, env
        # What scrolls must be within reach of the keyboard (WCAG 2.1.1).
        return '<div class="wide" tabindex="0" role="region" aria-label="table"><table>'

    def table_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        del tokens, idx, options, env
        return "</table></div>"


def html(results: Results, pictures: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        results: What to show.
        pictures: SVG files of the parts, by name.
    """
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer).enable("table")
    tokens = parser.parse(markdown.text(results))
    names = _with_anchors(tokens)
    env: dict[str, Any] = {"charts": markdown.plots(results), "pictures": pictures}
    body = parser.renderer.render(_without_links(tokens), parser.options, env)
    links = "".join(f'<li><a href="#{anchor}">{escape(name)}</a></li>' for anchor, name in names.items())
    head, _, rest = body.partition("</h1>")
    return (
        '<!doctype html>\n<html lang="en"><head>'
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Benchmarks of srvctl</title><style>{_STYLE}\n{plots.STYLE}</style></head>"
        f'<body><main>{head}</h1><nav aria-label="Contents"><ul>{links}</ul></nav>{rest}</main>'
        "</body></html>\n"
    )


def _with_anchors(tokens: Sequence[Token]) -> dict[str, str]:
    """Give each section an anchor; return their names by it."""
    found = {}
    for token, inside in pairwise(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            anchor = inside.content.lower().replace(" ", "-")
            token.attrSet("id", anchor)
            found[anchor] = inside.content
    return found


def _without_links(tokens: Sequence[Token]) -> list[Token]:
    """Take away links to files that a page on its own does not have; what they enclose stays."""
    for token in tokens:
        if token.children:
            token.children = [
                child for child in token.children if child.type not in {"link_open", "link_close"}
            ]
    return list(tokens)
