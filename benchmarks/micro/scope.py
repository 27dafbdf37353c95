"""What making a scope costs: ``python -m benchmarks.micro.scope``.

At first sight of a head, and when the codec hands over the head it handed over before.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from benchmarks.micro.measure import Stage, main
from benchmarks.micro.requests import HELLO, TWENTY
from srvctl.settings.groups import LimitSettings
from srvctl.worker.http.raw_head import parse_head
from srvctl.worker.http.scope import ScopeMaker
from srvctl.worker.http.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable

_EXTENSIONS: Final[dict[str, dict[str, object]]] = {
    f"http.response.{name}": {} for name in ("early_hint", "trailers", "pathsend", "zerocopysend")
}
_AROUND: Final = Surroundings(
    client=("127.0.0.1", 54321), server=("127.0.0.1", 8000), state={}, extensions=_EXTENSIONS
)


def _stage(name: str, raw: bytes, *, repeated: bool) -> Stage:
    def make() -> Callable[[int], object]:
        first, second = (parse_head(raw, LimitSettings()) for _ in range(2))
        make_scope = ScopeMaker(_AROUND).make

        def run(operations: int) -> None:
            for _ in range(operations // 2):
                make_scope(first)
                make_scope(first if repeated else second)

        return run

    return Stage(name, make)


STAGES: Final = (
    _stage("3 fields, first sight", HELLO, repeated=False),
    _stage("3 fields, repeated", HELLO, repeated=True),
    _stage("23 fields, first sight", TWENTY, repeated=False),
    _stage("23 fields, repeated", TWENTY, repeated=True),
)

if __name__ == "__main__":
    sys.exit(main("benchmarks.micro.scope", STAGES))
