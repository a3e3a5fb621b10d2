# SPDX-License-Identifier: GPL-2.0-or-later
"""sennit-metadata as a product: versions, ETags, changes, reloads, limits."""

import http.client
import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import test_metadata_server
from test_metadata_server import (JSON, LIMIT, RECORDED, ROOT, TEXT, Mesh, Service, binary,
                                  mesh_of_the_recording, service, start, until)

__all__ = ["service", "start"]

Start = Callable[..., Service]
V1, V2 = "/2015-07-25", "/2015-12-19"


def get_json(service: Service, path: str) -> Any:
    status, _, body = service.get(path)
    assert status == 200, body
    return json.loads(body)


def change(service: Service, mesh: Mesh) -> str:
    """Serves another mesh; returns the version it had before."""
    before = service.json("/version")
    service.write(mesh)
    until(lambda: service.json("/version") != before, "the change is served")
    return str(before)


def renamed(mesh: Mesh, host: int, container: int, name: str) -> Mesh:
    copy: Mesh = json.loads(json.dumps(mesh))
    copy["hosts"][host]["containers"][container]["name"] = name
    return copy


# --- versions


@pytest.mark.parametrize("path", [V2 + "/hosts"])
def test_older_text_is_that_of_the_original(service: Service, path: str) -> None:
    want = RECORDED[path, TEXT]
    assert service.get(path, TEXT)[::2] == (want["status"], want["body"])


def test_older_versions_have_host_ids_and_empty_ports(service: Service) -> None:
    theirs = json.loads(RECORDED[V2 + "/hosts", JSON]["body"])
    for version in (V1, V2):
        ours = get_json(service, version + "/hosts")
        assert [h["hostId"] for h in ours] == [h["hostId"] for h in theirs]
        assert [set(h) for h in ours] == [set(h) for h in theirs]
        assert get_json(service, version + "/containers/0")["ports"] == []
    assert get_json(service, ROOT + "/containers/0")["ports"] is None
    assert "hostId" not in get_json(service, "/latest/hosts/0")
    keys = service.get(V2 + "/containers/0", TEXT)[2]
    assert keys == RECORDED[V2 + "/containers/0", TEXT]["body"]


def test_only_the_newest_version_has_names_in_lower_case(start: Start) -> None:
    service = start(mesh=renamed(mesh_of_the_recording(), 0, 0, "Web-App"))
    assert service.get(V2 + "/containers/0/name", TEXT)[2] == "Web-App"
    assert service.get(ROOT + "/containers/0/name", TEXT)[2] == "web-app"
    for path in (V2 + "/containers/Web-App", ROOT + "/containers/web-app",
                 ROOT + "/containers/WEB-APP"):
        assert service.get(path)[0] == 200, path
    assert service.get(V2 + "/containers/WEB-APP")[0] == 404


def test_names_are_escaped_in_both_forms(start: Start) -> None:
    name = 'a/b "c" \\ ä\t\x01'
    service = start(mesh=renamed(mesh_of_the_recording(), 0, 0, name))
    assert service.json("/containers")[0]["name"] == name
    first = service.get(ROOT + "/containers", TEXT)[2].splitlines()[0]
    assert first == "0=a%2Fb%20%22c%22%20%5C%20%C3%A4%09%01"
    assert service.json("/containers/" + first.removeprefix("0="))["name"] == name


def test_a_container_sees_itself_and_its_host(service: Service) -> None:
    container = service.json("/containers")[2]
    assert service.json("/self/container", X_Forwarded_For=container["primary_ip"]) == container
    host = service.json("/self/host", X_Forwarded_For=container["primary_ip"])
    assert host["uuid"] == container["host_uuid"]


# --- ETags


DOCUMENTS = ["", "/hosts", "/containers", "/networks", "/hosts/0", "/self/host", "/version"]


@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.parametrize("accept", [TEXT, JSON])
def test_what_one_has_is_not_sent_again(service: Service, path: str, accept: str) -> None:
    who = {"X_Forwarded_For": "192.0.2.11"}
    status, headers, body = service.get(ROOT + path, accept, **who)
    assert status == 200
    for known in (headers["ETag"], "W/" + headers["ETag"], '"x", ' + headers["ETag"]):
        status, again, nothing = service.get(ROOT + path, accept, If_None_Match=known, **who)
        assert (status, nothing, again["ETag"]) == (304, "", headers["ETag"])
    assert service.get(ROOT + path, accept, If_None_Match='"other"', **who)[::2] == (200, body)


def test_etags_are_those_of_the_content(start: Start) -> None:
    mesh = mesh_of_the_recording()
    service = start(mesh=mesh)

    def etags(of: Service) -> dict[str, str]:
        return {path: of.get(ROOT + path)[1]["ETag"] for path in ("/hosts", "/containers")}

    before = etags(service)
    assert etags(start(mesh=mesh)) == before  # also of another process
    assert service.get(V2 + "/hosts")[1]["ETag"] != before["/hosts"]
    assert service.get(ROOT + "/hosts", TEXT)[1]["ETag"] != before["/hosts"]
    change(service, renamed(mesh, 1, 0, "other"))
    after = etags(service)
    assert after["/hosts"] == before["/hosts"]
    assert after["/containers"] != before["/containers"]


# --- changes


def changes(service: Service, since: str, more: str = "", root: str = ROOT) -> Any:
    return get_json(service, f"{root}/changes?since={since}{more}")


def names(change: Any) -> dict[str, dict[str, list[str]]]:
    return {kind: {what: [entry if what == "removed" else entry["name"] for entry in entries]
                   for what, entries in change[kind].items() if entries}
            for kind in ("hosts", "containers")}


def test_changes_lead_from_a_version_to_the_newest(start: Start) -> None:
    mesh = mesh_of_the_recording()
    service = start(mesh=mesh)
    gone = service.json("/containers/0")["uuid"]
    first = change(service, renamed(mesh, 0, 0, "new"))
    two = renamed(mesh, 0, 0, "new")
    two["hosts"][2]["addresses"] = ["192.0.2.33"]
    second = change(service, two)
    three = {**two, "hosts": two["hosts"][1:]}
    third = change(service, three)
    host = mesh["hosts"][0]["id"]

    got = changes(service, third)
    assert got["version"] == service.json("/version")
    assert names(got)["hosts"] == {"removed": [host]}
    assert len(names(got)["containers"]["removed"]) == 2
    assert names(changes(service, second))["hosts"] == {"changed": ["h3"], "removed": [host]}
    # "new" came and went: who starts before it never hears of it
    all_of_it = changes(service, first)
    assert gone in all_of_it["containers"]["removed"]
    assert len(all_of_it["containers"]["removed"]) == 2
    assert all_of_it["hosts"]["changed"] == [service.json("/hosts/h3")]
    assert names(changes(service, got["version"])) == {"hosts": {}, "containers": {}}
    assert "hostId" in changes(service, first, root=V2)["hosts"]["changed"][0]


def test_what_came_back_is_a_change(start: Start) -> None:
    mesh = mesh_of_the_recording()
    service = start(mesh=mesh)
    first = change(service, {**mesh, "hosts": mesh["hosts"][:2]})
    change(service, mesh)
    assert names(changes(service, first))["hosts"] == {"changed": ["h3"]}


def test_unknown_versions_are_told_to_read_all(start: Start) -> None:
    mesh = mesh_of_the_recording()
    service = start(mesh=mesh)
    version = service.json("/version")
    for since in ("x", "", "x" * 100):
        got = changes(service, since)
        assert (got["version"], got["all"]) == (version, True)
        assert "hosts" not in got
    assert service.get(ROOT + "/changes")[0] == 400
    before = change(service, {**mesh, "overlay": "10.0.0.0/8"})  # all entries change
    assert changes(service, before)["all"] is True


def test_changes_of_a_restarted_server_begin_anew(start: Start) -> None:
    mesh = mesh_of_the_recording()
    first, second = start(mesh=mesh), start(mesh=mesh)
    assert changes(second, first.json("/version"))["all"] is True


def test_changes_say_who_asks(service: Service) -> None:
    def self_of(addr: str) -> Any:
        status, _, body = service.get(ROOT + "/changes?since=x", X_Forwarded_For=addr)
        assert status == 200
        return json.loads(body)["self"]
    assert self_of("192.0.2.12") == mesh_of_the_recording()["hosts"][1]["id"]
    assert self_of("203.0.113.1") is None


def big_mesh(hosts: int, containers: int, shift: int = 0) -> Mesh:
    return {"mesh": "m1", "overlay": "100.0.0.0/12", "hosts": [
        {"id": f"h{h}", "addresses": [f"192.0.{h // 200}.{h % 200 + 1}"],
         "prefixes": [f"100.{h // 250}.{h % 250}.0/24"],
         "containers": [{"name": f"c{h}-{c}-{shift if c == 0 else 0}",
                         "ip": f"100.{h // 250}.{h % 250}.{c + 2}"} for c in range(containers)]}
        for h in range(hosts)]}


def test_history_is_bounded(start: Start) -> None:
    service = start(mesh=big_mesh(50, 100))
    first = service.json("/version")
    # 5,000 entries go, and come again: more than one answer tells
    second = change(service, big_mesh(50, 1))
    assert changes(service, first)["all"] is True
    change(service, big_mesh(50, 100))
    assert changes(service, second)["all"] is True
    near = change(service, big_mesh(50, 100, 1))
    assert len(changes(service, near)["containers"]["added"]) == 50
    for shift in range(2, 10):
        change(service, big_mesh(50, 100, shift))
    assert len(changes(service, near)["containers"]["added"]) == 50
    # only the ends count: 50 names, whatever they were in between
    assert len(changes(service, near)["containers"]["removed"]) == 50


def test_changes_can_be_waited_for(start: Start) -> None:
    mesh = mesh_of_the_recording()
    service = start(mesh=mesh)
    version = service.json("/version")
    began = time.monotonic()
    got = changes(service, version, "&wait=true&maxWait=1")
    assert (got["version"], names(got)) == (version, {"hosts": {}, "containers": {}})
    assert 0.9 < time.monotonic() - began < 3
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(changes, service, version, "&wait=true&maxWait=20")
        service.write(renamed(mesh, 0, 0, "new"))
        got = answer.result(LIMIT)
    assert got["version"] != version
    assert names(got)["containers"]["added"] == ["new"]
    assert changes(service, "x", "&wait=true")["all"] is True  # at once


# --- reloading


def post(port: int, path: str, method: str = "POST") -> tuple[int, str]:
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    conn.request(method, path)
    answer = conn.getresponse()
    text = answer.read().decode()
    conn.close()
    return answer.status, text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_reload_answers_when_it_is_done(start: Start) -> None:
    port = free_port()
    mesh = mesh_of_the_recording()
    service = start("--reload", f"127.0.0.1:{port}", mesh=mesh)
    for hosts in (2, 1, 3):
        service.write({**mesh, "hosts": mesh["hosts"][:hosts]})
        assert post(port, "/v1/reload") == (200, "OK\n")
        assert len(service.json("/hosts")) == hosts
    service.write("{")
    status, text = post(port, "/v1/reload")
    assert status == 500
    assert "line 1" in text
    assert post(port, "/v1/reload", "GET")[0] == 405
    assert post(port, ROOT + "/hosts")[0] == 404
    assert post(service.port, "/v1/reload")[0] == 405


def test_hangup_reads_the_mesh(start: Start) -> None:
    mesh = mesh_of_the_recording()
    service = start(mesh=mesh)
    service.process.send_signal(signal.SIGHUP)
    service.write({**mesh, "hosts": mesh["hosts"][:1]})
    service.process.send_signal(signal.SIGHUP)
    until(lambda: len(service.json("/hosts")) == 1, "the change is served")


# --- HTTP


def raw(service: Service, request: bytes, source: str = "127.0.0.1") -> bytes:
    with socket.create_connection(("127.0.0.1", service.port), LIMIT, (source, 0)) as s:
        s.sendall(request)
        received = b""
        while data := s.recv(65536):
            received += data
    return received


@pytest.mark.parametrize(("request_", "status"), [
    (b"GET / HTTP/1.0\r\n\r\n", b"200"),
    (b"GET /\r\n\r\n", b"400"),
    (b"nonsense\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # no Host
    (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", b"400"),
    (b"GET / HTTP/1.0\r\nA : b\r\n\r\n", b"400"),
    (b"GET / HTTP/1.0\r\nA: b\x01\r\n\r\n", b"400"),
    (b"GET nowhere HTTP/1.0\r\n\r\n", b"400"),
    (b"GET http://x/latest HTTP/1.0\r\n\r\n", b"200"),
    (b"DELETE / HTTP/1.0\r\n\r\n", b"405"),
    (b"GET / HTTP/1.0\r\nA: " + b"x" * 20000 + b"\r\n\r\n", b"431"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", b"200"),
])
def test_requests_are_judged(service: Service, request_: bytes, status: bytes) -> None:
    answer = raw(service, request_)
    assert answer.split(b" ", 2)[1] == status
    assert b"Connection: close" in answer


def test_old_clients_get_no_chunks(service: Service) -> None:
    head, body = raw(service, f"GET {ROOT}/containers HTTP/1.0\r\nAccept: {JSON}\r\n\r\n"
                     .encode()).split(b"\r\n\r\n", 1)
    assert b"chunked" not in head
    assert len(json.loads(body)) == 6


def test_connections_are_kept(service: Service) -> None:
    conn = http.client.HTTPConnection("127.0.0.1", service.port, timeout=LIMIT)
    for path in ("/version", "/hosts", "/containers", "/nope", "/hosts"):
        for method in ("GET", "HEAD"):
            conn.request(method, ROOT + path, headers={"Accept": JSON})
            sock = conn.sock
            conn.getresponse().read()
            assert conn.sock is sock
    conn.close()


def test_large_documents_come_whole(start: Start) -> None:
    service = start(mesh=big_mesh(200, 50))
    assert len({c["uuid"] for c in service.json("/containers")}) == 10000
    everything = service.json("")
    assert everything["containers"] == service.json("/containers")
    assert everything["hosts"] == service.json("/hosts")


# --- limits


def test_one_client_gets_so_many_connections_and_others_theirs(start: Start) -> None:
    service = start("--max-per-client", "5", mesh=mesh_of_the_recording())
    held = [socket.create_connection(("127.0.0.1", service.port), LIMIT, ("127.0.0.9", 0))
            for _ in range(5)]
    version = service.json("/version")
    refused = raw(service, b"", "127.0.0.9")
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert service.json("/version") == version
    held.pop().close()
    request = b"GET / HTTP/1.0\r\n\r\n"
    until(lambda: raw(service, request, "127.0.0.9").startswith(b"HTTP/1.1 200"),
          "a place is free again")


def test_all_clients_together_get_so_many(start: Start) -> None:
    service = start("--max-connections", "8", mesh=mesh_of_the_recording())
    until(lambda: service.json("/version"), "it serves")
    held = [socket.create_connection(("127.0.0.1", service.port), LIMIT) for _ in range(8)]
    assert raw(service, b"", "127.0.0.9").startswith(b"HTTP/1.1 503 ")
    for one in held:
        one.close()
    until(lambda: raw(service, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200"),
          "they are free again")


def test_a_waiting_client_that_goes_makes_room(start: Start) -> None:
    service = start("--max-per-client", "2", mesh=mesh_of_the_recording())
    version = service.json("/version")
    poll = f"GET {ROOT}/version?wait=true&value={version} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    for _ in range(6):
        with socket.create_connection(("127.0.0.1", service.port), LIMIT) as s:
            s.sendall(poll)
        until(lambda: service.get(ROOT + "/version")[0] == 200, "there is room")


def test_few_descriptors_mean_few_connections(start: Start, monkeypatch: pytest.MonkeyPatch,
                                              tmp_path: Path) -> None:
    """Rather than running out of them: those beyond are turned away."""
    wrapper = tmp_path / "few"
    wrapper.write_text(f'#!/bin/sh\nexec prlimit --nofile=200:200 "{binary()}" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr(test_metadata_server, "binary", lambda: wrapper)
    service = start("--max-connections", "5000", "--max-per-client", "5000",
                    mesh=mesh_of_the_recording())
    found = re.search(r"the limit on open files allows (\d+) connections only", service.log())
    assert found and 50 < (allowed := int(found[1])) < 200
    held = [socket.create_connection(("127.0.0.1", service.port), LIMIT)
            for _ in range(allowed + 20)]
    refused = 0
    for one in held[allowed:]:
        one.settimeout(LIMIT)
        refused += one.recv(4096).startswith(b"HTTP/1.1 503")
    assert refused == 20
    for one in held:
        one.close()
    until(lambda: service.get(ROOT + "/version")[0] == 200, "there is room again")


def sockets(service: Service) -> int:
    fds = f"/proc/{service.process.pid}/fd"
    return sum(os.readlink(f"{fds}/{fd}").startswith("socket:") for fd in os.listdir(fds))


def test_slow_and_half_clients_are_cut(start: Start) -> None:
    service = start(mesh=big_mesh(400, 100))
    before = sockets(service)
    half = socket.create_connection(("127.0.0.1", service.port))
    half.sendall(b"GET / HT")
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", service.port))
    slow.sendall(f"GET {ROOT}/containers HTTP/1.0\r\nAccept: {JSON}\r\n\r\n".encode())
    until(lambda: sockets(service) == before + 2, "both are there")
    half.settimeout(15)
    began = time.monotonic()
    assert half.recv(1) == b""
    assert 9 < time.monotonic() - began < 13
    # in its first ten seconds the kernel's buffers took more than enough
    until(lambda: sockets(service) == before, "the slow one is cut", 15)
    slow.close()


def test_thousand_clients_wait_and_are_answered(start: Start) -> None:
    mesh = mesh_of_the_recording()
    service = start("--max-per-client", "1000", mesh=mesh)
    version = service.json("/version")
    poll = f"GET {ROOT}/version?wait=true&value={version} HTTP/1.0\r\n\r\n".encode()
    held = [socket.create_connection(("127.0.0.1", service.port), LIMIT) for _ in range(900)]
    for one in held:
        one.sendall(poll)
    service.write(renamed(mesh, 0, 0, "new"))
    answers = []
    for one in held:
        one.settimeout(LIMIT)
        received = b""
        while data := one.recv(4096):
            received += data
        answers.append(received.rpartition(b"\r\n\r\n")[2].decode())
        one.close()
    assert set(answers) == {service.json("/version")} != {version}
