"""Fuzz the codecs: `python -m tests.fuzz.codecs -max_total_time=60`; any option of libFuzzer is understood.

Needs atheris, from the dependency group `fuzz`. What it finds useful is kept in `.fuzz/codecs`, so that the
next run goes on from there; an input that breaks a rule is left in `.fuzz`, and belongs into `STREAMS` of
`tests/unit/worker/test_http_codec.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

FOLDER = Path(".fuzz")


def main() -> None:
    """Run until stopped, or until a rule is broken."""
    with atheris.instrument_imports(include=["srvctl.worker.http", "h11"]):
        from tests.fuzz.streams import LONGEST, SEEDS, WORDS, read_alike

    corpus, words = FOLDER / "codecs", FOLDER / "words"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (corpus / f"seed-{number}").write_bytes(seed)
    (FOLDER / ".gitignore").write_text("*\n")
    words.write_text("".join(f'"{_escape(word)}"\n' for word in WORDS))
    options = [f"-max_len={LONGEST}", f"-dict={words}", f"-artifact_prefix={FOLDER}/", "-timeout=5"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(corpus)], read_alike)
    atheris.Fuzz()


def _escape(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
