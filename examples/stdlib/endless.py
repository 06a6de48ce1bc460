"""Never ends by itself, so its time limit stops it."""

import itertools
import time

for tick in itertools.count(1):
    print(f"tick {tick}", flush=True)
    time.sleep(0.25)
