"""What the machines are: settings, sizes, processes, capacity, Ray. Knows machines and never runs.

Import the submodule you need: this file stays empty of imports, because the shim (an isolated interpreter
with the standard library only) loads `runyard_cluster.process` from here.
"""
