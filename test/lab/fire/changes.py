# SPDX-License-Identifier: GPL-2.0-or-later
"""ETags, versions and /changes that lie."""

import itertools
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .case import Act, Case, again, kept, partly, took
from .documents import HOSTS, new_host
from .odd_server import Request

if TYPE_CHECKING:
    from .stand import Stand

# A source that always has news is asked this often in three seconds; two of them a burst.
MOST_IN_3_S = 40
# Without /changes all documents are read for each news: what is bounded is how often it asks.
MOST_POLLS_IN_3_S = 16


def says(make: Callable[["Stand"], Any]) -> Act:
    """/changes says this; a text as it is."""
    def act(stand: "Stand") -> None:
        def answer(_: str) -> bytes:
            said = make(stand)
            return said if isinstance(said, bytes) else json.dumps(said).encode()
        stand.offer_changes(answer)
    return act


def good(stand: "Stand", **hosts: Any) -> dict[str, Any]:
    """What leads to the documents that are there now."""
    return {"version": stand.near.version, "self": "h1", "containers": {},
            "hosts": {"changed": [stand.near.documents[HOSTS][2]], **hosts}}


def odd(make: Callable[["Stand"], Any], name: str, words: str) -> Case:
    return again(f"changes: {name}", words, says(make))


def is_patient(stand: "Stand") -> None:
    """It does not ask as often as it is answered."""
    since = len(stand.near.seen)
    end = time.monotonic() + 3
    stand.wait(lambda: time.monotonic() > end, 4, "three seconds")
    asked = len(stand.near.seen) - since
    assert asked < MOST_IN_3_S, f"{asked} requests in 3 s"


def polls_patiently(stand: "Stand") -> None:
    since = len(stand.near.seen)
    end = time.monotonic() + 3
    stand.wait(lambda: time.monotonic() > end, 4, "three seconds")
    polls = sum("wait" in query for _, query in stand.near.seen[since:])
    assert 0 < polls <= MOST_POLLS_IN_3_S, f"{polls} polls in 3 s"


def always_new(all_of_it: bool) -> Act:
    numbers = itertools.count()

    def make(stand: "Stand") -> Any:
        stand.near.version = f"n{next(numbers)}"
        return {**good(stand), "all": all_of_it}
    return says(make)


def restless(stand: "Stand") -> None:
    """Without /changes: each time it is asked it has another version, but stays with it."""
    numbers = itertools.count()

    def answer(request: Request) -> None:
        if request.query.get("wait"):
            stand.near.version = f"r{next(numbers)}"
        request.answer(json.dumps(stand.near.version).encode())
    stand.near.odd["/version"] = answer
    stand.serve()


def never_at_rest(stand: "Stand") -> None:
    numbers = itertools.count()
    stand.near.odd["/version"] = lambda r: r.answer(f'"x{next(numbers)}"'.encode())
    stand.serve()


def not_modified(stand: "Stand") -> None:
    stand.near.odd[HOSTS] = lambda r: r.send(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    stand.serve()


def etag(value: str) -> Act:
    def act(stand: "Stand") -> None:
        stand.near.etags[HOSTS] = value
        stand.serve()
    return act


def backwards(stand: "Stand") -> None:
    stand.serve()
    stand.near.tell(lambda: setattr(stand.near, "version", "a"))


CASES: list[Case] = [
    took("version: goes backwards", (), backwards),
    kept("version: never twice the same", "the metadata change faster than they can be read",
         never_at_rest, limit=30, long=True),
    took("version: another one at each poll", (), restless, what=polls_patiently,
         long=True),
    kept("ETag: 304 to who asked for no ETag", "/hosts: status 304", not_modified),
    took("ETag: without quotes, 10 KB", (), etag("x" * 10000)),
    took("ETag: control characters", (), etag('"\x01\x7f\x1b[2J"')),
    took("changes: what they should be", (), says(good)),
    took("changes: what never was there is removed", (),
         says(lambda s: good(s, removed=["ghost", "", "%any"]))),
    took("changes: the same entry added and changed", (),
         says(lambda s: good(s, added=[s.near.documents[HOSTS][2]] * 3))),
    partly("changes: a host that is wrong is added", "/hosts/3/agent_ip: 'x' is not an IP address",
           says(lambda s: good(s, added=[new_host("h9", "x")]))),
    partly("changes: the peer becomes wrong", "host h2 stays as it was",
           says(lambda s: good(s, added=[{**s.near.documents[HOSTS][1], "agent_ip": 7}]))),
    took("changes: always read it all", (), always_new(True), what=is_patient, long=True),
    took("changes: always news, and none in it", (), always_new(False), what=is_patient, long=True),
    odd(lambda s: b"", "empty body", "/changes: line 1"),
    odd(lambda s: b"<html>", "a page", "/changes: an HTML page, not JSON"),
    odd(lambda s: [], "a list", "/changes: /: not an object"),
    odd(lambda s: {**good(s), "version": 7}, "version a number", "/changes: /version: not a string"),
    odd(lambda s: {**good(s), "version": ""}, "version empty", "/version: 0 bytes; expected 1 to"),
    odd(lambda s: {**good(s), "version": "x" * 100000}, "version of 100 KB",
        "/version: 100000 bytes; expected 1 to"),
    odd(lambda s: {**good(s), "all": "yes"}, "all is a text", "/changes: /all: not true or false"),
    odd(lambda s: {**good(s), "hosts": []}, "hosts a list", "/changes: /hosts: not an object"),
    odd(lambda s: good(s, added={}), "added an object", "/hosts/added: not an array"),
    odd(lambda s: good(s, removed=[1]), "removed a number", "/hosts/removed/0: not a string"),
    odd(lambda s: {**good(s), "self": "%any"}, "self %any", "/self: '%any' is not a host id"),
    odd(lambda s: good(s, removed=["h1"]), "our own host is removed",
        "our own host, h1, is not among"),
    odd(lambda s: b'{"x": "' + b"x" * (17 << 20), "17 MB", "/changes: body over 16777216 bytes"),
    kept("changes: self is the peer", "the metadata say that this is host h2",
         says(lambda s: {**good(s), "self": "h2"}),
         heal=lambda s: (s.heal(), s.near.hang_up())[0]),
]
