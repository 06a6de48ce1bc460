"""Fails at its first attempt and works at its second, as a download over a bad line would."""

import os
import sys

attempt = int(os.environ.get("RUNYARD_ATTEMPT", "1"))
print(f"attempt {attempt}")
sys.exit(0 if attempt > 1 else 7)
