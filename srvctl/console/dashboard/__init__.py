"""The dashboard: one HTML page with its styles and its script in it, and the headers it is to be sent with.

Knows nothing of the console that serves it, nor of an instance: the script asks ``/api/…`` for everything.
Called by the console, once per request for ``/``.

The page brings everything it needs, so it works where there is no network but the one to the console; and its
policy says so: nothing else is loaded, run, framed or sent anywhere, whatever text a worker may have written.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
#: In this order they are one module of JavaScript, in which names are defined before `main.js` begins.
_SCRIPTS: Final = ("words.js", "figures.js", "plots.js", "workers.js", "timeline.js", "actions.js", "main.js")
#: What only readers of the files need: comments that stand on lines of their own, and indentation.
_FOR_READERS: Final = re.compile(r"^\s*(/\*.*?\*/|//[^\n]*)\n|^[ \t]+", re.MULTILINE | re.DOTALL)


def page() -> tuple[bytes, dict[str, str]]:
    """Return the page, in UTF-8, and the headers of a response with it.

    Raises:
        OSError: A file of the installation is missing.
    """
    body, headers = _made()
    return body, dict(headers)


@cache
def _made() -> tuple[bytes, dict[str, str]]:
    style = _FOR_READERS.sub("", _read("style.css"))
    script = _FOR_READERS.sub("", "".join(map(_read, _SCRIPTS)))
    body = _read("page.html").replace("/* style.css */", style).replace("/* scripts */", script).encode()
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-length": str(len(body)),
        # A newer srvctl may answer under the same address after the next restart.
        "cache-control": "no-cache",
        "content-security-policy": _policy(style, script),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",  # for browsers that do not know frame-ancestors
    }
    return body, headers


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy (W3C CSP 3) that lets exactly this page work."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            # With these, a browser refuses text as markup even if the script asks for it by mistake.
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
