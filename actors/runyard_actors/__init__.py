"""What runs: the manager, the scheduling core, the store, the lease and the shim. Knows runs and never HTTP.

Import the submodule you need: this file stays empty of imports, because the shim (an isolated interpreter
with the standard library only) is loaded from here.
"""
