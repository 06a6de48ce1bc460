"""Node choice: the name or selector that a run gives as `node`, refused in words where it can mean no node."""

from __future__ import annotations

from runyard_actors.selector import check_selector, is_selector
from runyard_cluster.errors import InvalidRequestError


def checked_node(node: str) -> str:
    """Return it as it is. Raises InvalidRequestError for what is no selector, though it has a `=`."""
    if is_selector(node):
        try:
            check_selector(node)
        except ValueError as error:
            raise InvalidRequestError(f"node: {error}") from error
    return node
