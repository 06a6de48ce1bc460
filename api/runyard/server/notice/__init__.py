"""Notices: who wants to be told when a run or a batch has ended is told, whatever the server does meanwhile."""
