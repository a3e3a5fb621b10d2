# SPDX-License-Identifier: GPL-2.0-or-later
"""A long time of random change, outage and drift, and what must hold all along.

    warm-up rounds | census A | rounds … | census B         B is to be as A

A round: some events one upon the other, each with its own end (a cut is healed,
a daemon started again); then everything is ended that still lasts, the mesh is
what it was at the begin, it settles, and the invariants are checked. The seed
alone decides what happens, not how fast.

Some hosts are left whole (`QUIET`): their sennitd and charon live from begin
to end, so that what leaks a little at a time is seen."""

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from . import census, secret
from .container import Container
from .drift import CHARON, IKE, KERNEL, Scene
from .host import Host
from .lab import Lab
from .sas import Tunnel
from .wait import NOT_YET
from .wan import UNDERLAY, host_address

SETTLE = 60.0           # seconds in which a mesh that is left alone is whole again
EVENTS = (12, 24)       # of a round
PAUSE = (0.2, 2.5)      # seconds between events
LASTS = (2, 12)         # events until one that lasts is ended
VISITORS = 12
SPARE = "spare"         # a host that comes and goes under ever new ids
OTHER = 100             # an address of the underlay that a host moves to, above its own

# the shares of what happens, of 100
WEIGHTS = {
    "container comes": 12, "container goes": 8, "container moves": 6, "host removed": 3,
    "new host": 3, "host readdressed": 3, "secret rotated": 2, "settings reloaded": 5,
    "metadata away": 4, "host cut": 4, "pair parted": 4, "IKE blocked": 3, "sennitd killed": 5,
    "sennitd ended": 3, "sennitd stopped": 2, "charon killed": 3, "charon stopped": 3,
    "drift": 27,
}


class Broken(AssertionError):
    """An invariant did not hold."""


@dataclass
class Lasting:
    """Something that was begun and is to be ended."""
    what: str
    until: int  # event number
    end: Callable[[], None]


@dataclass
class Sample:
    """The costs of a settled round."""
    time: float
    rss: dict[str, tuple[int, int]]  # host: sennitd, charon in kB
    lost: int


@dataclass
class Soak:
    lab: Lab
    seed: int
    log_path: Path
    quiet: set[str]           # hosts whose processes are left alone
    half: set[str]            # hosts whose sennitd is left alone
    counts: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    settle_times: list[float] = field(default_factory=list)
    packets: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.began = time.monotonic()
        self.lasting: list[Lasting] = []
        self.visitors: list[Container] = []
        self.resident = {c.host.id: (c, c.ip) for c in self.lab.containers.values()}
        self.busy: set[str] = set()  # hosts that are cut, stopped or away
        self.events = 0
        self.spares = 0
        self.slowest: dict[str, int] = {}
        self.base = {name: dict(entry) for name, entry in self.lab.mesh.hosts.items()}
        self._log = self.log_path.open("w", buffering=1)
        self.say(f"seed {self.seed}, hosts {len(self.lab.hosts)}")

    # --- the log

    def say(self, text: str) -> None:
        self._log.write(f"{time.monotonic() - self.began:8.2f} {text}\n")

    # --- choosing

    def host(self, why: str = "", spared: set[str] = frozenset()) -> Host | None:  # type: ignore
        names = [n for n in self.base if n not in self.busy | spared
                 and self.lab[n].pid is not None and n in self.lab.mesh.hosts]
        return self.lab[self.random.choice(names)] if names else None

    def lasts(self, what: str, end: Callable[[], None]) -> None:
        self.lasting.append(Lasting(what, self.events + self.random.randint(*LASTS), end))

    @contextmanager
    def _not_refused(self, what: str) -> Iterator[None]:
        """Things done in the middle of others may find nobody there."""
        try:
            yield
        except (*NOT_YET, RuntimeError, StopIteration, AssertionError) as e:
            self.say(f"    {what}: {str(e).splitlines()[0][:160] if str(e) else repr(e)}")

    # --- change

    def container_comes(self) -> str:
        host = self.host()
        if not host or len(self.visitors) >= VISITORS:
            return ""
        container = self.lab.add_container(host)
        self.visitors.append(container)
        with self._not_refused("attach"):
            container.attach()
        return f"{container.name} on {host.id}"

    def _leave(self, container: Container, brutal: bool) -> None:
        self.visitors.remove(container)
        if not brutal:
            with self._not_refused("detach"):
                container.detach()
        self.lab.remove_container(container)

    def container_goes(self) -> str:
        if not self.visitors:
            return ""
        container = self.random.choice(self.visitors)
        brutal = self.random.random() < 0.5
        self._leave(container, brutal)
        return f"{container.name} of {container.host.id}" + (" with its namespace" * brutal)

    def container_moves(self) -> str:
        host = self.host()
        if not self.visitors or not host:
            return ""
        container = self.random.choice(self.visitors)
        before = container.host
        with self._not_refused("detach"):
            container.detach()
        container.host = host
        with self._not_refused("attach"):
            container.attach()
        return f"{container.name} from {before.id} to {host.id}"

    def host_removed(self) -> str:
        host = self.host(spared={"h1"})
        if not host:
            return ""
        entry = self.lab.mesh.remove(host.id)
        self.busy.add(host.id)

        def back() -> None:
            self.lab.mesh.put_back(entry)
            self.busy.discard(host.id)
        self.lasts(f"{host.id} is of the mesh again", back)
        return host.id

    def new_host(self) -> str:
        if SPARE in self.busy:
            return ""
        self.busy.add(SPARE)
        self.spares += 1
        host = self.lab.spare_host(f"n{self.spares}", SPARE, len(self.base) + 1)
        self.lab.mesh.write()
        host.start()

        def away() -> None:
            self.lab.mesh.remove(host.id)
            self.lab.hosts.pop(host.id)
            host.end()
            host.cli("cleanup", "--force", check=False)
            shutil.rmtree(host.folder, ignore_errors=True)
            self.busy.discard(SPARE)
        self.lasts(f"{host.id} goes", away)
        return host.id

    def host_readdressed(self) -> str:
        host = self.host()
        if not host:
            return ""
        self.busy.add(host.id)

        def use(address: IPv4Address) -> None:
            self.lab.wan.readdress(host.id, host.ns, address)
            host.address = address
            self.lab.mesh.set(host.id, addresses=[str(address)])
        first = host.address
        use(first + OTHER)

        def back() -> None:
            use(first)
            self.busy.discard(host.id)
        self.lasts(f"{host.id} has {first} again", back)
        return f"{host.id} to {first + OTHER}"

    def _give_secrets(self, *secrets: bytes) -> None:
        secret.write(self.lab.secret_file, *secrets)
        for host in self.lab.hosts.values():
            if host.pid is not None:
                host.signal(signal.SIGHUP)

    def secret_rotated(self) -> str:
        if "secret" in self.busy:
            return ""
        self.busy.add("secret")
        old, new = self.lab.secret, secret.generate()
        self._give_secrets(old, new)

        def second() -> None:
            self._give_secrets(new, old)
            self.lasts("the old secret ends", third)

        def third() -> None:
            self._give_secrets(new)
            self.lab.secret = new
            self.busy.discard("secret")
        self.lasts("the new secret is the first", second)
        return "both are known"

    def settings_reloaded(self) -> str:
        host = self.host()
        if not host or f"set {host.id}" in self.busy:
            return ""
        self.busy.add(f"set {host.id}")
        settings = host.settings
        change = self.random.choice([{"mtu": 1300}, {"masquerade": False},
                                     {"log": {"level": "debug"}}, {"ready": {"min_up": 2}}])

        def use(changed: dict) -> None:  # type: ignore[type-arg]
            host.configure(changed)
            if host.pid is not None:
                host.signal(signal.SIGHUP)
        use({**settings, **change})

        def back() -> None:
            use(settings)
            self.busy.discard(f"set {host.id}")
        self.lasts(f"{host.id} has its settings again", back)
        return f"{host.id} {change}"

    # --- outage

    def metadata_away(self) -> str:
        if "metadata" in self.busy:
            return ""
        assert self.lab.metadata
        self.busy.add("metadata")
        self.lab.metadata.stop(signal.SIGKILL)

        def back() -> None:
            assert self.lab.metadata
            self.lab.metadata.start()
            self.busy.discard("metadata")
        self.lasts("metadata answer again", back)
        return "killed"

    def host_cut(self) -> str:
        host = self.host()
        if not host:
            return ""
        self.busy.add(host.id)
        self.lab.wan.cut(host.id)

        def back() -> None:
            self.lab.wan.heal(host.id)
            self.busy.discard(host.id)
        self.lasts(f"{host.id} is healed", back)
        return host.id

    def pair_parted(self) -> str:
        a, b = self.random.sample(sorted(self.base), 2)
        name = f"{min(a, b)}|{max(a, b)}"
        if name in self.busy:
            return ""
        self.busy.add(name)
        self.lab.wan.part(a, b)

        def back() -> None:
            self.lab.wan.join(a, b)
            self.busy.discard(name)
        self.lasts(f"{name} is joined", back)
        return name

    def ike_blocked(self) -> str:
        host = self.host()
        if not host:
            return ""
        ports = self.random.choice([(500,), (4500,), (500, 4500)])
        self.busy.add(host.id)
        self.lab.wan.block_udp(host.id, *ports)

        def back() -> None:
            self.lab.wan.unblock_udp(host.id, *ports)
            self.busy.discard(host.id)
        self.lasts(f"{host.id} has {ports} again", back)
        return f"{host.id} {ports}"

    def _start_later(self, host: Host) -> None:
        self.busy.add(host.id)

        def back() -> None:
            host.start()
            self.busy.discard(host.id)
        self.lasts(f"sennitd of {host.id} starts", back)

    def sennitd_killed(self) -> str:
        host = self.host(spared=self.quiet | self.half)
        if not host:
            return ""
        self.look_at_turns(host)
        session = self.random.random() < 0.3
        host.kill_session() if session else host.kill()
        self._start_later(host)
        return host.id + " with its session" * session

    def sennitd_ended(self) -> str:
        host = self.host(spared=self.quiet | self.half)
        if not host:
            return ""
        self.look_at_turns(host)
        host.stop()
        self._start_later(host)
        return host.id

    def sennitd_stopped(self) -> str:
        host = self.host()
        if not host:
            return ""
        self.busy.add(host.id)
        host.signal(signal.SIGSTOP)

        def back() -> None:
            host.signal(signal.SIGCONT)
            self.busy.discard(host.id)
        self.lasts(f"sennitd of {host.id} goes on", back)
        return host.id

    def charon_killed(self) -> str:
        host = self.host(spared=self.quiet)
        pid = host and host.charon_pid()
        if not host or not pid:
            return ""
        sig = self.random.choice([signal.SIGKILL, signal.SIGTERM])
        census.proc.send(pid, sig)
        return f"{host.id} {sig.name}"

    def charon_stopped(self) -> str:
        host = self.host()
        pid = host and host.charon_pid()
        if not host or not pid:
            return ""
        self.busy.add(host.id)
        census.proc.send(pid, signal.SIGSTOP)

        def back() -> None:
            census.proc.send(pid, signal.SIGCONT)
            self.busy.discard(host.id)
        self.lasts(f"charon of {host.id} goes on", back)
        return host.id

    def drift(self) -> str:
        host = self.host()
        others = sorted(set(self.base) - {host.id}) if host else []
        if not host:
            return ""
        rows = [row for row in KERNEL + IKE if not row.alone]
        if host.id not in self.quiet:
            rows += CHARON
        row = self.random.choice(rows)
        scene = Scene(self.lab, host, self.resident[host.id][0], self.random.choice(others))
        with self._not_refused(str(row)):
            row.do(scene)
        return f"{host.id} {row}"

    # --- rounds

    def _end_due(self, all_of_them: bool = False) -> None:
        while due := [e for e in self.lasting if all_of_them or e.until <= self.events]:
            for one in due:
                self.lasting.remove(one)
                self.say(f"    {one.what}")
                one.end()
            if not all_of_them:
                return

    def event(self) -> None:
        self.events += 1
        self._end_due()
        what, = self.random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
        told = getattr(self, what.replace(" ", "_").lower())()
        if told:
            self.counts[what] += 1
            self.say(f"{self.events:5} {what}: {told}")
        begin, pause = time.monotonic(), self.random.uniform(*PAUSE)
        self.lab.wait(lambda: time.monotonic() >= begin + pause, pause + 5, "the pause", step=0.05)

    def round(self) -> None:
        for _ in range(self.random.randint(*EVENTS)):
            self.event()
        self._end_due(all_of_them=True)
        for container in list(self.visitors):
            self._leave(container, False)
        self.settle()
        self.check()

    # --- settling

    def _residents(self) -> None:
        """A veth that drift took away is the container's end, too: it is made again."""
        for container, address in self.resident.values():
            if container.host.pid is not None and container.addresses() != [address]:
                container.attach("--ip", str(address))

    def tunnels(self) -> None:
        """Exactly one a pair, the same at both ends; ValueError when not."""
        sas = {name: host.sas() for name, host in self.lab.hosts.items()}

        def of(host: str, peer: str) -> Tunnel:
            mine = [sa for sa in sas[host] if sa.get("remote-id") == peer
                    or sa["name"] == f"sennit-{peer}"]
            children = [c for sa in mine for c in sa.get("child-sas", {}).values()]
            if len(mine) != 1 or len(children) != 1:
                raise ValueError(f"{host} has {len(mine)} IKE_SAs and {len(children)} CHILD_SAs "
                                 f"with {peer}")
            return Tunnel(mine[0]["initiator-spi"], mine[0]["responder-spi"],
                          children[0]["spi-in"], children[0]["spi-out"])
        for a in sas:
            if len(sas[a]) != len(sas) - 1:
                raise ValueError(f"{a} has {len(sas[a])} IKE_SAs for {len(sas) - 1} peers")
            for b in sas:
                if a < b and of(a, b).mirrored() != of(b, a):
                    raise ValueError(f"{a} and {b} hold different tunnels")

    def settled(self) -> bool:
        if not self.lab.everybody_up():
            raise ValueError("not all are up")
        for host in self.lab.hosts.values():
            status, text = host.http("/healthz")
            if status != 200:
                raise ValueError(f"{host.id} is not healthy: {text}")
            if host.plan():
                raise ValueError(f"{host.id} has to do: {host.plan()}")
        self.tunnels()
        return True

    def settle(self) -> None:
        begin = time.monotonic()
        self.say("--- settles")
        # whoever was away makes its wires first: a container is attached to a daemon that answers
        for host in self.lab.hosts.values():
            host.wait_answers(SETTLE)
        with self._not_refused("attach"):
            self._residents()
        try:
            self.lab.wait(self.settled, SETTLE, f"settled (seed {self.seed}, event {self.events})",
                          step=0.3)
        except AssertionError:
            self._keep_pages()
            raise
        self._residents()
        took = time.monotonic() - begin
        self.settle_times.append(took)
        self.say(f"--- settled in {took:.1f} s")

    def _keep_pages(self) -> None:
        """For whoever looks into it: /metrics and the table of SAs of each host."""
        for host in self.lab.hosts.values():
            with self._not_refused("pages"):
                (host.folder / "failed.metrics").write_text(host.http("/metrics")[1])
                (host.folder / "failed.sas").write_text("\n".join(map(str, host.sas())))
                (host.folder / "failed.status").write_text(str(host.status()))

    # --- invariants

    def look_at_turns(self, host: Host) -> None:
        with self._not_refused("status"):
            turns = host.status()["loop"]
            slow = max(self.slowest.get(host.id, 0), turns["slowest_turn_ms"])
            self.slowest[host.id] = slow

    def check(self) -> None:
        count, clear = self.lab.capture.drain()
        self.packets += count
        if clear:
            raise Broken(f"{len(clear)} packets in clear, the first: {clear[0]}")
        for host in self.lab.hosts.values():
            self.look_at_turns(host)
        rss = {}
        for name, host in self.lab.hosts.items():
            charon = host.charon_pid()
            assert host.pid and charon
            rss[name] = census.proc.facts(host.pid).rss_kb, census.proc.facts(charon).rss_kb
        self.samples.append(Sample(time.monotonic() - self.began, rss, 0))
        self.say(f"--- checked: {count} packets, slowest turns {self.slowest}")
        self.say("--- rss " + " ".join(f"{n}={a}/{b}" for n, (a, b) in rss.items()))
