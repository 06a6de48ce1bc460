"""The scheduling core: a deterministic state machine without Ray, clock, disk or randomness.

Events go in (`on_...`), decisions come out (`decide`). The RunManager carries them out.
"""
