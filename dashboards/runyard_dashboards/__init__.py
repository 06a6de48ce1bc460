"""What people look at: hands out the built web page. The dashboard files of other programs lie beside it."""

from runyard_dashboards.page import VIEWS, asset, index

__all__ = ["VIEWS", "asset", "index"]
