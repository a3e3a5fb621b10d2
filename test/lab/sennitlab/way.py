# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts with a router between them, for what happens on the way.

      -here                     -router                    -there
    +---------------+    +--------------------+    +-----------------+
    | 198.18.1.1    |    | .254          .254 |    |      198.18.2.1 |
    | fd00:1::1     +----+ a                b +----+       fd00:2::1 |
    +---------------+    +--------------------+    +-----------------+
"""

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import reap
from .netns import Namespace

HERE, THERE = "198.18.1.1", "198.18.2.1"
HERE6, THERE6 = "fd00:1::1", "fd00:2::1"
ROUTER_HERE, ROUTER_THERE = "198.18.1.254", "198.18.2.254"
ROUTER_HERE6 = "fd00:1::ff"
_NUMBERS = itertools.count(1)


class Way:
    """A context manager; processes that it is given end with it."""

    def __init__(self) -> None:
        self.tag = f"{os.getpid()}x9{next(_NUMBERS):03}"
        self.folder = Path(tempfile.gettempdir()) / f"sennit-lab-{self.tag}"
        self.folder.mkdir(mode=0o700)
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            self.here, self.router, self.there = (
                Namespace(f"sl{self.tag}-{name}") for name in ("here", "router", "there"))
            self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        for ns, port, net in ((self.here, "a", 1), (self.there, "b", 2)):
            self.router.ip(f"link add name {port} type veth peer name eth0 netns {ns.name}",
                           f"addr add 198.18.{net}.254/24 dev {port}",
                           f"addr add fd00:{net}::ff/64 dev {port} nodad",
                           f"link set dev {port} up")
            ns.ip(f"addr add 198.18.{net}.1/24 dev eth0",
                  f"addr add fd00:{net}::1/64 dev eth0 nodad", "link set dev eth0 up",
                  f"route add default via 198.18.{net}.254",
                  f"route add default via fd00:{net}::ff")
        for key in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            self.router.run("sh", "-c", f"echo 1 > /proc/sys/net/{key.replace('.', '/')}")

    def spawn(self, ns: Namespace, *argv: str, env: dict[str, str] | None = None) -> None:
        """Runs it in ns until the end."""
        with (self.folder / f"{Path(argv[0]).name}.log").open("ab") as log:
            self._processes.append(subprocess.Popen(
                ns.argv(*argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", **(env or {})},
                start_new_session=True, cwd="/"))

    def __enter__(self) -> "Way":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes.clear()
        reap.remove(reap.namespaces(f"sl{self.tag}-"))
        shutil.rmtree(self.folder, ignore_errors=True)
