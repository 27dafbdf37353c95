"""What a client says and what it must hear: messages made into frames before anything is measured. Pure."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Final

from benchmarks.ws.frames import deflated, masked, plain

_TITLES: Final = (
    "Mountain bike, 29 inches",
    "Stainless steel water bottle",
    "Wireless headphones with case",
    "Oak desk with two drawers",
    "Organic green tea, 200 g",
    "Rechargeable bicycle light",
    "Waterproof hiking boots",
    "Cast iron frying pan, 28 cm",
)


@dataclass(frozen=True, slots=True)
class Script:
    """Messages that go round, and the replies that belong to them.

    Attributes:
        payloads: The messages.
        is_compressed: They are sent compressed, and so are the replies.
        frames: The messages as they are sent.
        replies: The frames that must come back; empty ones where they are compressed, since what they look
            like follows from the messages before.
    """

    payloads: tuple[bytes, ...]
    is_compressed: bool
    frames: tuple[bytes, ...]
    replies: tuple[bytes, ...]

    @classmethod
    def of(cls, *payloads: bytes, is_compressed: bool = False) -> Script:
        """Return the script of echoed messages."""
        if is_compressed:
            frames = tuple(masked(deflated(payload), is_compressed=True) for payload in payloads)
            return cls(payloads, is_compressed, frames, (b"",))
        return cls(payloads, is_compressed, tuple(map(masked, payloads)), tuple(map(plain, payloads)))


def text_of(size: int) -> bytes:
    """Return so many bytes of plain text."""
    return (b"The quick brown fox jumps over the lazy dog. " * (size // 45 + 1))[:size]


def json_messages(count: int, size: int) -> tuple[bytes, ...]:
    """Return messages of about this size as an API sends them: the same keys, other values."""
    dice = random.Random(7692)
    return tuple(_json_message(number, size, dice) for number in range(count))


def _json_message(number: int, size: int, dice: random.Random) -> bytes:
    items: list[dict[str, object]] = []
    message = {
        "type": "order.updated",
        "id": f"{dice.getrandbits(128):032x}",
        "sequence": number,
        "items": items,
    }
    while len(text := json.dumps(message).encode()) < size:
        items.append(
            {
                "sku": f"{dice.getrandbits(40):010x}",
                "title": dice.choice(_TITLES),
                "quantity": dice.randint(1, 12),
                "price": f"{dice.uniform(1, 900):.2f}",
                "updated_at": f"2026-01-{dice.randint(1, 28):02}T{dice.randint(0, 23):02}:00:00Z",
            }
        )
    return text
