# SPDX-License-Identifier: GPL-2.0-or-later
"""
differential_pcp: what test_differential.py asks by PCP. Each function yields cases, as in
differential_natpmp.
"""
from differential import ADDRESSES, Step
from peer import PUBLIC
from port_control import (ANNOUNCE, ANY6, MAP, PEER, TCP, UDP, option, pcp_announce, pcp_header, pcp_map,
                          pcp_peer, peer_filter, port_set, prefer_failure, third_party)

CAMERA, NVR, LAPTOP, CAMERA6 = (ADDRESSES[role] for role in ("camera", "nvr", "laptop", "camera6"))
REMOTE, REMOTE6 = "198.51.100.10", "2001:db8:bad::66"
OTHER_NONCE = bytes(range(101, 113))
LIFETIMES = (1, 119, 120, 121, 3600, 7200, 86400, 86401, 2**31, 2**32 - 1)


def tcp(b, **changes):
    """The usual request of the camera's."""
    return pcp_map(CAMERA, TCP, b, **{"external": b, **changes})


def announcements(make):
    yield make("announce", pcp_announce(CAMERA))
    yield make("announce/lifetime", pcp_announce(CAMERA, lifetime=77))
    yield make("announce/reserved", pcp_announce(CAMERA, reserved=0xffff))
    yield make("announce/mismatch", pcp_announce(NVR))
    for octets in range(25):
        yield make(f"announce/octets={octets}", pcp_announce(CAMERA)[:octets])
    for octets in (25, 26, 27, 28, 60, 1100, 1101, 1104):
        yield make(f"announce/long/octets={octets}", pcp_announce(CAMERA).ljust(octets, b"\0"))


def headers(make):
    for version in (1, 3, 4, 127, 255):
        yield make(f"version/{version}", lambda b, v=version: tcp(b, version=v))
        yield make(f"version/{version}/octets=2", bytes((version, MAP)))
        yield make(f"version/{version}/octets=24", pcp_announce(CAMERA, version=version))
    for opcode in range(3, 128, 4):
        yield make(f"opcode/{opcode}", pcp_header(opcode, CAMERA))
        yield make(f"opcode/{opcode}/octets=60", pcp_header(opcode, CAMERA).ljust(60, b"\0"))
    for opcode in (ANNOUNCE, MAP, PEER, 3, 127):
        yield make(f"response/{opcode}", pcp_header(0x80 | opcode, CAMERA).ljust(80, b"\0"))
    yield make("reserved", lambda b: tcp(b, reserved=0xffff))
    for name, client in (("other", NVR), ("gateway", "192.168.69.1"), ("none", "::"),
                         ("any4", "0.0.0.0"), ("ipv6", CAMERA6)):
        yield make(f"mismatch/{name}", lambda b, c=client: pcp_map(c, TCP, b, b))


def lengths(make):
    for octets in range(1, 60):
        yield make(f"map/octets={octets}", lambda b, o=octets: tcp(b)[:o])
    for octets in range(24, 80):
        yield make(f"peer/octets={octets}",
                   lambda b, o=octets: pcp_peer(CAMERA, TCP, b, REMOTE, 80)[:o])
    for octets in (61, 62, 63, 64, 1100, 1101, 1102, 1104, 1400):
        yield make(f"map/long/octets={octets}", lambda b, o=octets: tcp(b).ljust(o, b"\0"))


def mappings(make):
    for lifetime in LIFETIMES:
        yield make(f"lifetime/{lifetime}", lambda b, t=lifetime: tcp(b, lifetime=t))
    yield make("map/udp", lambda b: pcp_map(CAMERA, UDP, b, b))
    for protocol in (1, 33, 47, 50, 132, 136, 255):
        yield make(f"map/protocol={protocol}", lambda b, p=protocol: pcp_map(CAMERA, p, b, b))
        yield make(f"map/protocol={protocol}/port=0", lambda b, p=protocol: pcp_map(CAMERA, p, 0, 0))
    yield make("map/protocol=0", lambda b: pcp_map(CAMERA, 0, b, b))
    yield make("map/protocol=0/port=0", lambda b: pcp_map(CAMERA, 0, 0, 0))
    yield make("map/internal=0", lambda b: pcp_map(CAMERA, TCP, 0, b))
    for internal in (22, 80, 445, 65535):
        yield make(f"map/internal={internal}", lambda b, i=internal: pcp_map(CAMERA, TCP, i, b))
    for external in (0, 1, 80, 1023, 5350, 5351, 65535):
        yield make(f"map/suggested={external}", lambda b, e=external: tcp(b, external=e))
        yield make(f"map/udp/suggested={external}",
                   lambda b, e=external: pcp_map(CAMERA, UDP, b, e))
    for name, address in (("ours", PUBLIC), ("other", "11.0.0.99"), ("private", "10.1.1.1"),
                          ("ipv6", "2001:db8:113::7"), ("any6", ANY6)):
        yield make(f"map/address={name}", lambda b, a=address: tcp(b, address=a))


def options(make):
    """Each option right, wrong, doubled and cut short."""
    def with_options(name, *parts, **changes):
        return make(f"option/{name}", lambda b: tcp(
            b, options=b"".join(p(b) if callable(p) else p for p in parts), **changes))

    for code in (0, 4, 64, 127):
        yield with_options(f"mandatory/{code}", option(code))
    for code in (128, 131, 200, 255):
        yield with_options(f"optional/{code}", option(code, b"1234"))
    yield with_options("optional/odd", option(200, b"12345"))
    yield with_options("length/beyond", option(200, b"1234", length=400))
    yield with_options("length/header-only", b"\xc8\0\0\4")
    yield with_options("padding-missing", b"\xc8\0\0\1", b"\1\0\0")

    yield with_options("third-party/self", third_party(CAMERA))
    yield with_options("third-party/other", third_party(NVR))
    yield with_options("third-party/short", option(1, b"1234"))
    yield with_options("third-party/twice", third_party(NVR), third_party(NVR))

    yield with_options("prefer-failure", prefer_failure())
    yield with_options("prefer-failure/port=0", prefer_failure(), external=0)
    yield with_options("prefer-failure/privileged", prefer_failure(), external=80)
    yield with_options("prefer-failure/long", option(2, b"1234"))
    yield with_options("prefer-failure/twice", prefer_failure(), prefer_failure())
    yield with_options("prefer-failure/address", prefer_failure(), address="11.0.0.99")
    yield with_options("prefer-failure/delete", prefer_failure(), lifetime=0)

    yield with_options("filter", peer_filter(REMOTE))
    yield with_options("filter/port", peer_filter(REMOTE, port=8080))
    yield with_options("filter/prefix=120", peer_filter("198.51.100.0", 120))
    for prefix in (0, 1, 95, 96, 127, 129, 255):
        yield with_options(f"filter/prefix={prefix}", peer_filter(REMOTE, prefix))
    yield with_options("filter/ipv6", peer_filter(REMOTE6))
    yield with_options("filter/short", option(3, b"\0" * 16))
    yield with_options("filter/several", *(peer_filter(f"198.51.100.{i}") for i in range(1, 5)))
    yield with_options("filter/many", *(peer_filter(f"198.51.100.{i}") for i in range(1, 44)))
    yield with_options("filter/delete", peer_filter(REMOTE), lifetime=0)
    yield with_options("filter/clear", peer_filter(REMOTE, 0), peer_filter(REMOTE))

    for size in (0, 1, 2, 4):
        yield with_options(f"port-set/size={size}", lambda b, s=size: port_set(s, b))
    yield with_options("port-set/parity", lambda b: port_set(2, b, True))
    yield with_options("port-set/short", option(130, b"\0\2\0"))
    yield with_options("port-set/twice", lambda b: port_set(2, b), lambda b: port_set(2, b))
    yield with_options("port-set/other-first", lambda b: port_set(2, b + 4))
    # Wide sets are asked for where no other case has anything.
    for size in (100, 65535):
        yield make(f"option/port-set/size={size}", Step("laptop", lambda b, s=size: pcp_map(
            LAPTOP, UDP, 61000, 0, options=port_set(s, 61000))))
    yield with_options("both", prefer_failure(), peer_filter(REMOTE))
    yield with_options("unknown-first", option(64), prefer_failure())
    yield make("option/announce/unknown", pcp_announce(CAMERA) + option(64))
    yield make("option/announce/optional", pcp_announce(CAMERA) + option(200, b"1234"))
    yield make("option/announce/prefer-failure", pcp_announce(CAMERA) + prefer_failure())


def peers(make):
    def peer(name, protocol=TCP, internal=None, remote=REMOTE, remote_port=80, **changes):
        return make(f"peer/{name}", lambda b: pcp_peer(
            CAMERA, protocol, b if internal is None else internal, remote, remote_port, **changes))

    yield peer("tcp")
    yield peer("udp", protocol=UDP)
    yield peer("protocol=0", protocol=0)
    yield peer("protocol=132", protocol=132)
    yield peer("internal=0", internal=0)
    yield peer("remote-port=0", remote_port=0)
    yield peer("remote=any", remote="0.0.0.0")
    yield peer("remote=ipv6", remote=REMOTE6)
    yield peer("lifetime=0", lifetime=0)
    yield peer("lifetime=1", lifetime=1)
    yield peer("external", external=44444)
    yield peer("address", address="11.0.0.99")
    yield peer("prefer-failure", options=prefer_failure())
    yield peer("filter", options=peer_filter(REMOTE))
    yield peer("third-party", options=third_party(NVR))
    yield peer("unknown-option", options=option(64))


def sequences(make):
    def other(b, **changes):
        return pcp_map(NVR, TCP, b, **{"external": b, **changes})

    def delete(b, **changes):
        return tcp(b, lifetime=0, **changes)

    short = dict(lifetime=600)
    yield make("again", tcp, tcp)
    yield make("again/longer", lambda b: tcp(b, **short), tcp)
    yield make("again/shorter", tcp, lambda b: tcp(b, **short))
    yield make("again/other-suggestion", tcp, lambda b: tcp(b, external=b + 1))
    yield make("again/no-suggestion", tcp, lambda b: tcp(b, external=0))
    yield make("again/other-nonce", tcp, lambda b: tcp(b, nonce=OTHER_NONCE), tcp)
    yield make("again/prefer-failure", tcp, lambda b: tcp(b, options=prefer_failure()))
    yield make("again/prefer-failure/other-port", tcp,
               lambda b: tcp(b, external=b + 1, options=prefer_failure()))
    yield make("again/other-protocol", tcp, lambda b: pcp_map(CAMERA, UDP, b, b))
    yield make("taken", tcp, Step("nvr", other), Step("nvr", other))
    yield make("taken/prefer-failure", tcp,
               Step("nvr", lambda b: other(b, options=prefer_failure())))
    yield make("taken/other-internal", tcp, lambda b: pcp_map(CAMERA, TCP, b + 1, b))
    yield make("delete", tcp, delete, Step("nvr", other))
    yield make("delete/absent", delete)
    yield make("delete/twice", tcp, delete, delete)
    yield make("delete/other-nonce", tcp, lambda b: delete(b, nonce=OTHER_NONCE), tcp)
    yield make("delete/other-protocol", tcp, lambda b: pcp_map(CAMERA, UDP, b, b, lifetime=0), tcp)
    yield make("delete/others", tcp, Step("nvr", lambda b: other(b, lifetime=0)), tcp)
    yield make("delete/wildcard", lambda b: pcp_map(CAMERA, TCP, 0, 0, lifetime=0))
    yield make("delete/all-protocols", lambda b: pcp_map(CAMERA, 0, 0, 0, lifetime=0))
    yield make("delete/unknown-protocol", lambda b: pcp_map(CAMERA, 132, b, 0, lifetime=0))
    yield make("peer-then-map", lambda b: pcp_peer(CAMERA, TCP, b, REMOTE, 80), tcp)
    yield make("map-then-peer", tcp, lambda b: pcp_peer(CAMERA, TCP, b, REMOTE, 80))


def error_lifetimes(make):
    """Of errors that will go on for long, and of those that may soon be over (7.4)."""
    def error(name, *messages):
        return make(f"error-lifetime/{name}", *messages)

    yield error("version", lambda b: tcp(b, version=3))
    yield error("request", lambda b: tcp(b)[:40])
    yield error("opcode", pcp_header(3, CAMERA))
    yield error("unsupported-option", lambda b: tcp(b, options=option(64)))
    yield error("malformed-option", lambda b: tcp(b, external=0, options=prefer_failure()))
    yield error("mismatch", lambda b: pcp_map(NVR, TCP, b, b))
    yield error("cannot-provide", lambda b: tcp(b, external=80, options=prefer_failure()))
    yield error("other-nonce", tcp, lambda b: tcp(b, nonce=OTHER_NONCE))
    yield error("delete/other-nonce", tcp, lambda b: tcp(b, nonce=OTHER_NONCE, lifetime=0))


def pinholes(make):
    """The same over IPv6, where a mapping is a pinhole."""
    def six(b, **changes):
        return pcp_map(CAMERA6, TCP, b, **{"external": b, "address": ANY6, **changes})

    def step(*messages):
        return [Step("camera6", message) for message in messages]

    yield make("ipv6/announce", *step(lambda b: pcp_announce(CAMERA6)))
    yield make("ipv6/map", *step(six, six))
    yield make("ipv6/map/udp", *step(lambda b: pcp_map(CAMERA6, UDP, b, b, ANY6)))
    yield make("ipv6/map/suggested=other", *step(lambda b: six(b, external=b + 1)))
    yield make("ipv6/map/suggested=0", *step(lambda b: six(b, external=0)))
    yield make("ipv6/map/address=self", *step(lambda b: six(b, address=CAMERA6)))
    yield make("ipv6/map/address=other", *step(lambda b: six(b, address="2001:db8:113::7")))
    yield make("ipv6/map/address=ipv4", *step(lambda b: six(b, address="0.0.0.0")))
    yield make("ipv6/filter", *step(lambda b: six(b, options=peer_filter(REMOTE6))))
    yield make("ipv6/filter/ipv4", *step(lambda b: six(b, options=peer_filter(REMOTE))))
    yield make("ipv6/prefer-failure/other-port",
               *step(lambda b: six(b, external=b + 1, options=prefer_failure())))
    yield make("ipv6/mismatch", *step(lambda b: pcp_map(CAMERA, TCP, b, b)))
    yield make("ipv6/other-nonce", *step(six, lambda b: six(b, nonce=OTHER_NONCE)))
    yield make("ipv6/delete", *step(six, lambda b: six(b, lifetime=0), lambda b: six(b, lifetime=0)))
    yield make("ipv6/natpmp", *step(lambda b: b"\0\0"))


def drawn_options(random, base):
    """A few options, and the words that name them."""
    kinds = {
        "filter": lambda: peer_filter(f"198.51.100.{random.randrange(256)}"),
        "prefer-failure": prefer_failure,
        "third-party": lambda: third_party(NVR),
        "port-set": lambda: port_set(random.randrange(2, 5), base),
        "optional": lambda: option(random.randrange(131, 256), random.randbytes(4)),
        "mandatory": lambda: option(random.randrange(4, 128), random.randbytes(4)),
    }
    names = random.sample(list(kinds), random.choice((0, 0, 1, 1, 2)))
    return b"".join(kinds[name]() for name in names), "+".join(names) or "none"


def random_requests(make, random, number=200):
    """Requests whose fields were drawn. Their names say what is in them."""
    for index in range(number):
        state = random.getrandbits(64)

        def message(b, state=state):
            return draw(type(random)(state), b)[0]

        yield make(f"random/{draw(type(random)(state), 0)[1]}/{index}", message)


def draw(random, base):
    lifetime = random.choice((0, 600, random.randrange(120, 86400)))
    protocol = random.choice((TCP, TCP, TCP, UDP, UDP, UDP, random.randrange(256)))
    suggested = random.choice(("own", "own", "none"))
    parts, names = drawn_options(random, base)
    external = {"own": base + 2, "none": 0}[suggested]
    name = "delete" if not lifetime else "map"
    if protocol not in (TCP, UDP):
        name += "/other-protocol"
    message = pcp_map(CAMERA, protocol, base, external, nonce=random.randbytes(12), options=parts,
                      lifetime=lifetime)
    if random.random() < 0.2:
        name += "/cut"
        message = message[:random.randrange(24, len(message))]
    return message, f"{name}/suggested={suggested}/options={names}"


def cases(make, random):
    for group in (announcements, headers, lengths, mappings, options, peers, sequences,
                  error_lifetimes, pinholes):
        yield from group(make)
    yield from random_requests(make, random)
