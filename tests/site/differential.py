# SPDX-License-Identifier: GPL-2.0-or-later
"""
differential: the same datagrams to two gateways, each in a site of its own, and what came back.

A case is a list of steps, each a request from one host; its answers depend on nothing but itself, since
it has a block of ports of its own. So many cases are asked at once: first the first step of them all,
then the second of those that have one.

That nothing comes back is known like this: when all have been asked, each gateway is asked for its
public address until it answers. It reads its socket in order, so it has read the others by then; what
it answers later than that comes within a moment (QUIET after the last answer) or never.
"""
import dataclasses
import select
import socket
import time
from collections.abc import Callable

from namespaces import CAMERA, CAMERA6, LAPTOP, NVR
from port_control import BLOCK, PORT, Reader, natpmp_address

LAN_ADDRESS, LAN_ADDRESS6 = "192.168.69.1", "2001:db8:69::1"
ADDRESSES = {"camera": CAMERA, "nvr": NVR, "laptop": LAPTOP, "camera6": CAMERA6}
FIRST_BASE = 10000
QUIET = 0.3
DEADLINE = 10
AT_ONCE = 48
USUAL_LIFETIMES = (120, 86400)  # the least and the most that both grant


@dataclasses.dataclass
class Step:
    """A request from one of the site's hosts; `message` makes its bytes from the case's base.
    A role that ends in 6 speaks over IPv6."""
    role: str
    message: Callable[[int], bytes]

    def open(self, site):
        family = socket.AF_INET6 if self.role.endswith("6") else socket.AF_INET
        asking = site.hosts[self.role.rstrip("6")].socket(family, socket.SOCK_DGRAM)
        asking.connect((LAN_ADDRESS6 if self.role.endswith("6") else LAN_ADDRESS, PORT))
        return asking


@dataclasses.dataclass
class Case:
    name: str
    base: int
    steps: list

    def requests(self):
        return [step.message(self.base) for step in self.steps]

    def reader(self):
        asked = [lifetime_of(request) for request in self.requests()]
        return Reader(self.base, [*asked, *USUAL_LIFETIMES],
                      error_lifetimes="/error-lifetime/" in self.name)


def lifetime_of(request):
    at = 8 if request[:1] == b"\0" else 4
    return int.from_bytes(request[at:at + 4], "big")


class CaseMaker:
    """Numbers cases; a message may be bytes, a function of the base, or a Step."""

    def __init__(self, prefix, role="camera"):
        self.prefix, self.role, self.made = prefix, role, 0

    def __call__(self, name, *messages):
        steps = []
        for message in messages:
            if isinstance(message, bytes):
                message = Step(self.role, lambda base, message=message: message)
            elif not isinstance(message, Step):
                message = Step(self.role, message)
            steps.append(message)
        case = Case(f"{self.prefix}/{name}", FIRST_BASE + BLOCK * self.made, steps)
        assert case.base + BLOCK < 60000, "too many cases for the ports there are"
        self.made += 1
        return case


def ask_together(sites, steps):
    """Asks each site each (step, request) at once. Returns, for each site, a list of answers, where
    None is none."""
    answers = [[None] * len(steps) for _ in sites]
    waiting = {}
    sentinels = [Step("laptop", None).open(site) for site in sites]
    try:
        for number, site in enumerate(sites):
            for index, (step, request) in enumerate(steps):
                asking = step.open(site)
                asking.send(request)
                waiting[asking] = (number, index)
        for sentinel in sentinels:
            await_answer(sentinel)
        while waiting:
            ready, _, _ = select.select(list(waiting), [], [], QUIET)
            if not ready:
                break
            for asking in ready:
                number, index = waiting.pop(asking)
                answers[number][index] = receive(asking)
                asking.close()
    finally:
        for asking in (*waiting, *sentinels):
            asking.close()
    return answers


def receive(asking):
    try:
        return asking.recv(2048)
    except ConnectionRefusedError:
        raise AssertionError(f"nobody listens on {asking.getpeername()}") from None


def await_answer(sentinel):
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        sentinel.send(natpmp_address())
        if select.select([sentinel], [], [], 1)[0]:
            receive(sentinel)
            return
    raise AssertionError(f"{sentinel.getpeername()} does not answer")


def compare(sites, cases):
    """Asks two sites all cases; yields (name of the step, answer, other answer), as text."""
    for first in range(0, len(cases), AT_ONCE):
        batch = cases[first:first + AT_ONCE]
        for turn in range(max(len(case.steps) for case in batch)):
            active = [case for case in batch if turn < len(case.steps)]
            steps = [(case.steps[turn], case.requests()[turn]) for case in active]
            told = ask_together(sites, steps)
            for case, (_, request), *both in zip(active, steps, *told):
                reader = case.reader()
                name = case.name if len(case.steps) == 1 else f"{case.name}#{turn + 1}"
                yield (name, *(reader.describe(answer, request) for answer in both))
