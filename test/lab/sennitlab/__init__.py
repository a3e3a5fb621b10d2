# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: hosts, wide area network and containers in network namespaces.

                 sl<pid>x<n>-wan
    +--------------------------------------------------------------+
    |  bridge br   192.0.2.254/24, every host's default route      |
    |  lo          198.51.100.1, "the outside"                     |
    |  tcpdump on br; nftables (bridge family) makes the faults    |
    +---+-----------------+-----------------+------------------+---+
        | wh1             | wh2             | wh3              | wmeta
        |                 |                 |                  |
        | eth0 .11        | eth0 .12        | eth0 .13         | eth0 .250
    +---+-------+     +---+-------+     +---+-------+     +----+------------+
    |    -h1    |     |    -h2    |     |    -h3    |     |      -meta      |
    |  sennitd  |     |  sennitd  |     |  sennitd  |     | sennit-metadata |
    |  charon   |     |  charon   |     |  charon   |     +-----------------+
    +--+-----+--+     +--+-----+--+     +--+-----+--+
       :     :           :     :           :     :      `sennit attach`
      -c1   -c2         -c3   -c4         -c5   -c6     makes these wires
                                                        10.42.<host>.x

A lab is a context manager; whatever it made is gone at its end, also after
^C or a crash (what a SIGKILL left behind is removed by the next lab).

Reading order: lab, host, container, wan; then capture and classify; then
flows. Nothing here sleeps but wait.wait_for().
"""

from .lab import Lab
from .wait import Unmet, bound, patient, wait_for

__all__ = ["Lab", "Unmet", "bound", "patient", "wait_for"]
