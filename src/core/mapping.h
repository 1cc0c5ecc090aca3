/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping: the noun of the house.
 *
 * What a request may say is a mapping_spec; a mapping is a spec that the gateway accepted. A mapping
 * never changes once it is in the table: a change makes a new one of the same id and swaps it in, so
 * that whoever holds the old one (a batch under way, an undo, an event) still sees what was true. It
 * is counted, and freed with its texts in one piece.
 *
 * A mapping to an IPv4 client translates. One to an IPv6 client is a pinhole: it permits without
 * translating, so its external address is the client's own and its ports are equal on both sides.
 */
#ifndef PORTWRIGHT_CORE_MAPPING_H
#define PORTWRIGHT_CORE_MAPPING_H

#include "base/addr.h"
#include "base/clock.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct site;

enum protocol { PROTOCOL_TCP = 1, PROTOCOL_UDP = 2, PROTOCOL_BOTH = 3 }; /* a set of bits */
enum when_disabled { DISABLED_DROP, DISABLED_REFUSE };
enum origin { ORIGIN_OPERATOR, ORIGIN_UPNP, ORIGIN_NATPMP, ORIGIN_PCP, ORIGIN_RTSP };

#define MAPPING_NAME_MAX    128  /* bytes of UTF-8 */
#define MAPPING_APP_MAX     32
#define MAPPING_OWNER_MAX   64
#define MAPPING_NOTES_MAX   4096
#define MAPPING_REMOTES_MAX 64
#define MAPPING_LIMIT_MAX   1000000 /* of max_connections and rate */
#define MAPPING_NONCE_LEN   12      /* RFC 6887, 11.1 */

struct port_range {
	uint16_t first, last; /* inclusive; {0, 0} as an external range asks for any port ("auto") */
};

struct mapping_spec {
	struct addr external_addr;   /* unset: every public address */
	struct addr internal_client;
	struct port_range external;
	struct port_range internal;  /* as wide as external, which it follows with an offset */
	uint8_t protocols;           /* enum protocol */
	uint8_t when_disabled;       /* enum when_disabled */
	uint8_t origin;              /* enum origin */
	bool enabled;
	bool pending; /* a device asked, and waits for the operator's approval; never while enabled */
	uint8_t nonce[MAPPING_NONCE_LEN]; /* PCP: whoever knows it may renew; all zero: none */
	uint16_t peer_port; /* PCP PEER: of the one remote host, whom it is for; 0: another one */
	uint32_t max_connections;    /* at once; 0: no limit */
	uint32_t rate;               /* new connections a second; 0: no limit */
	clock_ms expires;            /* 0: never. A deadline of this boot */
	wall_s expires_date;         /* 0, or the date a person gave, which `expires` follows */
	const struct prefix *remote_hosts; /* who may; none: anyone. Sorted, none within another */
	uint32_t n_remote_hosts;
	const char *name, *app, *notes, *owner; /* never NULL in a mapping; "" for none */
};

struct mapping_counters {
	uint64_t packets, bytes;     /* both directions, since the mapping was programmed */
	uint64_t connections;        /* opened, since then */
};

/* Where the table keeps a mapping, one for each protocol; private to mapping_table. */
struct mapping_place;

struct mapping {
	struct mapping_spec spec;
	uint32_t id;                 /* never reused; people write it "m7" */
	uint32_t version;            /* 1, then one more with every change */
	uint32_t references;
	wall_s created, changed;
	struct mapping_counters counters; /* a cache, refreshed by the gateway from its plane */
	struct mapping_place *places;     /* NULL while not in a table */
};

/* A copy of spec with its texts and prefixes, one reference, id and version as given; NULL when out
 * of memory. */
struct mapping *mapping_new(const struct mapping_spec *spec, uint32_t id, uint32_t version);
struct mapping *mapping_ref(struct mapping *m);
void mapping_unref(struct mapping *m); /* NULL is fine */

bool mapping_is_pinhole(const struct mapping_spec *s);
/* Does a device of the LAN ask by this way (UPnP, NAT-PMP, PCP), and not the operator or
 * Portwright itself? */
bool origin_is_device(uint8_t origin);
uint32_t port_range_width(struct port_range r); /* in ports, at least 1 */
/* May a packet from `remote` use it? Looks only at remote_hosts. */
bool mapping_admits(const struct mapping_spec *s, const struct addr *remote);

/* Sorts a prefix list in place and drops what lies within another; returns how many remain. */
size_t normalise_prefixes(struct prefix *p, size_t n);

/*
 * Checks everything that can be said without looking at other mappings: widths, families, lengths,
 * UTF-8, control characters, and that the client is a host behind this gateway (not broadcast,
 * multicast, loopback, nor one of `site`'s own addresses; `site` may be NULL). An external range of
 * {0, 0} passes. 0, or a negative errno with *f naming field, value and what was expected.
 */
int mapping_validate(const struct mapping_spec *s, const struct site *site, struct fault *f);

/* "tcp", "udp", "both"; "drop", "refuse"; "operator", "upnp", ... The parsers return -EINVAL. */
const char *protocol_name(uint8_t protocols);
const char *when_disabled_name(uint8_t when);
const char *origin_name(uint8_t origin);
int parse_protocol(struct slice s, uint8_t *ret);
int parse_when_disabled(struct slice s, uint8_t *ret);
int parse_origin(struct slice s, uint8_t *ret);

#define MAPPING_ID_TEXT_MAX 12
#define PORT_RANGE_TEXT_MAX 12
char *format_mapping_id(uint32_t id, char buf[static MAPPING_ID_TEXT_MAX]);
int parse_mapping_id(struct slice s, uint32_t *ret); /* "m7"; -EINVAL */
/* "8888" or "8000-8003"; "auto" for {0, 0} (format only). -EINVAL where it is not that, -ERANGE
 * where a number is 0 or above 65535 or the range stands upside down. */
int parse_port_range(struct slice s, struct port_range *ret);
char *format_port_range(struct port_range r, char buf[static PORT_RANGE_TEXT_MAX]);

#define MAPPING_EXTERNAL_TEXT_MAX 80
/* How people name a mapping: "tcp/8888", "both/8000-8003", "tcp/203.0.113.7:443",
 * "tcp/[2001:db8::5]:443". */
char *format_external(const struct mapping_spec *s, char buf[static MAPPING_EXTERNAL_TEXT_MAX]);

#endif
