"""Where a run came from: its interpreter, the packages that had, and the state of its code."""
