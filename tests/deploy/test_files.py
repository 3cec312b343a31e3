"""The files of deploy/ against the schemas of those who read them, and against each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
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
GRACE_SECONDS = 90  # a search that is stopped lets trials end and MLflow be told; see nas.workers.jobs
KINDS = {
    "disruption.yaml": ["PodDisruptionBudget"] * 4,
    "kustomization.yaml": ["Kustomization"],
    "mlflow.yaml": ["PersistentVolumeClaim", "Service", "Deployment"],
    "network.yaml": ["NetworkPolicy"] * 5,
    "postgres.yaml": ["ConfigMap", "Service", "StatefulSet"],
    "raycluster.yaml": ["RayCluster"],
    "rayjob.yaml": ["RayJob"],
    "storage.yaml": ["PersistentVolumeClaim"],
}
WITH_PODS = ("mlflow.yaml", "postgres.yaml", "raycluster.yaml", "rayjob.yaml")


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def pods(node: Any) -> list[dict[str, Any]]:
    """The pod templates anywhere below `node`."""
    if isinstance(node, dict):
        own = [node[key] for key in ("template", "submitterPodTemplate") if isinstance(node.get(key), dict)]
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
    assert sorted(ports) == ["127.0.0.1:5000:5000", "127.0.0.1:8265:8265", "127.0.0.1:9464:9464"]


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


def test_every_service_is_limited_stripped_of_rights_and_looked_after() -> None:
    named = set(compose()["volumes"])
    for name, service in compose()["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "cap_add" not in service
        assert service["restart"] == "unless-stopped", name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}, name
        assert service["healthcheck"]["test"], name
        for volume in service.get("volumes", []):  # none that docker would make by itself and forget
            source = volume.split(":")[0]
            assert source in named or source.startswith("./"), volume
    services = compose()["services"]
    assert services["ray-head"]["stop_grace_period"] == f"{GRACE_SECONDS}s"
    assert services["metrics"]["volumes"] == ["studies:/data:ro"]
    # A program of Ray, started every few seconds, would take time from trials.
    assert services["ray-worker"]["healthcheck"]["test"] == ["CMD", "pgrep", "--exact", "raylet"]


def test_no_image_makes_a_volume_that_nobody_named() -> None:
    for file in DEPLOY.glob("Dockerfile*"):
        assert not re.search(r"^\s*VOLUME\b", file.read_text(), re.MULTILINE | re.IGNORECASE), file
    declared = {"postgres": "/var/lib/postgresql/data"}  # by images that are not ours
    for name, service in compose()["services"].items():
        image = str(service.get("image", "")).partition(":")[0]
        assert image in (*declared, "dag-nas"), f"{name}: which volumes does {image} declare?"
        mounted = {volume.split(":")[1] for volume in service.get("volumes", [])}
        assert image not in declared or declared[image] in mounted, name


def test_every_script_is_used() -> None:
    files = [path for path in DEPLOY.rglob("*") if path.is_file()]
    for script in [path for path in files if path.suffix == ".sh"]:
        used = [path for path in files if path != script and path.suffix in (".yaml", "")]
        program = script.stem if script.parent == DEPLOY else script.name  # the images leave out the suffix
        words = [path for path in used if re.search(rf"(?<![\w.]){re.escape(program)}\b", path.read_text())]
        assert [path for path in words if path.name in ("compose.yaml", "mlflow.yaml")], script


@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker client is not installed")
def test_the_compose_file_is_understood_by_docker(tmp_path: Path) -> None:
    known = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True)
    if known.returncode:
        pytest.skip("this docker has no compose plugin")
    command = ["docker", "compose", "--env-file", str(DEPLOY / ".env.example"), "-f", str(DEPLOY / "compose.yaml")]
    result = subprocess.run([*command, "config", "--quiet"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# --- containers -------------------------------------------------------------------------------------------------


def test_a_database_is_not_ready_before_its_databases_are_made() -> None:
    """Until then the image's server answers on its socket, so whoever asks there is told so too early."""
    asked = [compose()["services"]["postgres"]["healthcheck"]["test"]]
    (pod,) = pods(documents(DEPLOY / "kubernetes" / "postgres.yaml"))
    (container,) = pod["spec"]["containers"]
    asked += [container[f"{kind}Probe"]["exec"]["command"] for kind in ("startup", "readiness", "liveness")]
    assert all(command[command.index("--host") + 1] == "127.0.0.1" for command in asked)
    startup = container["startupProbe"]  # recovery after a crash takes minutes
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 1800


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
    assert not [line for line in lines if line.startswith("VOLUME")]  # an anonymous one for every container
    installs = [line for line in lines if "pip install" in line]
    assert installs
    for line in installs:  # pinned with hashes; or torch from where its user says; or this package itself
        assert "--no-deps --require-hashes" in line or "--constraint constraints.txt" in line or line.endswith(" .")
    # What is copied exists, and passes the list of what may be sent to the builder.
    ignored = (ROOT / ".dockerignore").read_text().split()
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in [word for word in line.split()[1:-1] if not word.startswith("--")]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored


def test_the_lock_file_has_all_packages_with_hashes_in_the_versions_that_are_tested() -> None:
    locked: dict[str, str] = {}
    for entry in re.split(r"\n(?=[a-z])", (DEPLOY / "requirements.lock").read_text()):
        if entry.startswith("#"):
            continue
        head, *hashes = entry.strip().split(" \\\n")
        name, version = head.split(" ;")[0].split("==")
        assert hashes, name
        assert all(re.fullmatch(r" *--hash=sha256:[0-9a-f]{64}", line) for line in hashes), name
        locked[name.split("[")[0]] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in ("server", "export") for each in project["optional-dependencies"][extra]),
    ]
    names = {re.split(r"[\[><=]", each)[0].lower() for each in wanted}
    assert names <= locked.keys()
    assert "setuptools" in locked  # builds the package, without a look at the network
    tested = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    tested = {name.lower().replace("_", "-"): version for name, version in tested.items()}
    assert {name: locked[name] for name in locked.keys() & tested.keys()} == {
        name: tested[name] for name in locked.keys() & tested.keys()
    }
    assert len(locked) > 4 * len(names)


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
        elif document["kind"] != "Kustomization":
            kubernetes_validate.validate(document, version, strict=True)
    assert kinds == KINDS[path.name]


def test_the_whole_service_is_applied_at_once() -> None:
    (whole,) = documents(DEPLOY / "kubernetes" / "kustomization.yaml")
    files = {path.name for path in KUBERNETES}
    assert set(whole["resources"]) == files - {"kustomization.yaml", "rayjob.yaml"}
    (settings, *_) = documents(DEPLOY / "kubernetes" / "postgres.yaml")
    assert settings["data"]["databases.sh"] == (DEPLOY / "postgres" / "databases.sh").read_text()


def test_the_schemas_refuse_what_is_wrong() -> None:
    schema = json.loads((Path(__file__).parent / "kuberay.schema.json").read_text())
    (cluster,) = documents(DEPLOY / "kubernetes" / "raycluster.yaml")
    cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0  # KubeRay wants text
    with pytest.raises(jsonschema.ValidationError, match="0 is not of type 'string'"):
        jsonschema.validate(cluster, schema)
    (template, *_) = pods(cluster)
    template["spec"]["containers"][0]["volumeMount"] = []
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **template}
    with pytest.raises(kubernetes_validate.ValidationError, match="volumeMount"):
        kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("path", [path for path in KUBERNETES if path.name in WITH_PODS], ids=lambda path: path.name)
def test_pods_are_limited_and_have_no_rights(path: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for document in documents(path):
        if document["apiVersion"] == "ray.io/v1":
            spec = document["spec"].get("rayClusterSpec", document["spec"])
            assert spec["authOptions"] == {"mode": "token"}
        for template in pods(document):
            spec = template["spec"]
            assert spec["securityContext"]["runAsNonRoot"] is True
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert spec["automountServiceAccountToken"] is False
            component = template["metadata"]["labels"]["app.kubernetes.io/component"]
            if component == "ray-head":
                assert spec["terminationGracePeriodSeconds"] == GRACE_SECONDS
                assert "pkill -TERM" in spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1]
            elif component != "ray-submitter":
                assert spec["terminationGracePeriodSeconds"] >= 30
            for container in spec["containers"]:
                assert container["securityContext"]["allowPrivilegeEscalation"] is False
                assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                assert container["imagePullPolicy"] == "IfNotPresent"
                assert re.fullmatch(rf"dag-nas:{version}(-cuda)?|postgres:\d+\.\d+-bookworm", container["image"])
                assert container["resources"]["limits"].keys() >= {"cpu", "memory"}
                # Those of Ray are KubeRay's; whoever submits a job ends by itself.
                assert container["name"].startswith("ray-") or "livenessProbe" in container
                seen: set[str] = set()
                for env in container.get("env", []):  # secrets come from the secret, before what is made of them
                    assert "value" not in env or "PASSWORD" not in env["name"]
                    assert set(re.findall(r"\$\((\w+)\)", env.get("value", ""))) <= seen
                    seen.add(env["name"])


def test_claims_can_be_shared_by_two_nodes_where_two_pods_mount_them() -> None:
    modes = {
        claim["metadata"]["name"]: claim["spec"]["accessModes"]
        for path in KUBERNETES
        for document in documents(path)
        for claim in [document, *document.get("spec", {}).get("volumeClaimTemplates", [])]
        if claim.get("kind") == "PersistentVolumeClaim" or "accessModes" in claim.get("spec", {})
    }
    assert modes == {
        "nas-studies": ["ReadWriteMany"],
        "nas-artifacts": ["ReadWriteMany"],
        "database": ["ReadWriteOnce"],
    }


def test_every_pod_is_closed_to_the_network_and_guarded_when_nodes_are_drained() -> None:
    labels = [
        template["metadata"]["labels"]
        for path in KUBERNETES
        for document in documents(path)
        for template in pods(document)
    ]
    components = {each["app.kubernetes.io/component"] for each in labels}
    assert components == {"postgres", "mlflow", "ray-head", "ray-worker", "ray-submitter"}
    assert {each["app.kubernetes.io/part-of"] for each in labels} == {"dag-nas"}
    nobody, *others = documents(DEPLOY / "kubernetes" / "network.yaml")
    assert nobody["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "dag-nas"}},
        "policyTypes": ["Ingress"],
    }
    assert all(rule["from"] for policy in others for rule in policy["spec"]["ingress"])  # never everyone
    guarded = {
        budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]: budget["spec"]["minAvailable"]
        for budget in documents(DEPLOY / "kubernetes" / "disruption.yaml")
    }
    assert guarded == {"ray-head": 1, "ray-worker": 1, "postgres": 1, "mlflow": 1}


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
    docker = config["docker"]
    assert {"--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=4096"} <= set(docker["run_options"])
    # Storage and secrets are the head's, and the secrets are in no file of this folder.
    assert [each.split("=")[0] for each in docker["head_run_options"]] == ["--memory", "--volume", "--env-file"]
    assert [each.split("=")[0] for each in docker["worker_run_options"]] == ["--memory"]
    example = dict(
        line.split("=", 1) for line in (DEPLOY / "head.env.example").read_text().splitlines() if line[0] != "#"
    )
    assert example.keys() == {
        "NAS_STORAGE",
        "NAS_MLFLOW_URI",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
    }
    assert "replace-me" in example["NAS_STORAGE"]
    assert example["MLFLOW_TRACKING_PASSWORD"] == "replace-me"
    config["idle_timeout"] = 5
    with pytest.raises(Exception, match="idle_timeout"):
        validate_config(prepare_config(config))
