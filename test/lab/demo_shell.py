# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's prompt: a few words to try things with."""

import cmd
import subprocess
from collections.abc import Callable

from sennitlab import Lab
from sennitlab.flows import Flows
from sennitlab.netns import CommandFailed

HELP = """
   status h1           what h1 says of the others
   ping c1 c4          from container to container (also: ping c1 198.51.100.1, the outside)
   cut h2, heal h2     the network drops all of h2, silently; and no longer
   stop h1, kill h1    sennitd ends (SIGTERM, kill -9); its tunnels stay
   start h1            and starts again
   flows               what the containers' packets of the last minutes did
   wire                what the capture holds
   exec h1 COMMAND …   any command in the namespace of a host or container
   sennit h1 VERB …    the operator's tool there (peers, plan, attachments, down, …)
   log h1              the end of its log
   quit                removes everything
"""


class Shell(cmd.Cmd):
    prompt = "\nlab$ "

    def __init__(self, lab: Lab, flows: Flows) -> None:
        super().__init__()
        self._lab = lab
        self._flows = flows
        self.intro = "\nIt goes on running. Try things:\n" + HELP

    def emptyline(self) -> bool:
        return False

    def onecmd(self, line: str) -> bool:
        try:
            return bool(super().onecmd(line))
        except KeyboardInterrupt:
            print()
        except (KeyError, IndexError):
            print(f"   hosts: {' '.join(self._lab.hosts)}; "
                  f"containers: {' '.join(self._lab.containers)}; help")
        except (AssertionError, CommandFailed, ValueError, OSError) as e:
            print(f"   {e}")
        return False

    def do_help(self, _: str) -> None:
        print(HELP)

    def do_quit(self, _: str) -> bool:
        print("removing everything")
        return True

    do_exit = do_quit
    do_EOF = do_quit

    def _run(self, argv: list[str]) -> None:
        subprocess.run(argv, check=False)

    def _namespace(self, name: str):
        if name in self._lab.hosts:
            return self._lab[name].ns
        return self._lab.c(name).ns

    def do_status(self, line: str) -> None:
        for name in line.split() or ["h1"]:
            print(self._lab[name].cli("status", check=False).stdout, end="")

    def do_sennit(self, line: str) -> None:
        name, *args = line.split()
        done = self._lab[name].cli(*args, check=False)
        print(done.stdout + done.stderr, end="")

    def do_ping(self, line: str) -> None:
        source, target = line.split()
        if target in self._lab.containers:
            target = str(self._lab.c(target).ip)
        self._run(self._lab.c(source).ns.argv("ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", target))

    def do_exec(self, line: str) -> None:
        name, *argv = line.split()
        self._run(self._namespace(name).argv(*(argv or ["bash"])))

    def _each(self, line: str, work: Callable[[str], object]) -> None:
        for name in line.split():
            _ = self._lab[name]
            work(name)

    def do_cut(self, line: str) -> None:
        self._each(line, self._lab.wan.cut)

    def do_heal(self, line: str) -> None:
        self._each(line, self._lab.wan.heal)

    def do_stop(self, line: str) -> None:
        self._each(line, lambda name: self._lab[name].stop())

    def do_kill(self, line: str) -> None:
        self._each(line, lambda name: self._lab[name].kill())

    def do_start(self, line: str) -> None:
        self._each(line, lambda name: self._lab[name].start())

    def do_flows(self, _: str) -> None:
        print(self._flows.report().table())

    def do_wire(self, _: str) -> None:
        for name, number in self._lab.capture.classes().most_common():
            print(f"   {number:8} {name}")
        print(f"   {len(self._lab.capture.clear_packets()):8} with an overlay address in clear")

    def do_log(self, line: str) -> None:
        print("\n".join(self._lab[line.strip()].log.read_text(errors="replace").splitlines()[-30:]))
