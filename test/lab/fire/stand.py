# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab of two hosts whose first one reads an odd server; runs the rows, keeps the table."""

import json
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sennitlab import Lab, patient, wait_for
from sennitlab.lab import DATAPLANE
from sennitlab.metrics import Page
from sennitlab.netns import run
from sennitlab.sas import Tunnel, sas_of, tunnel_of

from .case import Case, Did, Documents
from .odd_dns import OddDns
from .odd_server import OddServer

SUBNET = "io.rancher.network.per_host_subnet.subnet"
PORT = 8180
RESOLVER = "127.0.0.53"
NO_RESOLVER = "10.99.0.53"  # nobody is there
# h3 is in the documents only: nobody is at its address
ADDRESSES = {"h1": "192.0.2.11", "h2": "192.0.2.12", "h3": "192.0.2.13"}
STATE_SIZE = "1m"
SHOWN = 150


class Look(NamedTuple):
    """What must be the same before and after; `carried` only grows."""
    charons: tuple[int | None, int | None]
    tunnel: Tunnel
    connections: str
    keys: tuple[str, ...]
    peer_state_changes: tuple[float | None, float | None]  # None: h1 knows no peer yet
    changes: float  # of objects, by h1's sennitd since its start
    pid: int | None
    carried: int


class Row(NamedTuple):
    case: str
    did: str
    said: str
    mesh: str


def changes_of(page: Page) -> float:
    return sum(value for (name, _), value in page.samples() if name == "sennit_reconcile_changes_total")


class Stand:
    def __init__(self) -> None:
        self.lab = Lab(hosts=2, containers=1)
        self.h1, self.h2 = self.lab["h1"], self.lab["h2"]
        self.rows: list[Row] = []
        self.servers: list[OddServer] = []  # more of them, and sockets, until the end
        self.sockets: list[socket.socket | OddDns] = []
        self.log_at = 0
        self._canary = 0
        self._file = False
        self._resolv = Path(f"/etc/netns/{self.h1.ns.name}/resolv.conf")
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    # --- building

    def _build(self) -> None:
        assert self.lab.metadata
        self.far_ns = self.lab.metadata.ns
        self.near = OddServer(self._tcp(self.h1.ns), "127.0.0.1", PORT)
        self.far = OddServer(self._tcp(self.far_ns), "192.0.2.250", PORT)
        self.servers += [self.near, self.far]
        self._resolv.parent.mkdir(parents=True, exist_ok=True)
        self._resolv.write_text(f"nameserver {RESOLVER}\nnameserver {NO_RESOLVER}\n")
        self.dns = OddDns(self.h1.ns.socket(socket.AF_INET, socket.SOCK_DGRAM), RESOLVER)
        self.sockets.append(self.dns)
        # whatever the environment says: no proxy
        self.h1.env = {name: "http://127.0.0.1:9" for name in
                       ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY")}
        self.h1.state_dir.mkdir(mode=0o700)
        run("mount", "-t", "tmpfs", "-o", f"size={STATE_SIZE},mode=0700", "sennit-fire",
            str(self.h1.state_dir))
        self.lab.configure(self.h1, {"metadata": {"url": self.near.url}})
        for server in (self.near, self.far):
            server.documents = self.documents()
            server.listen()
        self.lab.start()
        self.flows = self.lab.flows(self.lab.pairs(across=True), rate=25)
        self.flows.wait_all_arrive(10)

    @staticmethod
    def _tcp(ns: Any) -> Callable[[], socket.socket]:
        return lambda: ns.socket(socket.AF_INET, socket.SOCK_STREAM)

    def close(self) -> None:
        self.lab.stop_daemons()
        for thing in [*self.servers, *self.sockets]:
            thing.close()
        run("umount", "-l", str(self.h1.state_dir), check=False)
        self._resolv.unlink(missing_ok=True)
        if self._resolv.parent.exists():
            self._resolv.parent.rmdir()

    # --- what is served

    def documents(self) -> Documents:
        """Good ones; the name of h3 says which they are."""
        mesh = self.lab.mesh.id
        self._canary += 1
        return {
            "/networks": [{"name": "ipsec", "uuid": mesh, "metadata": {"cniConfig": {
                "10-rancher.conf": {"type": "rancher-bridge", "bridge": "docker0",
                                    "bridgeSubnet": "10.42.0.0/16"}}}}],
            "/self/host": {"uuid": "h1", "name": "node-h1"},
            "/hosts": [{"uuid": name, "state": "active", "agent_ip": address,
                        "name": self.canary if name == "h3" else f"node-{name}",
                        "labels": {SUBNET: f"10.42.{number}.0/24"}}
                       for number, (name, address) in enumerate(ADDRESSES.items(), 1)],
            "/containers": [{"uuid": f"c-{name}", "name": f"web-{name}", "network_uuid": mesh,
                             "state": "running", "primary_ip": f"10.42.{number}.99",
                             "host_uuid": name, "labels": {}}
                            for number, name in enumerate(ADDRESSES, 1)]}

    def mesh(self) -> dict[str, Any]:
        """The same as a mesh.json."""
        self._canary += 1
        return {"mesh": self.lab.mesh.id, "name": "lab", "overlay": "10.42.0.0/16", "hosts": [
            {"id": name, "name": self.canary if name == "h3" else f"node-{name}",
             "addresses": [address], "prefixes": [f"10.42.{number}.0/24"],
             "containers": [{"name": f"web-{name}", "ip": f"10.42.{number}.99"}]}
            for number, (name, address) in enumerate(ADDRESSES.items(), 1)]}

    @property
    def canary(self) -> str:
        """The peer's name in the documents that were made last."""
        return f"canary-{self._canary}"

    def serve(self, spoil: Callable[[Documents], Any] = lambda _: None,
              quiet: bool = False) -> None:
        """New documents, spoilt; and their version. quiet: who waits for news is not told."""
        documents = self.documents()
        spoil(documents)

        def change() -> None:
            self.near.documents = documents
            self.near.version = f"v{self._canary}"
        if quiet:
            change()
        else:
            self.near.tell(change)

    @property
    def mesh_path(self) -> Path:
        return self.h1.folder / "mesh.json"

    def write_mesh(self, text: str | bytes | None = None) -> None:
        """The good one, or this; by a rename, as everybody should."""
        if text is None:
            text = json.dumps(self.mesh())
        new = self.mesh_path.with_suffix(".new")
        new.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.replace(new, self.mesh_path)

    def read_from(self, url: str | None = None, **metadata: Any) -> None:
        """The configuration names another service, and is read again."""
        self.lab.configure(self.h1, {"metadata": {"url": url or self.near.url, **metadata}})
        self.h1.ask("reload")

    def use(self, file: bool) -> None:
        """The source of the rows to come, good and in use."""
        if file == self._file:
            return
        self._file = file
        if file:
            self.write_mesh()
        else:
            self.heal()
        self.read_from(f"file://{self.mesh_path}" if file else None)
        self.wait(self.is_well, 10, "the other source is in use")

    def offer_changes(self, changes: Callable[[str], bytes]) -> None:
        """The server is one that has /changes, and this is what it says from now on."""
        documents = self.near.documents
        # who finds nobody there looks anew what there is; a connection alone is replaced unseen
        self.near.close()
        self.wait(lambda: "refused" in self.texts()[0], 5, "it sees that the server is away")
        self.near.changes = lambda _: b""
        self.near.listen()
        self.near.wait_asked("/changes")
        self.near.changes = changes
        self.serve()
        assert self.near.documents is not documents

    def restart(self) -> None:
        self.h1.stop()
        self.h1.start()
        self.h1.wait_answers()

    # --- what is seen

    def page(self) -> Page:
        return Page(self.h1.http("/metrics")[1])

    def taken(self) -> str | None:
        """The canary of the documents that were taken last."""
        return next((p["name"] for p in self.h1.status()["peers"] if p["id"] == "h3"), None)

    @staticmethod
    def problems(status: dict[str, Any]) -> list[str]:
        """Of the host; but that a busy machine let the daemon wait is not what this is about."""
        return [p["text"] for p in status["problems"] if p["what"] != "stalled"]

    def texts(self) -> list[str]:
        """All that the status finds wrong."""
        status = self.h1.status()
        return ([status["metadata"]["error"] or ""] +
                [f"{r['place']}: {r['text']}" for r in status["refused"]] +
                self.problems(status))

    def log(self) -> str:
        """Since the begin of the row."""
        return self.h1.log.read_bytes()[self.log_at:].decode()

    def wait(self, predicate: Callable[[], Any], limit: float, what: str) -> Any:
        return wait_for(predicate, limit, what, lambda: f"{self.texts()}\n{self.h1.describe()}",
                        0.02)

    def look(self, but: str = "") -> Look:
        """but: a peer that is new, of which nothing has to be as it was."""
        pages = [Page(h.http("/metrics")[1]) for h in (self.h1, self.h2)]
        with self.h1.vici() as vici:
            connections = {name: conn for name, conn in vici.list_conns().items()
                           if name != f"sennit-{but}"}
            keys = tuple(sorted(key for key in vici.shared_keys()
                                if not but or not key.startswith(f"sennit-{but}-")))
        tunnel = tunnel_of(self.h1, "h2")
        assert tunnel.mirrored() == tunnel_of(self.h2, "h1")
        return Look(
            charons=(self.h1.charon_pid(), self.h2.charon_pid()), tunnel=tunnel,
            connections=json.dumps(connections, sort_keys=True), keys=keys,
            peer_state_changes=(pages[0].get("sennit_peer_state_changes_total", peer="h2"),
                                pages[1].get("sennit_peer_state_changes_total", peer="h1")),
            changes=changes_of(pages[0]), pid=self.h1.pid,
            carried=sum(int(child["packets-in"]) for sa in sas_of(self.h2, "h1")
                        for child in sa["child-sas"].values()))

    # --- one row

    def _has_said(self, case: Case) -> bool:
        if case.did is Did.AGAIN:
            return self.is_well() and all(words in self.log() for words in case.says)
        texts = self.texts()
        if not all(any(words in text for text in texts) for words in case.says):
            return False
        status = self.h1.status()
        if case.did is Did.KEPT:
            return status["metadata"]["ok"] is False or bool(self.problems(status))
        return status["metadata"]["ok"] is True and self.taken() == self.canary and \
            bool(status["refused"]) == (case.did is Did.PARTLY)

    def _check_words(self, case: Case) -> str:
        """The log, the command and the metrics say the same; the first text of them."""
        log = self.log()
        if case.did is Did.AGAIN:
            return next(line for line in log.splitlines() if case.says[0] in line).partition(": ")[2]
        shown = " ".join(self.h1.cli("status", check=False).stdout.split())
        for words in case.says:
            assert words in log, f"not in the log: {words}\n{log}"
            assert " ".join(words.split()) in shown, f"not in `sennit status`: {words}\n{shown}"
        page, texts = self.page(), self.texts()
        assert page("sennit_metadata_ok") == (case.did is not Did.KEPT or not texts[0])
        refused = page.get("sennit_metadata_refused_entries")
        assert (refused or 0) == len(self.h1.status()["refused"])
        return next((t for t in texts if t and (not case.says or case.says[0] in t)), "")

    def check_mesh(self, before: Look, since: float, comes: str = "") -> str:
        """The tunnel is the same one, and has carried all that was sent since then."""
        now = time.monotonic()
        try:
            self.wait(lambda: not self.flows.report().lost(since=since, until=now), 4,
                      "all packets arrived")
        except AssertionError as e:
            lost = self.flows.report().lost(since=since, until=now)
            raise AssertionError(f"{len(lost)} packets lost: {[str(x) for x in lost[:5]]}") from e
        after = self.look(comes)
        assert after.carried >= before.carried
        same = {**after._asdict(), "carried": before.carried}
        if after.pid != before.pid:
            same |= {"pid": before.pid, "changes": before.changes,
                     "peer_state_changes": before.peer_state_changes}
            assert after.changes == 0, "a restart changes nothing"
        if comes:
            same["changes"] = before.changes
        if patient(1) > 1:  # an emulated machine may take longer than health waits
            same["peer_state_changes"] = before.peer_state_changes
        now_other = {name: (was, same[name]) for name, was in before._asdict().items()
                     if same[name] != was}
        assert not now_other, now_other
        sent = sum(since <= t <= now for s in self.flows.report().sent.values() for t in s.values())
        return f"stood: {sent} of {sent} packets, SAs and connections the same"

    def heal(self) -> None:
        """The good documents, from where they came."""
        for server in (self.near, self.far):
            server.odd.clear()
            server.etags.clear()
            server.changes = None
        self.serve()

    def is_well(self) -> bool:
        status = self.h1.status()
        return status["metadata"]["ok"] is True and not status["refused"] and \
            not self.problems(status) and self.taken() == self.canary

    def run(self, case: Case) -> None:
        self.use(case.file)
        before = self.look()
        since = time.monotonic()
        name = self.taken()
        self.log_at = self.h1.log.stat().st_size
        case.act(self)
        self.wait(lambda: self._has_said(case), case.limit, f"{case.did.value}; says {case.says}")
        said = self._check_words(case)
        if case.did is Did.KEPT and not case.restarts:
            assert self.taken() == name, "it took something"
        if case.what:
            case.what(self)
        comes = case.comes if DATAPLANE == "xfrm" else ""
        self.check_mesh(before, since, comes)
        if case.heal:
            case.heal(self)
        elif case.file:
            self.write_mesh()
        else:
            self.heal()
        self.wait(self.is_well, 15, "all is well again")
        page = self.page()
        assert page("sennit_metadata_ok") == 1 and page("sennit_metadata_refused_entries") == 0
        self.wait(lambda: self.look().carried > before.carried, 2, "packets went through")
        mesh = self.check_mesh(before, since, comes)
        self.rows.append(Row(case.name, case.did.value, said, mesh))

    def recover(self) -> None:
        """After a row that failed: so that the next one is judged for itself."""
        run("mount", "-o", "remount,rw", str(self.h1.state_dir), check=False)
        if self.h1.pid is None:
            self.h1.start()
            self.h1.wait_answers()
        for server in (self.near, self.far):
            if server._listener is None:
                server.listen()
        self.heal()
        self.read_from()
        self._file = False
        self.wait(self.is_well, 20, "all is well again")

    # --- the table

    def table(self) -> str:
        head = Row("case", "sennitd", "said", "mesh")
        rows = [head, *(Row(*(re.sub(r"[|\n]", " ", cell)[:SHOWN] for cell in row))
                        for row in self.rows)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        return "\n".join(" | ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip()
                         for row in rows) + f"\n{len(self.rows)} rows\n"
