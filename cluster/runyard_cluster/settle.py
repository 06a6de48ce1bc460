"""Settling down: what a process has made by the time it begins its work stays for as long as it works."""

from __future__ import annotations

import gc

#: So many objects are made before the young ones are looked at. The ten thousand runs of a large batch all stay; by
#: Python's own 700, looking takes a third of the time in which they are accepted.
YOUNG = 20_000


def settle() -> None:
    """Have garbage collections go over what is made from now on only, and less often.

    A server or a manager has some 300,000 objects of its imports, and a full collection over them takes a tenth of a
    second, several times while a large batch is accepted. For processes of ours alone: garbage of before stays.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
