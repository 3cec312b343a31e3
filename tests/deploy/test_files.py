"""The files of deploy/ against the schemas of those who read them, and against each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
CONTAINERS = [DEPLOY / "Dockerfile", DEPLOY / "Dockerfile.cuda"]


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def pods(node: Any) -> list[dict[str, Any]]:
    """The pod templates anywhere below `node`."""
    if isinstance(node, dict):
        own = [node["template"]] if isinstance(node.get("template"), dict) else []
        return own + [pod for value in node.values() for pod in pods(value)]
    return [pod for value in node for pod in pods(value)] if isinstance(node, list) else []


# --- compose ----------------------------------------------------------------------------------------------------


def test_the_compose_file_fits_the_compose_specification() -> None:
    schema = json.loads(
        resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
    )
    jsonschema.validate(compose(), schema)
    broken = compose()
    broken["services"]["postgres"]["imgae"] = "postgres"
    with pytest.raises(jsonschema.ValidationError, match="imgae"):
        jsonschema.validate(broken, schema)


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:5000:5000", "127.0.0.1:8265:8265"]


def test_secrets_come_from_the_environment_and_are_all_in_the_example() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    wanted = set(re.findall(r"\$\{(\w+)", text))
    example = dict(
        line.split("=", 1) for line in (DEPLOY / ".env.example").read_text().splitlines() if line and line[0] != "#"
    )
    assert wanted == example.keys()
    secret = {name for name in wanted if re.search("PASSWORD|TOKEN|SECRET", name)}
    assert secret == {
        "POSTGRES_PASSWORD",
        "MLFLOW_AUTH_ADMIN_PASSWORD",
        "MLFLOW_FLASK_SERVER_SECRET_KEY",
        "RAY_AUTH_TOKEN",
    }
    for name in secret:  # refused where it is not set, and nothing to guess in the example
        assert f"${{{name}:?" in text
        assert example[name].startswith("replace-me")
    for service, name in (("mlflow", "MLFLOW_FLASK_SERVER_SECRET_KEY"), ("ray-worker", "RAY_AUTH_TOKEN")):
        assert compose()["services"][service]["environment"][name].startswith("${")


@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker client is not installed")
def test_the_compose_file_is_understood_by_docker(tmp_path: Path) -> None:
    known = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True)
    if known.returncode:
        pytest.skip("this docker has no compose plugin")
    command = ["docker", "compose", "--env-file", str(DEPLOY / ".env.example"), "-f", str(DEPLOY / "compose.yaml")]
    result = subprocess.run([*command, "config", "--quiet"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# --- containers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.name)
def test_container_files_pass_the_linter(path: Path) -> None:
    linter = Path(sys.executable).parent / "hadolint"
    result = subprocess.run([linter, "--no-color", path], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.name)
def test_containers_are_pinned_and_run_as_nobody_special(path: Path) -> None:
    lines = [line.strip() for line in path.read_text().splitlines()]
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all(re.search(r":\d+\.\d+\.\d+", base) for base in bases)
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]
    installs = [line for line in lines if "pip install" in line]
    assert installs
    assert all("--constraint constraints.txt" in line for line in installs)
    # What is copied exists, and passes the list of what may be sent to the builder.
    ignored = (ROOT / ".dockerignore").read_text().split()
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in [word for word in line.split()[1:-1] if not word.startswith("--")]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored


# --- Kubernetes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_manifests_fit_kuberay_and_kubernetes(path: Path) -> None:
    schema = json.loads((Path(__file__).parent / "kuberay.schema.json").read_text())
    version = kubernetes_validate.latest_version()
    kinds = []
    for document in documents(path):
        kinds.append(document["kind"])
        if document["apiVersion"] == "ray.io/v1":
            jsonschema.validate(document, schema)
            for template in pods(document):
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **template}
                kubernetes_validate.validate(pod, version, strict=True)
        else:
            kubernetes_validate.validate(document, version, strict=True)
    assert kinds in (["PersistentVolumeClaim", "RayCluster"], ["RayJob"])


def test_the_schemas_refuse_what_is_wrong() -> None:
    schema = json.loads((Path(__file__).parent / "kuberay.schema.json").read_text())
    cluster = documents(DEPLOY / "kubernetes" / "raycluster.yaml")[1]
    cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0  # KubeRay wants text
    with pytest.raises(jsonschema.ValidationError, match="0 is not of type 'string'"):
        jsonschema.validate(cluster, schema)
    (template, *_) = pods(cluster)
    template["spec"]["containers"][0]["volumeMount"] = []
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **template}
    with pytest.raises(kubernetes_validate.ValidationError, match="volumeMount"):
        kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_pods_are_not_root_and_want_a_token(path: Path) -> None:
    found = [document for document in documents(path) if document["apiVersion"] == "ray.io/v1"]
    for document in found:
        spec = document["spec"].get("rayClusterSpec", document["spec"])
        assert spec["authOptions"] == {"mode": "token"}
        for template in pods(document):
            assert template["spec"]["securityContext"]["runAsNonRoot"] is True
            for container in template["spec"]["containers"]:
                assert container["securityContext"]["allowPrivilegeEscalation"] is False
                assert all("value" not in env or "PASSWORD" not in env["name"] for env in container.get("env", []))


def test_every_file_names_the_version_of_ray_that_is_pinned() -> None:
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert pinned is not None
    named = [version for path in KUBERNETES for version in re.findall(r"rayVersion: (\S+)", path.read_text())]
    assert named == [pinned[1]] * 2


# --- ray up -----------------------------------------------------------------------------------------------------


def test_the_cluster_file_is_valid_for_ray_up() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text())
    validate_config(prepare_config(config))
    config["idle_timeout"] = 5
    with pytest.raises(Exception, match="idle_timeout"):
        validate_config(prepare_config(config))
