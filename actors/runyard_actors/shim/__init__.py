"""The shim: the small process that owns one attempt's process tree from start to end.

It is the only part that must be right, so it is small, single-threaded, and made of the standard library alone.
It runs isolated (`python -I -S`), as a child of nobody, and goes on whatever dies around it. As every run pays for
one, it also imports little: no `json`, `re`, `enum`, `pathlib`, `typing`; together they cost more than all the rest.
"""
