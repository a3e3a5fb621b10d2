# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE daemons without a sennitd: strongSwan's charon, libreswan's pluto.

libreswan cannot be installed beside strongSwan; tools/install-deps unpacks it
into build-check/libreswan (or $SENNIT_LIBRESWAN says where it is)."""

import os
import shlex
from pathlib import Path

from .netns import Namespace, run
from .programs import ROOT
from .vici import Vici
from .wait import wait_for
from .way import Way

CHARON = "/usr/sbin/charon-systemd"

_CHARON_CONF = """
charon-systemd {{
  load = random nonce aesni chapoly openssl kdf kernel-netlink socket-default vici
  install_routes = no
  plugins {{ vici {{ socket = "unix://{folder}/charon.vici" }} }}
  filelog {{ log {{ path = "{folder}/charon.log"; flush_line = yes }} }}
}}
"""


def listens(ns: Namespace, port: int) -> bool:
    """Somebody has the UDP port."""
    out = ns.run("ss", "-Hulan", f"sport = :{port}").stdout
    return bool(out.strip())


def wait_listens(ns: Namespace, what: str) -> None:
    wait_for(lambda: listens(ns, 500) and listens(ns, 4500), 20, f"{what} listens", step=0.05)


def start_charon(way: Way, ns: Namespace) -> Path:
    """Its vici socket."""
    conf = way.folder / "strongswan.conf"
    conf.write_text(_CHARON_CONF.format(folder=way.folder).replace("; ", "\n"))
    way.spawn(ns, CHARON, env={"STRONGSWAN_CONF": str(conf)})
    wait_listens(ns, "charon")
    wait_for((way.folder / "charon.vici").exists, 10, "charon's vici socket", step=0.05)
    return way.folder / "charon.vici"


def accept_everybody(socket: Path) -> None:
    """A connection, so that a complete IKE_SA_INIT gets a complete answer."""
    with Vici(socket) as vici:
        done, _ = vici.request("load-conn", {"any": {
            "version": "2", "local_addrs": ["%any"], "remote_addrs": ["%any"],
            "local": {"auth": "psk"}, "remote": {"auth": "psk"}}})
        assert done["success"] == "yes", done


def libreswan() -> Path | None:
    """Where libreswan is unpacked, if it is."""
    folder = Path(os.environ.get("SENNIT_LIBRESWAN", ROOT / "build-check/libreswan"))
    return folder if (folder / "usr/libexec/ipsec/pluto").exists() else None


def start_pluto(way: Way, ns: Namespace) -> None:
    root = libreswan()
    assert root
    nss, libraries = way.folder / "nss", root / "usr/lib/x86_64-linux-gnu"
    env = {"LD_LIBRARY_PATH": f"{libraries}:{root}/lib/x86_64-linux-gnu"}
    nss.mkdir()
    run(str(root / "usr/bin/certutil"), "-N", "-d", f"sql:{nss}", "--empty-password",
        env={**os.environ, **env})
    (way.folder / "ipsec.conf").write_text("config setup\n")
    # it wants its helpers where it would be installed: there, in a mount namespace of its own
    pluto = shlex.join(["/usr/libexec/ipsec/pluto", "--nofork", "--stderrlog", "--config",
                        f"{way.folder}/ipsec.conf", "--secretsfile", "/dev/null", "--rundir",
                        str(way.folder), "--nssdir", str(nss), "--ipsecdir", str(way.folder),
                        "--no-dnssec"])
    way.spawn(ns, "unshare", "-m", "sh", "-c",
              f"mount --bind {root}/usr/libexec /usr/libexec && exec {pluto}", env=env)
    wait_for((way.folder / "pluto.ctl").exists, 20, "pluto takes orders", step=0.05)
    # its own helper would say it, but gets no LD_LIBRARY_PATH
    run(str(root / "usr/libexec/ipsec/whack"), "--rundir", str(way.folder), "--listen",
        env={**os.environ, **env})
    wait_listens(ns, "pluto")
