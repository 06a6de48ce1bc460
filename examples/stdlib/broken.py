"""Fails on purpose: asks for a package that Python never had, as a run with a wrong argument would."""

import runyard

runyard.report(progress=0.5, message="looking for the missing package")
raise SystemExit("there is no package 'antigravity_drive' in the standard library")
