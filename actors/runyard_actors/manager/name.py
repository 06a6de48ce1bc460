"""The RunManager's name in Ray, apart from the actor so that looking it up imports nothing heavy."""

from __future__ import annotations

NAME = "run-manager"
