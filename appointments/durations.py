"""How long calls take, in few numbers: classes of duration that can be added up and still tell any percentile.

Class n holds durations up to `FACTOR ** n` milliseconds, so a percentile is told within 12 %, whatever was added up:
minutes to hours, hours to days. A reservoir or a running mean could not be added up so.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil, log

FACTOR = 1.25
# 1.25 ** 52 ms is about two minutes, longer than any call may take.
LAST_CLASS = 52


def class_of(milliseconds: int) -> int:
    """The class of one duration."""
    return min(LAST_CLASS, max(0, ceil(log(milliseconds) / log(FACTOR) - 1e-9))) if milliseconds > 1 else 0


def longest_of(number: int) -> int:
    """The longest duration of a class, in milliseconds."""
    return round(FACTOR**number)


def histogram(durations: Iterable[int]) -> dict[str, int]:
    """Calls by class; keys are text, as JSON has them."""
    return {str(number): count for number, count in sorted(Counter(map(class_of, durations)).items())}


def added(histograms: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Several histograms as one."""
    total: Counter[str] = Counter()
    for each in histograms:
        total.update(each)
    return {number: total[number] for number in sorted(total, key=int)}


def percentile(counts: Mapping[str, int], percent: int) -> int | None:
    """The duration that `percent` of the calls did not exceed, in milliseconds; None without any call.

    The middle of its class, so that the error is 12 % at most, in both directions.
    """
    total = sum(counts.values())
    if not total:
        return None
    wanted, seen = max(1, ceil(total * percent / 100)), 0
    for number in sorted(counts, key=int):
        seen += counts[number]
        if seen >= wanted:
            return round(FACTOR ** (int(number) - 0.5)) if int(number) else 1
    return longest_of(LAST_CLASS)
