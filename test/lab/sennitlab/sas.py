# SPDX-License-Identifier: GPL-2.0-or-later
"""The tunnel with a peer as charon itself has it, by the lab's own vici client."""

from typing import Any, NamedTuple

from .host import Host


class Tunnel(NamedTuple):
    spi_initiator: str
    spi_responder: str
    spi_in: str
    spi_out: str

    def mirrored(self) -> "Tunnel":
        """As the other end should have it."""
        return self._replace(spi_in=self.spi_out, spi_out=self.spi_in)


def sas_of(host: Host, peer: str) -> list[dict[str, Any]]:
    """All IKE_SAs with this peer, in any state."""
    return [sa for sa in host.sas()
            if sa.get("remote-id") == peer or sa["name"] == f"sennit-{peer}"]


def tunnel_of(host: Host, peer: str) -> Tunnel:
    """The only ESTABLISHED IKE_SA's only INSTALLED CHILD_SA; ValueError when it is not one."""
    all_sas = sas_of(host, peer)
    if len(all_sas) != 1 or all_sas[0]["state"] != "ESTABLISHED":
        raise ValueError(f"{host.id} has with {peer}: "
                         f"{[(sa['uniqueid'], sa['state']) for sa in all_sas]}")
    sa, = all_sas
    children = [c for c in sa.get("child-sas", {}).values() if c["state"] == "INSTALLED"]
    if len(children) != 1:
        raise ValueError(f"{host.id} has {len(children)} CHILD_SAs with {peer}")
    child, = children
    return Tunnel(sa["initiator-spi"], sa["responder-spi"], child["spi-in"], child["spi-out"])


def same_tunnel(a: Host, b: Host) -> bool:
    return tunnel_of(a, b.id).mirrored() == tunnel_of(b, a.id)
