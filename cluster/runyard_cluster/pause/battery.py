"""`battery`: while the machine runs on its battery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runyard_cluster.pause.rule import Own


def _battery() -> Any:
    """Return what psutil tells: None without a battery, and on systems it knows nothing of."""
    import psutil  # Settings are read more often than batteries.

    read = getattr(psutil, "sensors_battery", None)
    return read() if read else None


class Battery:
    """Holds while no mains power is there. `read` returns an object with `power_plugged`, or None."""

    def __init__(self, read: Callable[[], Any] = _battery) -> None:
        self._read = read

    def holds(self, own: Own) -> str | None:
        """Say so while it is known to be unplugged; where nobody knows, it does not hold."""
        battery = self._read()
        return "while on battery" if battery is not None and battery.power_plugged is False else None

    def missing(self) -> str | None:
        """Say so where there is no battery."""
        return "no battery is seen here" if self._read() is None else None
