"""All rules of `pause_when` together."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from runyard_cluster.pause.parse import parse_rule
from runyard_cluster.pause.rule import Own, Rule

log = logging.getLogger("runyard.pause")


class PauseWatch:
    """Asks each rule; one that cannot be asked does not hold, and is told of once."""

    def __init__(self, rules: Sequence[str | Rule]) -> None:
        """Take rules, or their words. Raises ValueError for words that are none."""
        self._rules = [parse_rule(rule) if isinstance(rule, str) else rule for rule in rules]
        self._told: set[int] = set()

    @property
    def has_rules(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self._rules)

    def why(self, own: Own) -> str | None:
        """Return in words why nothing should start now, or None. May take a while: ask it in a thread."""
        found = next(
            (why for number, rule in enumerate(self._rules) if (why := self._ask(number, rule, own))), None
        )
        return f"paused {found} (pause_when)" if found else None

    def _ask(self, number: int, rule: Rule, own: Own) -> str | None:
        try:
            return rule.holds(own)
        except Exception:
            # What drivers and desktops throw is no reason to stop scheduling.
            if number not in self._told:
                self._told.add(number)
                log.exception("a rule of pause_when cannot be asked, so it does not hold")
            return None
