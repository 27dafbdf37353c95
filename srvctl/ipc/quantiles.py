"""Which time a share of the requests stayed below, told from the counts of buckets. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def quantile(share: float, bounds: Sequence[float], counts: Sequence[float]) -> float | None:
    """Return the seconds that this share of the requests stayed below; None without requests or bounds.

    Within a bucket, times are taken to be spread evenly, as Prometheus' histogram_quantile() does; of the
    last, which has no end, its beginning is told.

    Args:
        share: From 0 to 1.
        bounds: Upper bounds of the buckets, rising.
        counts: Requests in each, and one more number: those beyond the last bound.
    """
    total = sum(counts)
    if total <= 0 or not bounds:
        return None
    wanted = share * total
    below = 0.0
    start = 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count > 0 and below + count >= wanted:
            return start + (bound - start) * max(wanted - below, 0) / count
        below += count
        start = bound
    return start
