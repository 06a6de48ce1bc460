"""When the machine belongs to its human: rules of `pause_when`, each of which holds new starts while it is true.

A rule is a file here; `parse.py` knows their words, and `watching.py` asks them all.
"""

from runyard_cluster.pause.parse import ALLOWED, parse_rule
from runyard_cluster.pause.rule import Own, Rule
from runyard_cluster.pause.watching import PauseWatch

__all__ = ["ALLOWED", "Own", "PauseWatch", "Rule", "parse_rule"]
