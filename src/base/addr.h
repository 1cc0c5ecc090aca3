/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr: one address type for IPv4 and IPv6, so that above this room no function has a twin.
 *
 * An IPv4 address lives as its IPv4-mapped IPv6 form (::ffff:a.b.c.d). The all-zero value means
 * "unset": as an external address that is "any", as a client it is a bug. 0.0.0.0 is therefore
 * ::ffff:0.0.0.0 and distinct from unset. A prefix counts its length in the bits of its own family
 * (0-32 or 0-128).
 */
#ifndef PORTWRIGHT_BASE_ADDR_H
#define PORTWRIGHT_BASE_ADDR_H

#include "base/slice.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define ADDR_TEXT_MAX   46 /* INET6_ADDRSTRLEN */
#define PREFIX_TEXT_MAX 50

struct addr {
	struct in6_addr in6;
};

struct prefix {
	struct addr addr;
	uint8_t length;
};

enum addr_kind {
	ADDR_UNSET,
	ADDR_UNSPECIFIED,
	ADDR_LOOPBACK,
	ADDR_LINK_LOCAL,
	ADDR_MULTICAST,
	ADDR_BROADCAST, /* 255.255.255.255, and the reserved 240.0.0.0/4 */
	ADDR_PRIVATE,   /* RFC 1918, RFC 4193 */
	ADDR_SHARED,    /* RFC 6598, 100.64.0.0/10: behind a carrier's NAT */
	ADDR_GLOBAL,
};

bool addr_is_set(const struct addr *a);
bool addr_is_v4(const struct addr *a);
bool addr_eq(const struct addr *a, const struct addr *b);
int addr_compare(const struct addr *a, const struct addr *b);
enum addr_kind addr_kind(const struct addr *a);
const char *addr_kind_name(enum addr_kind kind); /* "loopback", "multicast", ... */

struct addr addr_from_v4(struct in_addr v4);
struct in_addr addr_to_v4(const struct addr *a); /* only where addr_is_v4() */
/* family AF_INET: 4 bytes; AF_INET6: 16 bytes, in network order. */
struct addr addr_from_bytes(int family, const void *bytes);

/* Dotted quad, or RFC 4291 text; no zone, no brackets, no blanks. 0 or -EINVAL. */
int parse_addr(struct slice s, struct addr *ret);
/* ADDR or ADDR/LEN. -EINVAL: not a prefix; -EDOM: bits are set right of the length (then *ret holds
 * the prefix that was probably meant, for the message; the one exception to "untouched"). */
int parse_prefix(struct slice s, struct prefix *ret);
char *format_addr(const struct addr *a, char buf[static ADDR_TEXT_MAX]);
char *format_prefix(const struct prefix *p, char buf[static PREFIX_TEXT_MAX]);

bool prefix_contains(const struct prefix *p, const struct addr *a);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
int prefix_compare(const struct prefix *a, const struct prefix *b); /* by family, address, length */
/* The lowest and the highest address of the prefix. */
void prefix_bounds(const struct prefix *p, struct addr *ret_first, struct addr *ret_last);

#endif
