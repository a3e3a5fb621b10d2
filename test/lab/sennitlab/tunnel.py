# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets out of a tunnel that its peer's sennit would never have let in."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import proc
from .kernel import tunnel_device
from .lab import DATAPLANE, Lab


@contextmanager
def tunnel_of_h1(lab: Lab, ethertype: int) -> Iterator[Callable[[bytes], object]]:
    """What is given to it comes out of h1's tunnel device, as h2 would have sent it."""
    if DATAPLANE == "xfrm":
        # h2 itself sends: past its own guard, straight into the interface
        with lab["h2"].ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as raw:
            to = (tunnel_device(lab["h2"], "h1"), ethertype)
            yield lambda packet: raw.sendto(packet, to)
        return
    pid = lab["h1"].charon_pid()
    assert pid
    fd = proc.borrow(pid, "/dev/net/tun")
    try:
        yield lambda packet: os.write(fd, packet)
    finally:
        os.close(fd)
