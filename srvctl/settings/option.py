"""How one setting presents itself: the metadata beside each field of a settings group.

From it come the command-line flag, the environment variables, the file key, `srvctl check` and the
reference documentation; nothing about a setting is written twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


#: What a group tells pydantic, which reads it when it validates: a key that no field declares is an error.
FORBID_UNKNOWN: Final = {"extra": "forbid"}


class Change(Enum):
    """What it takes for a changed setting to be obeyed, once a reload has read it.

    The value is how the reference says it.
    """

    LIVE = "live"  #: the master obeys it as soon as the reload is done
    ROLLING = "rolling"  #: the workers that the reload brings obey it
    RESTART = "restart"  #: a reload keeps the old value, and says so


@dataclass(frozen=True, slots=True)
class Option:
    """Metadata of one setting, attached with `typing.Annotated`.

    Attributes:
        help: One sentence for ``--help`` and the reference.
        flag: The long flag, e.g. ``--workers``; empty when the setting is the ``APP`` argument.
        metavar: What stands for the value in ``--help``; empty picks one from the type.
        aliases: Other names of the flag.
        env: Environment variables of other tools that are read below ``SRVCTL_*``, first found wins.
        is_secret: Never shown.
        takes_word: The flag takes ``true`` or ``false`` instead of having an opposite.
        minimum: Smallest number allowed, inclusive.
        maximum: Largest number allowed, inclusive.
        change: When a changed value is obeyed.
    """

    help: str
    flag: str = ""
    metavar: str = ""
    aliases: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    is_secret: bool = False
    takes_word: bool = False
    minimum: float | None = None
    maximum: float | None = None
    change: Change = Change.ROLLING

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Add the bounds to the schema of the type; called by pydantic when it validates a group."""
        from srvctl.settings.constrain import constrain  # noqa: PLC0415 - imports pydantic (ADR 2)

        return constrain(self, source, handler)
