# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab as a whole: builds it, hands out its parts, removes it."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, TypeVar

from . import programs, reap, secret
from .capture import Capture
from .container import Container
from .flows import Flows, Pair
from .host import Host
from .metadata import OVERLAY, Mesh, MetadataService, prefixes_of
from .netns import Namespace
from .router import Router
from .wait import wait_for
from .wan import METADATA, Wan, host_address
from .watch import Watch

T = TypeVar("T")
# test/vm chooses the kernel's; where most tests run there is no ESP in the kernel
DATAPLANE = os.environ.get("SENNIT_LAB_DATAPLANE", "libipsec")
_NUMBERS = iter(range(1, 1_000_000))
_LIVE: "set[Lab]" = set()


def _close_all() -> None:
    for lab in list(_LIVE):
        lab.close()


atexit.register(_close_all)


def end_on_signals() -> None:
    """Makes SIGTERM and SIGHUP end this process in order, as ^C does; that one too where a shell
    had it ignored, as it does for what runs in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda number, _: sys.exit(128 + number))


class Lab:
    """hosts h1…hN with containers c1…cM, all wires of the underlay, metadata, a capture.

    Nothing of Sennit runs until start(). settings go into each host's
    configuration; trace runs every sennitd under strace (execve only)."""

    def __init__(self, hosts: int = 3, containers: int = 2, *, trace: bool = False,
                 settings: dict[str, Any] | None = None, capture: bool = True,
                 permanent_neighbours: bool | None = None, 
                 overlay: str | list[str] = OVERLAY) -> None:
        reap.reap()
        self.tag = f"{os.getpid()}x{next(_NUMBERS)}"
        self.programs = programs.find()
        self.folder = Path(tempfile.gettempdir()) / f"sennit-lab-{self.tag}"
        self.hosts: dict[str, Host] = {}
        self.containers: dict[str, Container] = {}
        self._namespaces: dict[str, Namespace] = {}
        self._containers_made = 0
        self._flows: list[Flows] = []
        self._trace = trace
        self.overlays = [overlay] if isinstance(overlay, str) else overlay
        self._settings = settings or {}
        self._capture: Capture | None = None
        self._closed = False
        self.metadata: MetadataService | None = None
        _LIVE.add(self)
        try:
            self._build(hosts, containers, capture, overlay)
            if permanent_neighbours or (permanent_neighbours is None and hosts > 20):
                self.make_neighbours_permanent()
        except BaseException:
            self.close()
            raise

    # --- building

    def _namespace(self, name: str) -> Namespace:
        ns = Namespace(f"sl{self.tag}-{name}")
        self._namespaces[name] = ns
        return ns

    def _build(self, hosts: int, containers: int, capture: bool,
               overlay: str | list[str]) -> None:
        self.folder.mkdir(mode=0o700)
        self.secret = secret.generate()
        self.secret_file = self.folder / "secret"
        secret.write(self.secret_file, self.secret)
        self.wan = Wan(self._namespace("wan"))
        self.metadata_ns = meta = self._namespace("meta")
        self.wan.connect("meta", meta, METADATA)
        if capture:
            self._capture = Capture(self.wan.ns, self.folder, self.overlays)
        self.mesh = Mesh(self.folder / "mesh.json", f"lab-{self.tag}", overlay)
        self.metadata = MetadataService(self.programs.metadata, meta, METADATA, self.mesh.path,
                                        self.folder / "metadata.log")
        for number in range(1, hosts + 1):
            host = self.add_host(f"h{number}", number)
            for _ in range(containers):
                self.add_container(host)
        self.mesh.write()

    def add_host(self, host_id: str, number: int) -> Host:
        """A host on the wan, and in mesh.json the next time that is written."""
        ns, address = self._namespace(host_id), host_address(number)
        self.wan.connect(host_id, ns, address)
        host = Host(host_id, number, ns, address, self.folder / host_id, self.programs,
                    trace=self._trace, prefixes=prefixes_of(self.overlays, number))
        self.configure(host)
        self.hosts[host_id] = host
        self.mesh.add(host_id, address, host.prefix, write=False,
                      prefixes=host.prefixes)
        return host

    def add_router(self, number: int) -> Router:
        """On the wan, with the address that a host of this number would have."""
        ns, address = self._namespace(f"r{number}"), host_address(number)
        self.wan.connect(f"r{number}", ns, address)
        return Router(ns, address, number)

    def add_host_behind(self, router: Router, host_id: str, number: int) -> Host:
        """A host in the router's network; mesh.json has that address unless it is told another."""
        ns = self._namespace(host_id)
        address = router.connect(ns, number)
        host = Host(host_id, number, ns, address, self.folder / host_id, self.programs,
                    trace=self._trace, prefixes=prefixes_of(self.overlays, number))
        # the metadata service sees the router's address
        self.configure(host, {"host": {"id": host_id}})
        self.hosts[host_id] = host
        self.mesh.add(host_id, address, host.prefix, write=False,
                      prefixes=host.prefixes)
        return host

    def configure(self, host: Host, settings: dict[str, Any] | None = None) -> None:
        """Writes the host's configuration anew, with these settings over the lab's."""
        assert self.metadata is not None
        host.configure({"metadata": {"url": self.metadata.url}, "dataplane": DATAPLANE,
                        "secret_file": str(self.secret_file), **self._settings, **(settings or {})})

    def add_container(self, host: Host) -> Container:
        self._containers_made += 1
        name = f"c{self._containers_made}"
        self.containers[name] = Container(name, self._namespace(name), host)
        return self.containers[name]

    def remove_container(self, container: Container) -> None:
        """With its namespace."""
        del self.containers[container.name]
        self._namespaces.pop(container.name).delete()

    def prepare_spare(self, place: str, number: int) -> None:
        """Room for hosts that come and go one after the other, with an address of their own."""
        self.wan.connect(place, self._namespace(place), host_address(number))

    def make_neighbours_permanent(self, later: dict[str, IPv4Address] | None = None) -> None:
        places = {name: ns for name, ns in self._namespaces.items()
                  if name not in ("wan", "meta") and name not in self.containers}
        self.wan.make_neighbours_permanent(places, later)

    def spare_host(self, host_id: str, place: str, number: int) -> Host:
        """A new host at a place that was prepared."""
        host = Host(host_id, number, self._namespaces[place], host_address(number),
                    self.folder / host_id, self.programs, trace=self._trace,
                    prefixes=prefixes_of(self.overlays, number))
        self.configure(host)
        self.hosts[host_id] = host
        self.mesh.add(host_id, host.address, host.prefix, write=False,
                      prefixes=host.prefixes)
        return host

    # --- parts

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def c(self, name: str) -> Container:
        return self.containers[name]

    def of_host(self, host: str) -> list[Container]:
        return [c for c in self.containers.values() if c.host.id == host]

    @property
    def capture(self) -> Capture:
        assert self._capture is not None, "this lab captures nothing"
        return self._capture

    def pairs_of_hosts(self) -> set[Pair]:
        """Directed pairs of one container a host: enough where it is shown that nothing is
        lost, not how much a busy machine's charons carry in user space."""
        first = {c.host.id: c.name for c in reversed(self.containers.values())}
        return {(a, b) for a in first.values() for b in first.values() if a != b}

    def pairs(self, without: Iterable[str] = (), across: bool = False) -> set[Pair]:
        """Directed pairs of containers, none on these hosts; across: on two hosts only."""
        gone = set(without)
        return {(a.name, b.name) for a in self.containers.values()
                for b in self.containers.values()
                if a is not b and not {a.host.id, b.host.id} & gone
                and not (across and a.host is b.host)}

    def flows(self, pairs: set[Pair] | None = None, version: int | None = None,
              **options: Any) -> Flows:
        """version: among the containers that have an address of it."""
        among = [c for c in self.containers.values()
                 if not version or version in {a.version for a in c.addresses()}]
        made = Flows(self.programs, self.folder, among, pairs, version=version, **options)
        self._flows.append(made)
        return made

    def watch(self, *hosts: str) -> Watch:
        return Watch([self.hosts[h] for h in hosts or self.hosts])

    # --- running

    def start(self, attach: bool = True) -> float:
        """Metadata, every sennitd, all pairs up, containers attached. Seconds until all up."""
        assert self.metadata is not None
        self.metadata.start()
        begin = time.monotonic()
        for host in self.hosts.values():
            host.start()
        self.wait_all_up(30)
        took = time.monotonic() - begin
        if attach:
            for container in self.containers.values():
                container.attach()
        return took

    def everybody_up(self) -> bool:
        """Each running daemon says `up` of every other host of the mesh."""
        running = [h for h in self.hosts.values() if h.pid is not None]
        for host in running:
            states = host.states()
            if any(states.get(other.id) != "up" for other in running if other is not host):
                return False
        return True

    def wait_all_up(self, limit: float = 15) -> None:
        self.wait(self.everybody_up, limit, "all pairs up", step=0.03)

    def wait(self, predicate: Callable[[], T], limit: float, what: str, step: float = 0.01) -> T:
        """wait_for() that shows all hosts when it fails."""
        return wait_for(predicate, limit, what, self.describe, step)

    def describe(self) -> str:
        return "\n".join(host.describe() for host in self.hosts.values())

    def sanitizer_reports(self) -> list[str]:
        return [line for host in self.hosts.values() for line in host.sanitizer_reports()]

    # --- the end

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stop_daemons(self) -> None:
        """Every sennitd and charon ends, in order, while the capture goes on."""
        for flows in self._flows:
            flows.kill()
        for host in self.hosts.values():
            host.end()
        if self.metadata:
            self.metadata.stop()

    def close(self) -> None:
        """Removes everything. May be called at any time, and again."""
        if self._closed:
            return
        self._closed = True
        try:
            self.stop_daemons()
        finally:
            if self._capture:
                self._capture.kill()
            reap.remove(reap.namespaces(f"sl{self.tag}-"))
            if os.environ.get("SENNIT_LAB_KEEP"):
                print(f"kept: {self.folder}", file=sys.stderr)
            else:
                shutil.rmtree(self.folder, ignore_errors=True)
            _LIVE.discard(self)
