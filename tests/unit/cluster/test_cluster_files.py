"""The cluster files: what Ray itself says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import start

FILE = Path(__file__).parents[3] / "cluster" / "ray" / "ssh-machines.yaml"


def described() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return found


def test_ray_takes_the_file_for_ssh_machines_and_makes_a_node_of_each() -> None:
    # What `ray up` does with the file before it reaches for any machine.
    config = prepare_config(described())
    validate_config(config)
    assert config["max_workers"] == 2
    assert set(config["available_node_types"]) == {"local.cluster.node"}


def test_all_workers_are_counted() -> None:
    file = described()
    assert file["min_workers"] == file["max_workers"] == len(file["provider"]["worker_ips"])


def test_each_option_of_its_commands_is_one_of_ray_start() -> None:
    known = CliRunner().invoke(start, ["--help"]).output
    file = described()
    commands = [*file["head_start_ray_commands"], *file["worker_start_ray_commands"]]
    options = {word.partition("=")[0] for c in commands for word in c.split() if word.startswith("--")}
    assert options
    assert {option for option in options if option not in known} == set()
