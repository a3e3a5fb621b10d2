# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens to a mesh in the soak: each method is one kind of event.

It returns what it did in words, "" when it could do nothing just now. What
lasts is given to lasts() with its own end."""

import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from . import proc, secret
from .container import Container
from .drift import CHARON, IKE, KERNEL, Scene
from .host import Host
from .lab import Lab
from .wait import NOT_YET

LASTS = (2, 12)         # events until one that lasts is ended
VISITORS = 12
SPARE = "spare"         # a host that comes and goes under ever new ids
OTHER = 100             # an address of the underlay that a host moves to, above its own

# the shares of what happens, of 100; the names are the methods'
WEIGHTS = {
    "container comes": 12, "container goes": 8, "container moves": 6, "host removed": 3,
    "new host": 3, "host readdressed": 3, "secret rotated": 2, "settings reloaded": 5,
    "metadata away": 4, "host cut": 4, "pair parted": 4, "IKE blocked": 3, "sennitd killed": 5,
    "sennitd ended": 3, "sennitd stopped": 2, "charon killed": 3, "charon stopped": 3,
    "drift": 27,
}


@dataclass
class Lasting:
    """Something that was begun and is to be ended."""
    what: str
    until: int  # event number
    end: Callable[[], None]


class Mischief:
    """Whoever uses it has the lab, and says what it logs."""

    lab: Lab
    random: random.Random
    quiet: set[str]           # hosts whose processes are left alone
    half: set[str]            # hosts whose sennitd is left alone
    base: dict[str, Any]      # the hosts that are always there, by id
    resident: dict[str, tuple[Container, IPv4Address]]
    lasting: list[Lasting]
    visitors: list[Container]
    busy: set[str]            # hosts that are cut, stopped or away, and other things under way
    events: int
    spares: int

    def say(self, text: str) -> None:
        raise NotImplementedError

    def look_at_turns(self, host: Host) -> None:
        raise NotImplementedError

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
        host.wait_answers()

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
            # who is told to read its files again has read them once
            host.wait_answers()
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
        proc.send(pid, sig)
        return f"{host.id} {sig.name}"

    def charon_stopped(self) -> str:
        host = self.host()
        pid = host and host.charon_pid()
        if not host or not pid:
            return ""
        self.busy.add(host.id)
        proc.send(pid, signal.SIGSTOP)

        def back() -> None:
            proc.send(pid, signal.SIGCONT)
            self.busy.discard(host.id)
        self.lasts(f"charon of {host.id} goes on", back)
        return host.id

    def drift(self) -> str:
        host = self.host()
        others = sorted(set(self.base) - {host.id}) if host else []
        if not host:
            return ""
        rows = KERNEL + IKE
        if host.id not in self.quiet:
            rows += CHARON
        row = self.random.choice(rows)
        scene = Scene(self.lab, host, self.resident[host.id][0], self.random.choice(others))
        with self._not_refused(str(row)):
            row.do(scene)
        return f"{host.id} {row}"
