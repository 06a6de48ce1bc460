"""The spawner: a warm process beside the manager that becomes a shim by forking, a tenth of what a new one costs.

It owns nothing and knows nothing: each request comes with a socket of its own, the copy that answers it is the
shim, and a child of nobody as soon as the spawner ends. So its death loses nothing.
"""
