"""Leases: the Ray tasks that hold what runs declare, for as long as the runs are active."""
