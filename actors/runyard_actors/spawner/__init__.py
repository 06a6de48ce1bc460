"""The spawner: a warm process beside the manager that becomes a shim by forking, a tenth of what a new one costs.

It owns nothing: each request comes with a socket of its own, the copy that answers it is the shim, and a child of
nobody as soon as the spawner ends. So its death loses nothing; what a killed shim leaves, which it ends while it lives,
is ended then by whoever finds that out.
"""
