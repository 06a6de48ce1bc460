"""The manifest for Kubernetes: what KubeRay's schema, Ray and runyard themselves say of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import ray
import yaml
from click.testing import CliRunner
from ray.scripts.scripts import start

from runyard.cli.main import cli
from runyard_cluster.settings import load_settings

FILE = Path(__file__).parents[3] / "cluster" / "kubernetes" / "runyard.yaml"
SCHEMA = Path(__file__).with_name("raycluster.schema.json")


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    return {found["kind"]: found for found in yaml.safe_load_all(FILE.read_text("utf-8"))}


@pytest.fixture(scope="module")
def groups(objects: dict[str, Any]) -> list[dict[str, Any]]:
    spec = objects["RayCluster"]["spec"]
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def container(group: dict[str, Any]) -> dict[str, Any]:
    [found] = group["template"]["spec"]["containers"]
    return dict(found)


def test_kuberay_takes_the_cluster(objects: dict[str, Any]) -> None:
    jsonschema.validate(objects["RayCluster"], json.loads(SCHEMA.read_text("utf-8")))


def test_the_check_finds_what_is_wrong(objects: dict[str, Any]) -> None:
    wrong = json.loads(json.dumps(objects["RayCluster"]).replace('"readinessProbe"', '"readynessProbe"'))
    with pytest.raises(jsonschema.ValidationError, match="readynessProbe"):
        jsonschema.validate(wrong, json.loads(SCHEMA.read_text("utf-8")))


def test_it_is_the_ray_that_was_tested(objects: dict[str, Any]) -> None:
    assert objects["RayCluster"]["spec"]["rayVersion"] == ray.__version__
    assert objects["RayCluster"]["spec"]["authOptions"] == {"mode": "token"}


def test_each_parameter_is_an_option_of_ray_start(groups: list[dict[str, Any]]) -> None:
    known = CliRunner().invoke(start, ["--help"]).output
    for group in groups:
        assert group["rayStartParams"]
        assert all(f"--{name}" in known for name in group["rayStartParams"])


def test_the_head_serves_and_keeps_its_data_on_the_claim(objects: dict[str, Any]) -> None:
    head = objects["RayCluster"]["spec"]["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    volumes = {v["name"]: v for v in head["template"]["spec"]["volumes"]}
    mounts = {m["mountPath"]: m["name"] for m in container(head)["volumeMounts"]}
    claim = volumes[mounts["/data"]]["persistentVolumeClaim"]["claimName"]
    assert claim == objects["PersistentVolumeClaim"]["metadata"]["name"]


def test_the_servers_settings_are_settings(objects: dict[str, Any], tmp_path: Path) -> None:
    env = {e["name"]: e["value"] for e in container(objects["RayCluster"]["spec"]["headGroupSpec"])["env"]}
    ours = {name: value for name, value in env.items() if name.startswith("RUNYARD_")}
    settings = load_settings(None, environ=ours, cwd=tmp_path)
    assert (settings.ray_address, settings.data_dir) == ("auto", Path("/data"))
    assert objects["Service"]["metadata"]["name"] in settings.allowed_hosts


def test_the_head_runs_a_command_line_that_there_is(objects: dict[str, Any]) -> None:
    [line] = container(objects["RayCluster"]["spec"]["headGroupSpec"])["args"]
    assert "${KUBERAY_GEN_RAY_START_CMD//--block/}" in line
    name, *words = line.partition("exec runyard ")[2].split()
    verb = cli.get_command(click.Context(cli), name)
    assert verb is not None
    verb.make_context(name, words, parent=click.Context(cli), resilient_parsing=False)


def test_the_service_leads_to_the_head_and_probes_pass_the_host_check(objects: dict[str, Any]) -> None:
    service, cluster = objects["Service"]["spec"], objects["RayCluster"]
    assert service["selector"] == {"ray.io/cluster": cluster["metadata"]["name"], "ray.io/node-type": "head"}
    found = container(cluster["spec"]["headGroupSpec"])
    ports = {port["containerPort"] for port in found["ports"]}
    assert {port["targetPort"] for port in service["ports"]} <= ports
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = found[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == ("/healthz", 8300)
        assert asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}]


def test_nobody_is_root_and_all_have_the_same_image(groups: list[dict[str, Any]]) -> None:
    for group in groups:
        assert group["template"]["spec"]["securityContext"]["runAsNonRoot"]
        assert group["template"]["spec"]["securityContext"]["runAsUser"] == 10001
        names = {e["name"]: e["value"] for e in container(group)["env"]}
        assert names["RAY_memory_monitor_refresh_ms"] == "0"
    [image] = {container(group)["image"] for group in groups}
    assert re.fullmatch(r"runyard:\d+\.\d+\.\d+", image)
