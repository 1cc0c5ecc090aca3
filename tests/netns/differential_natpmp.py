# SPDX-License-Identifier: GPL-2.0-or-later
"""
differential_natpmp: what test_differential.py asks by NAT-PMP. Each function yields cases; a case has
a name, which docs/conformance-differences.md refers to, a block of ports of its own, and steps.
"""
import struct

from differential import Step
from port_control import TCP, UDP, natpmp_address, natpmp_map

LIFETIMES = (1, 59, 60, 119, 120, 3600, 7200, 86400, 86401, 604800, 2**31 - 1, 2**31, 2**32 - 1)


def public_address(make):
    yield make("address", natpmp_address())
    for octets in (3, 4, 8, 12, 13, 100):
        yield make(f"address/octets={octets}", natpmp_address().ljust(octets, b"\0"))


def opcodes(make):
    """Every one that there is not, as short as can be and as long as a mapping's."""
    for opcode in range(3, 256):
        kind = "response" if opcode & 0x80 else "unknown"
        yield make(f"opcode/{kind}/{opcode}/octets=2", natpmp_address(opcode=opcode))
        yield make(f"opcode/{kind}/{opcode}/octets=12",
                   lambda base, opcode=opcode: natpmp_map(TCP, base, base, opcode=opcode))


def versions(make):
    for version in (1, *range(3, 256, 7)):
        yield make(f"version/{version}/octets=2", natpmp_address(version))
        yield make(f"version/{version}/octets=12",
                   lambda base, version=version: natpmp_map(TCP, base, base, version=version))


def lengths(make):
    for protocol, name in ((UDP, "udp"), (TCP, "tcp")):
        for octets in range(12):
            yield make(f"short/{name}/octets={octets}",
                       lambda base, p=protocol, o=octets: natpmp_map(p, base, base)[:o])
        for octets in (13, 16, 60, 1100):
            yield make(f"long/{name}/octets={octets}",
                       lambda base, p=protocol, o=octets: natpmp_map(p, base, base).ljust(o, b"\0"))
    for octets in (1101, 1104, 1400):
        yield make(f"long/octets={octets}",
                   lambda base, o=octets: natpmp_map(TCP, base, base).ljust(o, b"\0"))


def mappings(make):
    for protocol, name in ((UDP, "udp"), (TCP, "tcp")):
        for lifetime in LIFETIMES:
            yield make(f"lifetime/{name}/{lifetime}",
                       lambda b, p=protocol, t=lifetime: natpmp_map(p, b, b, t))
        yield make(f"map/{name}/suggested=0", lambda b, p=protocol: natpmp_map(p, b, 0))
        yield make(f"map/{name}/suggested=other", lambda b, p=protocol: natpmp_map(p, b, b + 3))
        yield make(f"map/{name}/reserved", lambda b, p=protocol: natpmp_map(p, b, b, reserved=0xffff))
        yield make(f"map/{name}/internal=0", lambda b, p=protocol: natpmp_map(p, 0, b))
    for external in (1, 80, 1023, 65535):
        yield make(f"map/suggested={external}", lambda b, e=external: natpmp_map(TCP, b, e))
    for internal in (1, 22, 80, 445, 1023, 65535):
        yield make(f"map/internal={internal}", lambda b, i=internal: natpmp_map(TCP, i, b))


def sequences(make):
    """Several requests one after the other; a step that names a host comes from there."""
    def same(b):
        return natpmp_map(TCP, b, b, 600)

    yield make("again", same, same)
    yield make("again/longer", same, lambda b: natpmp_map(TCP, b, b, 1200))
    yield make("again/shorter", same, lambda b: natpmp_map(TCP, b, b, 300))
    yield make("again/other-suggestion", same, lambda b: natpmp_map(TCP, b, b + 1, 600))
    yield make("again/no-suggestion", same, lambda b: natpmp_map(TCP, b, 0, 600))
    yield make("again/other-protocol", same, lambda b: natpmp_map(UDP, b, b, 600))
    yield make("again/other-protocol/no-suggestion", lambda b: natpmp_map(TCP, b, b + 2, 600),
               lambda b: natpmp_map(UDP, b, 0, 600))
    yield make("taken", same, Step("nvr", same), same)
    yield make("taken/companion", same, Step("nvr", lambda b: natpmp_map(UDP, b, b, 600)))
    yield make("taken/other-internal", same, lambda b: natpmp_map(TCP, b + 1, b, 600))

    def delete(b):
        return natpmp_map(TCP, b, 0, 0)

    yield make("delete", same, delete, same)
    yield make("delete/with-suggestion", same, lambda b: natpmp_map(TCP, b, b + 5, 0))
    yield make("delete/absent", delete)
    yield make("delete/twice", same, delete, delete)
    yield make("delete/other-protocol", same, lambda b: natpmp_map(UDP, b, b, 0), same)
    yield make("delete/others", same, Step("nvr", delete), same)
    yield make("delete/then-others", same, delete, Step("nvr", same))
    # What a client of its own (the laptop) has is listed by asking for the same again from elsewhere.
    yield make("delete/all", Step("laptop", same), Step("laptop", lambda b: natpmp_map(TCP, 0, 0, 0)),
               Step("laptop", lambda b: natpmp_map(TCP, b + 1, b, 600)))
    yield make("delete/all/other-protocol", Step("laptop", same),
               Step("laptop", lambda b: natpmp_map(UDP, 0, 0, 0)),
               Step("nvr", lambda b: natpmp_map(TCP, b, b, 600)))
    yield make("delete/all/with-suggestion", Step("laptop", lambda b: natpmp_map(UDP, 0, b, 0)))


def random_requests(make, random, number=150):
    """Any version-0 request whose fields were drawn; the case's name says what is special in it."""
    for index in range(number):
        protocol = random.choice((UDP, TCP))
        lifetime = random.choice((0, 600, random.randrange(1, 2**32)))
        internal = random.choice(("own", "own", "own", "low", "high"))
        suggested = random.choice(("own", "own", "none", "low"))
        tail = random.choice((b"", b"", random.randbytes(random.randrange(1, 40))))
        low, high = 200 + index, 60000 + index

        def message(b, p=protocol, t=lifetime, i=internal, s=suggested, tail=tail, low=low, high=high):
            return struct.pack(
                "!BBHHHI", 0, {UDP: 1, TCP: 2}[p], 0, {"own": b, "low": low, "high": high}[i],
                {"own": b + 1, "none": 0, "low": low}[s], t) + tail

        kind = "delete" if not lifetime else "long-lived" if lifetime > 604800 else "map"
        yield make(f"random/{kind}/internal={internal}/suggested={suggested}"
                   f"/tail={len(tail)}/{index}", message)


def cases(make, random):
    for group in (public_address, opcodes, versions, lengths, mappings, sequences):
        yield from group(make)
    yield from random_requests(make, random)
