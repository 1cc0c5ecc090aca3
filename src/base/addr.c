/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr: everything is computed on the 16 bytes of the IPv6 form. A prefix of an IPv4 network is one
 * of 96 bits more there, so masks, bounds and comparisons exist once; only what a family means
 * (kinds, text) looks at the family.
 *
 * IPv4-mapped addresses are IPv4 addresses here, whichever way they were written:
 * "::ffff:10.0.0.0/104" is 10.0.0.0/8. An IPv6 prefix never contains an IPv4 address, not even
 * ::/0.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define V4_BITS 96 /* how far right an IPv4 address stands in its mapped form */

static const struct in6_addr v4_any = { { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } } };

bool addr_is_set(const struct addr *a)
{
	return !IN6_IS_ADDR_UNSPECIFIED(&a->in6);
}

bool addr_is_v4(const struct addr *a)
{
	return IN6_IS_ADDR_V4MAPPED(&a->in6);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a));
}

struct kind_range {
	uint8_t bytes[4]; /* how such an address starts; an IPv4 one without its mapping */
	uint8_t length;
	enum addr_kind kind;
};

/* The special-purpose registries of RFC 6890, as far as a gateway cares. The first match counts. */
static const struct kind_range v4_kinds[] = {
	{ { 0 }, 8, ADDR_UNSPECIFIED },	       { { 127 }, 8, ADDR_LOOPBACK },
	{ { 169, 254 }, 16, ADDR_LINK_LOCAL }, { { 224 }, 4, ADDR_MULTICAST },
	{ { 240 }, 4, ADDR_BROADCAST },	       { { 10 }, 8, ADDR_PRIVATE },
	{ { 172, 16 }, 12, ADDR_PRIVATE },     { { 192, 168 }, 16, ADDR_PRIVATE },
	{ { 100, 64 }, 10, ADDR_SHARED },
};

static const struct kind_range v6_kinds[] = {
	{ { 0xfe, 0x80 }, 10, ADDR_LINK_LOCAL },
	{ { 0xff }, 8, ADDR_MULTICAST },
	{ { 0xfc }, 7, ADDR_PRIVATE },
};

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return !rest || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

static enum addr_kind find_kind(const struct kind_range *ranges, size_t n, const uint8_t *bytes)
{
	for (size_t i = 0; i < n; i++)
		if (same_bits(ranges[i].bytes, bytes, ranges[i].length))
			return ranges[i].kind;
	return ADDR_GLOBAL;
}

enum addr_kind addr_kind(const struct addr *a)
{
	const uint8_t *bytes = a->in6.s6_addr;

	if (!addr_is_set(a))
		return ADDR_UNSET;
	if (addr_is_v4(a))
		return find_kind(v4_kinds, sizeof(v4_kinds) / sizeof(v4_kinds[0]), bytes + 12);
	if (IN6_IS_ADDR_LOOPBACK(&a->in6))
		return ADDR_LOOPBACK;
	return find_kind(v6_kinds, sizeof(v6_kinds) / sizeof(v6_kinds[0]), bytes);
}

const char *addr_kind_name(enum addr_kind kind)
{
	static const char *const names[] = {
		[ADDR_UNSET] = "unset",		[ADDR_UNSPECIFIED] = "unspecified",
		[ADDR_LOOPBACK] = "loopback",	[ADDR_LINK_LOCAL] = "link-local",
		[ADDR_MULTICAST] = "multicast", [ADDR_BROADCAST] = "broadcast",
		[ADDR_PRIVATE] = "private",	[ADDR_SHARED] = "shared",
		[ADDR_GLOBAL] = "global",
	};

	return names[kind];
}

struct addr addr_from_v4(struct in_addr v4)
{
	struct addr a = { v4_any };

	memcpy(a.in6.s6_addr + 12, &v4, 4);
	return a;
}

struct in_addr addr_to_v4(const struct addr *a)
{
	struct in_addr v4;

	memcpy(&v4, a->in6.s6_addr + 12, 4);
	return v4;
}

struct addr addr_from_bytes(int family, const void *bytes)
{
	struct addr a = { v4_any };

	if (family == AF_INET)
		memcpy(a.in6.s6_addr + 12, bytes, 4);
	else
		memcpy(a.in6.s6_addr, bytes, 16);
	return a;
}

int parse_addr(struct slice s, struct addr *ret)
{
	char text[ADDR_TEXT_MAX];
	struct in6_addr v6;
	struct in_addr v4;

	/* inet_pton() wants a string: one with a NUL of its own is none */
	if (!s.len || s.len >= sizeof(text) || memchr(s.at, '\0', s.len))
		return -EINVAL;
	memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1)
		*ret = addr_from_v4(v4);
	else if (inet_pton(AF_INET6, text, &v6) == 1)
		ret->in6 = v6;
	else
		return -EINVAL;
	return 0;
}

static unsigned family_bits(const struct addr *a)
{
	return addr_is_v4(a) ? 32 : 128;
}

/* The prefix's length in the 16 bytes. */
static unsigned full_length(const struct prefix *p)
{
	return addr_is_v4(&p->addr) ? p->length + V4_BITS : p->length;
}

/* Sets or clears all bits right of `length`. */
static struct addr fill_right(struct addr a, unsigned length, bool ones)
{
	for (unsigned i = length / 8; i < 16; i++) {
		unsigned keep = i == length / 8 ? length % 8 : 0;
		uint8_t mask = (uint8_t)(0xffu >> keep);

		if (ones)
			a.in6.s6_addr[i] |= mask;
		else
			a.in6.s6_addr[i] &= (uint8_t)~mask;
	}
	return a;
}

int parse_prefix(struct slice s, struct prefix *ret)
{
	struct slice text = { NULL, 0 };
	struct addr first, last;
	struct prefix p;
	uint32_t length;
	bool quad, slash;

	slash = s.len && memchr(s.at, '/', s.len);
	if (!slice_split(&s, '/', &text) || parse_addr(text, &p.addr) < 0)
		return -EINVAL;
	length = family_bits(&p.addr);
	quad = !memchr(text.at, ':', text.len);
	if (slash) {
		if (!read_number(&s, quad ? 32 : 128, &length) || s.len)
			return -EINVAL;
		/* an IPv4 prefix in IPv6 writing counts its mapping's bits too */
		if (!quad && addr_is_v4(&p.addr)) {
			if (length < V4_BITS)
				return -EINVAL;
			length -= V4_BITS;
		}
	}
	p.length = (uint8_t)length;
	prefix_bounds(&p, &first, &last);
	/* ::/80 and some within it end among the mapped ones, which are another family here */
	if (addr_is_v4(&first) != addr_is_v4(&last) || addr_is_v4(&first) != addr_is_v4(&p.addr))
		return -EINVAL;
	*ret = (struct prefix){ first, p.length };
	return addr_eq(&first, &p.addr) ? 0 : -EDOM;
}

char *format_addr(const struct addr *a, char buf[static ADDR_TEXT_MAX])
{
	struct in_addr v4;

	if (addr_is_v4(a)) {
		v4 = addr_to_v4(a);
		inet_ntop(AF_INET, &v4, buf, ADDR_TEXT_MAX);
	} else {
		inet_ntop(AF_INET6, &a->in6, buf, ADDR_TEXT_MAX);
	}
	return buf;
}

char *format_prefix(const struct prefix *p, char buf[static PREFIX_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];

	snprintf(buf, PREFIX_TEXT_MAX, "%s/%u", format_addr(&p->addr, text), p->length);
	return buf;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	return addr_is_v4(&p->addr) == addr_is_v4(a) &&
	       same_bits(p->addr.in6.s6_addr, a->in6.s6_addr, full_length(p));
}

/* Two prefixes overlap only where one lies within the other. */
bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return a->length <= b->length ? prefix_contains(a, &b->addr) : prefix_contains(b, &a->addr);
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	bool a4 = addr_is_v4(&a->addr), b4 = addr_is_v4(&b->addr);
	int order;

	if (a4 != b4)
		return a4 ? -1 : 1;
	order = addr_compare(&a->addr, &b->addr);
	return order ? order : (int)a->length - (int)b->length;
}

void prefix_bounds(const struct prefix *p, struct addr *ret_first, struct addr *ret_last)
{
	*ret_first = fill_right(p->addr, full_length(p), false);
	*ret_last = fill_right(p->addr, full_length(p), true);
}
