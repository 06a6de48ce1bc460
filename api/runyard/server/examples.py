"""Bodies as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Any

SCRIPT: dict[str, Any] = {
    "script": "/home/me/train.py",
    "args": ["--lr", "0.1"],
    "num_gpus": 0.25,
    "memory": "4GiB",
    "timeout": "30m",
    "labels": {"sweep": "lr"},
}
COMMAND: dict[str, Any] = {
    "command": ["ffmpeg", "-i", "in.mp4", "out.webm"],
    "num_cpus": 4,
    "name": "Transcode",
}
MODULE: dict[str, Any] = {"module_id": "thumbnails", "args": ["photos/2026"], "priority": 5}
BATCH: dict[str, Any] = {
    "name": "sweep",
    "max_concurrent": 4,
    "runs": [SCRIPT, {**MODULE, "after": [0]}],
}
REGISTRY: dict[str, Any] = {
    "name": "Thumbnails",
    "script": "modules/thumbnails.py",
    "num_cpus": 1,
    "memory": "4GiB",
    "max_concurrent": 2,
}
CANCEL: dict[str, Any] = {"reason": "wrong data set"}
RESTART: dict[str, Any] = {"args": ["--lr", "0.01"], "memory": "8GiB", "timeout": "2h"}
