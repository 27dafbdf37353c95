"""srvctl: an ASGI server and its process supervisor in one tool.

Everything but the names exported here is private.
"""

from typing import Final

__version__: Final = "0.1.0"

__all__ = ["__version__"]
