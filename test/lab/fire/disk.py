# SPDX-License-Identifier: GPL-2.0-or-later
"""What is stored, and starts with it while the service is away."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sennitlab.netns import run

from .case import Act, Case, kept, took

if TYPE_CHECKING:
    from .stand import Stand

REFUSED = "connect to 127.0.0.1:8180: Connection refused"


def start_with(change: Callable[[Path], None], words: str = "") -> Act:
    """The service goes, sennitd ends, its state changes, it starts again."""
    def act(stand: "Stand") -> None:
        stand.near.close()
        stand.h1.stop()
        change(stand.h1.state_dir / "snapshot.json")
        stand.h1.start()
        stand.h1.wait_answers()
        stand.wait(lambda: words in stand.log(), 5, f"the log says {words}")
    return act


def open_again(stand: "Stand") -> None:
    path = stand.h1.state_dir / "snapshot.json"
    if path.is_dir():
        path.rmdir()
    stand.near.listen()
    stand.heal()


def edit(old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new, 1))
    return change


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def from_future(path: Path) -> None:
    """The clock was set back since."""
    os.utime(path, (time.time() + 86400,) * 2)


def age_is_told(stand: "Stand") -> None:
    status = stand.h1.status()["metadata"]
    assert status["from_store"] is True and status["stored_s"] >= 0
    assert "from the copy stored" in " ".join(stand.h1.cli("status", check=False).stdout.split())


def row(name: str, change: Callable[[Path], None], words: str = "", **more: Act) -> Case:
    return kept(f"start without the service: {name}", REFUSED, start_with(change, words),
                heal=open_again, restarts=True, **more)


def put_aside(name: str, change: Callable[[Path], None]) -> Case:
    def what(stand: "Stand") -> None:
        assert (stand.h1.state_dir / "snapshot.json.bad").exists()
    return row(name, change, "put aside as", what=what)


# --- while it runs

def fill(stand: "Stand") -> None:
    fd = os.open(stand.h1.state_dir / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(fd, bytes(4096)):
            pass
    except OSError:
        pass
    finally:
        os.close(fd)


def not_stored(prepare: Act, words: str) -> Act:
    def act(stand: "Stand") -> None:
        prepare(stand)
        stand.serve()
        # it is stored seldom; the end of the daemon does not wait for that
        stand.wait(lambda: stand.taken() == stand.canary, 5, "it is in use")
        stand.h1.stop()
        stand.h1.start()
        stand.h1.wait_answers()
        assert words in stand.log(), stand.log()
        assert "could not be stored" in stand.log()
    return act


def mount(option: str) -> Act:
    return lambda stand: run("mount", "-o", f"remount,{option}",
                             str(stand.h1.state_dir)) and None


def make_room(stand: "Stand") -> None:
    mount("rw")(stand)
    (stand.h1.state_dir / "filler").unlink(missing_ok=True)
    stand.restart()  # it has a mount of its own, as it was when it started
    stand.heal()
    stand.wait(lambda: stand.taken() == stand.canary, 5, "it is in use")
    stand.h1.stop()  # stores what waits for its time
    assert stand.canary in (stand.h1.state_dir / "snapshot.json").read_text()
    stand.h1.start()
    stand.h1.wait_answers()


CASES: list[Case] = [
    row("with what is stored", lambda path: None, what=age_is_told),
    row("stored in the future (the clock was set back)", from_future, what=age_is_told),
    row("with nothing stored", Path.unlink),
    put_aside("a byte of what is stored has flipped", edit(b"192.0.2.12", b"192.0.2.92")),
    put_aside("what is stored is cut", lambda p: os.truncate(p, p.stat().st_size // 2)),
    put_aside("what is stored is empty", lambda p: os.truncate(p, 0)),
    put_aside("what is stored is of a later version",
              edit(b'"sennit_snapshot": ', b'"sennit_snapshot": 9')),
    put_aside("what is stored is zeros", lambda p: p.write_bytes(bytes(4096)) and None),
    row("a folder in the place of what is stored", folder, "Is a directory"),
    row("a pipe in the place of what is stored", pipe, "Illegal seek"),
    took("disk full", (), not_stored(fill, "No space left"), heal=make_room, restarts=True),
    took("disk read-only", (), not_stored(mount("ro"), "Read-only file system"), heal=make_room,
         restarts=True),
]
