# SPDX-License-Identifier: GPL-2.0-or-later
"""
port_control: NAT-PMP (RFC 6886) and PCP (RFC 6887, RFC 7753) as a client says them and as a person
reads them: functions that make requests, right or wrong ones, and describe() for what came back.

describe() writes an answer as one line in which only what two conformant gateways must agree on is
exact:
- Port numbers of the asking case stand as B, B+1, ... (its block of ports); 0 as 0; any other as `another`.
- A lifetime within SLACK seconds of one that was asked for stands as that one.
- Epochs are left out, and so are the lifetimes of errors, but for cases that are about them.
No answer at all is `nothing`.
"""
import ipaddress
import struct

PORT, CLIENT_PORT = 5351, 5350
BLOCK = 16  # ports of one case
SLACK = 3
NONCE = bytes(range(1, 13))

TCP, UDP = 6, 17
ANNOUNCE, MAP, PEER = range(3)
THIRD_PARTY, PREFER_FAILURE, FILTER, PORT_SET = 1, 2, 3, 130
ANY4, ANY6 = "::ffff:0.0.0.0", "::"

NATPMP_RESULTS = ("SUCCESS", "UNSUPP_VERSION", "NOT_AUTHORIZED", "NETWORK_FAILURE", "NO_RESOURCES",
                  "UNSUPP_OPCODE")
PCP_RESULTS = ("SUCCESS", "UNSUPP_VERSION", "NOT_AUTHORIZED", "MALFORMED_REQUEST", "UNSUPP_OPCODE",
               "UNSUPP_OPTION", "MALFORMED_OPTION", "NETWORK_FAILURE", "NO_RESOURCES",
               "UNSUPP_PROTOCOL", "USER_EX_QUOTA", "CANNOT_PROVIDE_EXTERNAL", "ADDRESS_MISMATCH",
               "EXCESSIVE_REMOTE_PEERS")
OPTION_NAMES = {THIRD_PARTY: "THIRD_PARTY", PREFER_FAILURE: "PREFER_FAILURE", FILTER: "FILTER",
                PORT_SET: "PORT_SET"}


def name_of(names, number):
    return names[number] if number < len(names) else f"result-{number}"


# NAT-PMP

def natpmp_address(version=0, opcode=0):
    return struct.pack("!BB", version, opcode)


def natpmp_map(protocol, internal, external=0, lifetime=7200, version=0, opcode=None, reserved=0):
    """Section 3.3; lifetime 0 deletes."""
    if opcode is None:
        opcode = {UDP: 1, TCP: 2}[protocol]
    return struct.pack("!BBHHHI", version, opcode, reserved, internal, external, lifetime)


# PCP

def on_the_wire(address):
    """128 bits; IPv4 as ::ffff:a.b.c.d (section 5)."""
    parsed = ipaddress.ip_address(address)
    return parsed.packed if parsed.version == 6 else b"\0" * 10 + b"\xff\xff" + parsed.packed


def pcp_header(opcode, client, lifetime=7200, version=2, reserved=0):
    return struct.pack("!BBHI", version, opcode, reserved, lifetime) + on_the_wire(client)


def pcp_announce(client, **header):
    return pcp_header(ANNOUNCE, client, lifetime=header.pop("lifetime", 0), **header)


def pcp_map(client, protocol, internal, external=0, address=ANY4, nonce=NONCE, options=b"",
            **header):
    return (pcp_header(MAP, client, **header) + nonce
            + struct.pack("!BBHHH", protocol, 0, 0, internal, external) + on_the_wire(address)
            + options)


def pcp_peer(client, protocol, internal, remote, remote_port, external=0, address=ANY4, nonce=NONCE,
             options=b"", **header):
    return (pcp_header(PEER, client, **header) + nonce
            + struct.pack("!BBHHH", protocol, 0, 0, internal, external) + on_the_wire(address)
            + struct.pack("!HH", remote_port, 0) + on_the_wire(remote) + options)


def option(code, data=b"", length=None):
    """One option, padded to 32 bits; `length` lies about its length (7.3)."""
    header = struct.pack("!BBH", code, 0, len(data) if length is None else length)
    return header + data + b"\0" * (-len(data) % 4)


def third_party(address):
    return option(THIRD_PARTY, on_the_wire(address))


def prefer_failure():
    return option(PREFER_FAILURE)


def peer_filter(address, prefix=128, port=0):
    return option(FILTER, struct.pack("!BBH", 0, prefix, port) + on_the_wire(address))


def port_set(size, first_internal, parity=False):
    return option(PORT_SET, struct.pack("!HHB", size, first_internal, parity))


# Reading

class Reader:
    """Describes the answers of one case."""

    def __init__(self, base, lifetimes=(), error_lifetimes=False):
        self.base = base
        self.error_lifetimes = error_lifetimes
        self.lifetimes = sorted(set(lifetimes), reverse=True)

    def port(self, number):
        if self.base <= number < self.base + BLOCK:
            return "B" if number == self.base else f"B+{number - self.base}"
        return "0" if number == 0 else "another"

    def internal_port(self, number):
        name = self.port(number)
        return str(number) if name == "another" else name

    def lifetime(self, seconds):
        return next((asked for asked in self.lifetimes if asked - SLACK <= seconds <= asked),
                    seconds)

    def describe(self, answer, request):
        """The line for what came back for `request`."""
        if answer is None:
            return "nothing"
        if len(answer) < 4:
            return f"octets={len(answer)}"
        is_pcp = answer[0] or (request[:1] != b"\0" and len(answer) >= 24)
        return self._pcp(answer, request) if is_pcp else self._natpmp(answer)

    def _natpmp(self, answer):
        opcode, result = struct.unpack_from("!BH", answer, 1)
        words = ["natpmp", name_of(NATPMP_RESULTS, result), f"opcode={opcode}"]
        if result == 0 and opcode == 128 and len(answer) == 12:
            return " ".join(words + [f"address={ipaddress.ip_address(answer[8:12])}"])
        if opcode in (129, 130) and len(answer) == 16:
            internal, external, lifetime = struct.unpack_from("!HHI", answer, 8)
            return " ".join(words + [f"internal={self.internal_port(internal)}",
                                     f"external={self.port(external)}",
                                     f"lifetime={self.lifetime(lifetime)}"])
        return " ".join(words + [f"octets={len(answer)}"])

    def _pcp(self, answer, request):
        if len(answer) < 24 or len(answer) % 4:
            return f"pcp malformed octets={len(answer)}"
        version, opcode, _, result, lifetime = struct.unpack_from("!BBBBI", answer)
        words = ["pcp", name_of(PCP_RESULTS, result), f"opcode={opcode & 0x7f}"]
        if version != 2:
            words.insert(1, f"version={version}")
        if not result or self.error_lifetimes:
            words.append(f"lifetime={self.lifetime(lifetime)}")
        if not opcode & 0x80:
            words.append("request")
        if result:
            words.append(self._error_payload(answer, request))
        elif opcode & 0x7f in (MAP, PEER):
            words += self._mapping(opcode & 0x7f, answer, request)
        elif len(answer) > 24:
            words.append(f"octets={len(answer)}")
        return " ".join(words)

    @staticmethod
    def _error_payload(answer, request):
        """What an error carries behind its header: the request's own is to come back (8.2)."""
        copied = request[24:1100] + b"\0" * (-len(request[24:1100]) % 4)
        if answer[24:] == copied:
            return "copied"
        return "altered" if len(answer) - 24 == len(copied) else f"octets={len(answer)}"

    def _mapping(self, opcode, answer, request):
        size = 60 if opcode == MAP else 80
        if len(answer) < size:
            return [f"octets={len(answer)}"]
        protocol, internal, external = struct.unpack_from("!BxxxHH", answer, 36)
        yield f"protocol={protocol}"
        yield f"internal={self.internal_port(internal)}"
        yield f"external={self.port(external)}"
        yield f"address={readable(answer[44:60])}"
        if answer[24:36] != request[24:36]:
            yield "nonce=another"
        if opcode == PEER:
            yield f"remote={readable(answer[64:80])}:{struct.unpack_from('!H', answer, 60)[0]}"
        yield from self._options(answer[size:])

    def _options(self, octets):
        while len(octets) >= 4:
            code, length = struct.unpack_from("!BxH", octets)
            data, octets = octets[4:4 + length], octets[4 + length + -length % 4:]
            name = OPTION_NAMES.get(code, f"option-{code}")
            if code == PORT_SET and length == 5:
                size, first, parity = struct.unpack("!HHB", data)
                yield f"{name}={size}:{self.internal_port(first)}:{parity}"
            elif code == FILTER and length == 20:
                yield f"{name}={readable(data[4:])}/{data[1]}:{struct.unpack_from('!H', data, 2)[0]}"
            else:
                yield name


def readable(packed):
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)
