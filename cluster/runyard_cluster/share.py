"""Shares of a CPU or GPU that a run can ask for."""

from __future__ import annotations

#: The smallest share: one thousandth, which is what ledgers count in, and ten times what Ray can tell apart.
SMALLEST_SHARE = 0.001
