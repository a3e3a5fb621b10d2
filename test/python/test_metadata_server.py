# SPDX-License-Identifier: GPL-2.0-or-later
"""sennit-metadata against answers that the original service gave (data/rancher_recorded.json).

The mesh is that of the recording. What a mesh.json cannot say (services, stacks, sizes of
machines, the host's own containers) is left out of the comparison, and so are the container's
uuids and the order of arrays, which the original changes from call to call.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = "/2016-07-29"
NETWORK = "22d7ffe1-4a45-5628-b940-41655bfe030e"
TEXT, JSON = "text/plain", "application/json"
LIMIT = 10.0

Mesh = dict[str, Any]


def load_recording() -> dict[tuple[str, str], dict[str, Any]]:
    entries = json.loads((HERE / "data/rancher_recorded.json").read_text())
    return {(entry["path"], entry["accept"]): entry for entry in entries}


RECORDED = load_recording()


def recorded_json(path: str) -> Any:
    return json.loads(RECORDED[ROOT + path, JSON]["body"])


def mesh_of_the_recording() -> Mesh:
    containers = [c for c in recorded_json("/containers") if c["network_uuid"] == NETWORK]
    return {"mesh": NETWORK, "name": "Default", "overlay": "10.42.0.0/16",
            "hosts": [{"id": h["uuid"], "name": h["name"], "addresses": [h["agent_ip"]],
                       "prefixes": [h["labels"]["io.rancher.network.per_host_subnet.subnet"]],
                       "containers": [{"name": c["name"], "ip": c["primary_ip"]}
                                      for c in containers if c["host_uuid"] == h["uuid"]]}
                      for h in recorded_json("/hosts")]}


def binary() -> Path:
    build = os.environ.get("SENNIT_BUILD", str(HERE.parents[1] / "build"))
    return Path(build) / "tools/metadata/sennit-metadata"


def until(condition: Callable[[], Any], what: str, limit: float = LIMIT) -> Any:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {limit} s: {what}")


class Service:
    """A sennit-metadata of the test's own."""

    def __init__(self, folder: Path, *flags: str, mesh: Mesh | None = None) -> None:
        self.mesh_path = folder / "mesh.json"
        self.log_path = folder / "log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        if mesh is not None:
            self.write(mesh)
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [binary(), "--mesh", self.mesh_path, "--listen", f"127.0.0.1:{self.port}", *flags],
                stderr=log)
        until(self._listens, "it listens")

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self) -> str:
        return self.log_path.read_text()

    def write(self, mesh: Mesh | str) -> None:
        new = self.mesh_path.with_suffix(".new")
        new.write_text(mesh if isinstance(mesh, str) else json.dumps(mesh))
        os.replace(new, self.mesh_path)

    def get(self, path: str, accept: str | None = JSON, method: str = "GET",
            **headers: str) -> tuple[int, dict[str, str], str]:
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        if accept is not None:
            headers["Accept"] = accept
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        conn.request(method, path, headers=headers)
        answer = conn.getresponse()
        body = answer.read().decode()
        conn.close()
        return answer.status, dict(answer.getheaders()), body

    def json(self, path: str, **headers: str) -> Any:
        status, _, body = self.get(ROOT + path, **headers)
        assert status == 200, (path, status, body)
        return json.loads(body)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def start_one(*flags: str, mesh: Mesh | None = None) -> Service:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Service(folder, *flags, mesh=mesh))
        return started[-1]

    yield start_one
    for service in started:
        if service.process.poll() is None:
            service.stop()


@pytest.fixture
def service(start: Callable[..., Service]) -> Service:
    return start("--xff", mesh=mesh_of_the_recording())


SAME_TO_THE_BYTE = [
    "/latest", ROOT, ROOT + "/", ROOT + "/hosts", ROOT + "/hosts/0", ROOT + "/hosts/h2/agent_ip",
    ROOT + "/hosts/H2/agent_ip", ROOT + "/containers/0", ROOT + "/networks",
    ROOT + "/environments", ROOT + "/region_name", ROOT + "/self", ROOT + "/self/host",
    ROOT + "/self/container", ROOT + "/self/service", ROOT + "/nope", "/1999-01-01/hosts",
    ROOT + "/hosts/99", ROOT + "/%zz", "/favicon.ico",
]


@pytest.mark.parametrize("path", SAME_TO_THE_BYTE)
def test_text_is_that_of_the_original(service: Service, path: str) -> None:
    want = RECORDED[path, TEXT]
    status, headers, body = service.get(path, TEXT, X_Forwarded_For="192.0.2.11")
    assert (status, body) == (want["status"], want["body"])
    for name in ("Access-Control-Allow-Origin", "Content-Type", "X-Content-Type-Options"):
        if name in want["headers"] or name != "Access-Control-Allow-Origin":
            assert headers.get(name) == want["headers"].get(name), name


@pytest.mark.parametrize("path", [
    ROOT + "/hosts/h2/agent_ip", ROOT + "/hosts/H2/agent_ip", ROOT + "/environments",
    ROOT + "/region_name", ROOT + "/self/container", ROOT + "/nope", "/1999-01-01/hosts",
    ROOT + "/hosts/99", ROOT + "/%zz", "/favicon.ico"])
def test_short_json_is_that_of_the_original(service: Service, path: str) -> None:
    want = RECORDED[path, JSON]
    status, _, body = service.get(path, JSON)
    assert (status, body) == (want["status"], want["body"])


def agree(ours: Any, theirs: Any, ignore: set[str]) -> bool:
    """Where we say something other than null or nothing, it is what the original says."""
    assert ours.keys() == theirs.keys()
    for key in ours.keys() - ignore:
        if ours[key] not in (None, []):
            assert ours[key] == theirs[key], key
    return True


def by_name(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in items}


def test_objects_are_those_of_the_original(service: Service) -> None:
    ours, theirs = by_name(service.json("/hosts")), by_name(recorded_json("/hosts"))
    assert ours.keys() == theirs.keys()
    for name in ours:
        agree(ours[name], theirs[name], {"environment_uuid"})
    ours, theirs = by_name(service.json("/containers")), by_name(recorded_json("/containers"))
    assert theirs.keys() - ours.keys() == {"host-net-1"}
    for name in ours:
        agree(ours[name], theirs[name], {"environment_uuid", "uuid"})
    agree(service.json("/networks")[0], recorded_json("/networks")[0], {"environment_uuid"})
    agree(service.json("/self/host", X_Forwarded_For="192.0.2.12"),
          by_name(recorded_json("/hosts"))["h2"], {"environment_uuid"})


def test_whole_documents_have_the_same_keys(service: Service) -> None:
    assert service.json("").keys() == recorded_json("").keys()
    assert json.loads(service.get("/latest")[2]) == service.json("")


def test_versions_are_listed(service: Service) -> None:
    assert service.get("/", TEXT)[2] == RECORDED["/", TEXT]["body"]
    assert service.get("/", JSON)[2] == RECORDED["/", JSON]["body"]


def test_elements_are_found_by_index_name_and_uuid(service: Service) -> None:
    hosts = service.json("/hosts")
    for index, host in enumerate(hosts):
        for key in (str(index), host["name"], host["uuid"], host["uuid"].upper()):
            assert service.json(f"/hosts/{key}") == host
    first = service.json("/containers")[0]
    assert service.json("/containers/" + first["uuid"]) == first
    assert service.get(ROOT + "/hosts/h2/labels/io%2erancher.network.per_host_subnet.subnet",
                       TEXT)[2] == "10.42.2.0/24"


def test_form_follows_accept(service: Service) -> None:
    path = ROOT + "/hosts/0/name"
    for accept, want in [(None, "h1"), ("*/*", "h1"), ("image/png", "h1"), (JSON, '"h1"'),
                         ("text/plain;q=0.5, application/json", '"h1"'),
                         ("application/json;q=0.2,text/plain;q=0.3", "h1"),
                         ("application/json, text/plain, */*", '"h1"')]:
        assert service.get(path, accept)[2] == want, accept


def test_head_has_no_body_and_post_is_refused(service: Service) -> None:
    status, headers, body = service.get(ROOT + "/version", TEXT, method="HEAD")
    assert (status, body) == (200, "")
    assert service.get(ROOT + "/version", method="POST")[0] in (404, 405, 501)


def test_self_is_who_the_proxy_says_only_with_the_flag(start: Callable[..., Service]) -> None:
    with_flag, without = (start("--xff", mesh=mesh_of_the_recording()),
                          start(mesh=mesh_of_the_recording()))
    for forwarded, want in [("192.0.2.13", 200), ("192.0.2.13, 10.0.0.1", 200),
                            ("10.0.0.1, 192.0.2.13", 404), ("::ffff:192.0.2.13", 200),
                            ("nonsense", 404), ("", 404)]:
        status, _, body = with_flag.get(ROOT + "/self/host/name", TEXT, X_Forwarded_For=forwarded)
        assert status == want, forwarded
        assert want == 404 or body == "h3"
        assert without.get(ROOT + "/self/host", X_Forwarded_For=forwarded)[0] == 404
    assert without.json("/self") == {}


def test_self_is_the_peer_of_the_connection(start: Callable[..., Service]) -> None:
    mesh = mesh_of_the_recording()
    service = start(mesh=mesh)
    conn = http.client.HTTPConnection("127.0.0.1", service.port, timeout=LIMIT,
                                      source_address=("127.0.0.2", 0))
    conn.request("GET", ROOT + "/self/host")
    assert conn.getresponse().status == 404


def other(mesh: Mesh, count: int) -> Mesh:
    return {**mesh, "hosts": mesh["hosts"][:count]}


@pytest.mark.parametrize("accept", [JSON, TEXT])
def test_long_poll_wakes_within_milliseconds(service: Service, accept: str) -> None:
    version = service.json("/version")
    poll = f"{ROOT}/version?wait=true&value={version}&maxWait=20"
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(lambda: (service.get(poll, accept), time.monotonic()))
                   for _ in range(8)]
        time.sleep(0.2)  # long enough to be wrong: nobody may be answered yet
        assert not any(answer.done() for answer in answers)
        service.write(other(mesh_of_the_recording(), 2))
        changed = time.monotonic()
        for answer in answers:
            (status, _, body), when = answer.result(LIMIT)
            assert status == 200
            assert body.strip('"') != version
            assert when - changed < 1.0
    assert len(service.json("/hosts")) == 2


def test_long_poll_works_on_any_path(service: Service) -> None:
    path = ROOT + "/hosts/h1/agent_ip?wait=true&value=192.0.2.11"
    assert service.get(path.replace("2.11", "9.9"))[2] == '"192.0.2.11"'
    mesh = mesh_of_the_recording()
    mesh["hosts"][0]["addresses"] = ["192.0.2.111"]
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(service.get, path)
        service.write(other(mesh_of_the_recording(), 2))  # a change, but not of this value
        until(lambda: len(service.json("/hosts")) == 2, "the change is served")
        assert not answer.done()
        service.write(mesh)
        assert answer.result(LIMIT)[2] == '"192.0.2.111"'


def test_long_poll_ends_with_the_value_it_has(service: Service) -> None:
    version = service.json("/version")
    began = time.monotonic()
    status, _, body = service.get(f"{ROOT}/version?wait=true&value={version}&maxWait=1")
    assert (status, body) == (200, f'"{version}"')
    assert 0.9 < time.monotonic() - began < 3
    began = time.monotonic()
    assert service.get(f"{ROOT}/nope?wait=true&value=x&maxWait=1")[0] == 404
    assert 0.9 < time.monotonic() - began < 3


@pytest.mark.parametrize("query", ["?wait=true", "?value=x", "?wait=false&value=x",
                                   "?wait=true&value=x", ""])
def test_other_queries_do_not_wait(service: Service, query: str) -> None:
    version = service.json("/version")
    began = time.monotonic()
    assert service.json("/version" + query.replace("=x", "=" + version if "false" in query
                                                   else "=x")) == version
    assert time.monotonic() - began < 1


def test_version_is_a_new_uuid_per_change_only(service: Service) -> None:
    first = service.json("/version")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                        first)
    mesh = mesh_of_the_recording()
    service.write(mesh)  # the same again
    service.write(other(mesh, 2))
    until(lambda: len(service.json("/hosts")) == 2, "the change is served")
    second = service.json("/version")
    assert second != first
    service.write(json.dumps(other(mesh, 2), indent=4))
    service.write("{")
    until(lambda: "last good mesh stays" in service.log(), "the wrong file is read")
    assert service.json("/version") == second


@pytest.mark.parametrize(("wrong", "where"), [
    ("", ""), ("{", "line 1"), ("[]", ""), ('{"mesh":"m"}', "/overlay"),
    ({**mesh_of_the_recording(),
      "hosts": [*mesh_of_the_recording()["hosts"][:2],
                {**mesh_of_the_recording()["hosts"][2], "addresses": ["300.1.1.1"]}]},
     "/hosts/2/addresses/0"),
])
def test_wrong_mesh_keeps_the_old_one_and_says_where(service: Service, wrong: Mesh | str,
                                                     where: str) -> None:
    before = service.json("")
    service.write(wrong)
    until(lambda: "last good mesh stays" in service.log(), "it is said")
    assert str(service.mesh_path) in service.log()
    assert where in service.log()
    assert service.json("") == before
    service.mesh_path.unlink()
    until(lambda: "No such file" in service.log(), "the deletion is said")
    assert service.json("") == before
    service.write(other(mesh_of_the_recording(), 1))
    until(lambda: len(service.json("/hosts")) == 1, "the new mesh is served")


def test_flat_hosts_have_containers_only(start: Callable[..., Service]) -> None:
    service = start(mesh={
        "mesh": "m1", "overlay": "10.42.0.0/16", "hosts": [
            {"id": "a", "addresses": ["192.0.2.1"], "overlay_ip": "10.42.0.1",
             "prefixes": ["10.42.0.1/32", "10.42.0.9/32"],
             "containers": [{"name": "web", "ip": "10.42.0.7"}]},
            {"id": "b", "addresses": ["192.0.2.2"], "overlay_ip": "10.42.0.2",
             "containers": [{"name": "router", "ip": "10.42.0.2"}]}]})
    assert [host["labels"] for host in service.json("/hosts")] == [{}, {}]
    containers = {c["primary_ip"]: c for c in service.json("/containers")}
    assert {(ip, c["host_uuid"]) for ip, c in containers.items()} == {
        ("10.42.0.1", "a"), ("10.42.0.7", "a"), ("10.42.0.9", "a"), ("10.42.0.2", "b")}
    routers = {ip for ip, c in containers.items()
               if c["labels"].get("io.rancher.container.agent_service.ipsec") == "true"}
    assert routers == {"10.42.0.1", "10.42.0.2"}


def test_without_a_mesh_there_is_nothing_yet(start: Callable[..., Service]) -> None:
    service = start()
    assert service.get(ROOT + "/version")[0] == 404
    assert service.get("/")[0] == 200
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(service.get, ROOT + "/version?wait=true&value=init&maxWait=20")
        service.write(mesh_of_the_recording())
        assert answer.result(LIMIT)[0] == 200


def test_one_client_that_hangs_hinders_nobody(service: Service) -> None:
    version = service.json("/version")
    poll = f"GET {ROOT}/version?wait=true&value={version} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    hanging = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(3)]
    hanging[0].sendall(b"GET /")
    hanging[1].sendall(poll * 3)  # pipelined behind one that waits
    hanging[2].sendall(poll)
    hanging[2].close()  # gone while it waits
    assert service.json("/version") == version
    service.write(other(mesh_of_the_recording(), 2))
    until(lambda: service.json("/version") != version, "the change is served")
    hanging[1].settimeout(LIMIT)
    received = b""
    while received.count(b"HTTP/1.1 200 OK") < 3:
        received += hanging[1].recv(65536)
    assert service.process.poll() is None


def test_sigterm_ends_it_while_clients_wait(service: Service) -> None:
    version = service.json("/version")
    with socket.create_connection(("127.0.0.1", service.port)) as waiting:
        waiting.sendall(f"GET {ROOT}/version?wait=true&value={version} HTTP/1.1\r\n"
                        f"Host: x\r\n\r\n".encode())
        assert service.json("/version") == version
        assert service.stop() == 0


@pytest.mark.parametrize(("flags", "code"), [
    (["--help"], 0), (["--version"], 0), ([], 2), (["--mesh"], 2), (["--nonsense"], 2),
    (["--mesh", "x", "--listen", "nowhere"], 2), (["--mesh", "x", "--listen", "127.0.0.1:0"], 2),
    (["--mesh", "x", "--listen", "127.0.0.1:70000"], 2), (["--mesh", "x", "y"], 2),
    (["--mesh", "x", "--listen", "192.0.2.200:8080"], 1),
])
def test_flags(flags: list[str], code: int) -> None:
    done = subprocess.run([binary(), *flags], capture_output=True, timeout=LIMIT, check=False)
    assert done.returncode == code
    assert (done.stdout if code == 0 else done.stderr)
