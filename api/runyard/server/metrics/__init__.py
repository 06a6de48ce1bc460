"""Metrics for Prometheus, at `/metrics`: what happened since the server began, and how things stand now."""

from runyard.server.metrics.exposition import Metrics, install

__all__ = ["Metrics", "install"]
