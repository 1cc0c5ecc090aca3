/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a mapping becomes elements.
 *
 * The common mapping (one port, every public address, anyone) is one element of the hashed map
 * open4 and one of traffic4. A port range, a list of remote hosts or one public address of several
 * make it "wide": then it is a product of blocks and remote hosts in the interval maps.
 *
 * Blocks: the kernel shifts a port by taking it modulo the width of the target range
 * (NF_NAT_RANGE_PROTO_OFFSET with no base: target = first + port % width). That is the wanted
 * offset exactly where the width is a power of two and the matched range begins at a multiple of
 * it, so a range is cut into such blocks: 8000-8003 is one, and 60,000 ports never more than 30.
 */
#include "plane/nft_elements.h"

#include <arpa/inet.h>
#include <string.h>

struct walk {
	const struct mapping_spec *s;
	nft_element_visit visit;
	void *arg;
};

/*
 * When the kernel ends a leased mapping's elements, should nobody do it before. Devices renew their
 * leases all the time; on a grid of ten minutes most renewals leave the element as it is. A minute
 * more, so that the daemon, where it lives, is always the first.
 */
#define TIMEOUT_GRID_MS	  600000
#define TIMEOUT_MARGIN_MS 60000

static clock_ms kernel_deadline(const struct mapping_spec *s)
{
	clock_ms late = s->expires + TIMEOUT_MARGIN_MS;

	if (s->expires == 0)
		return 0;
	return (late + TIMEOUT_GRID_MS - 1) / TIMEOUT_GRID_MS * TIMEOUT_GRID_MS;
}

/* Appends fields to a key or to data, each padded to a multiple of four bytes. */
struct field_writer {
	uint8_t *at;
};

static void put_addr4(struct field_writer *w, struct in_addr a)
{
	memcpy(w->at, &a, sizeof(a));
	w->at += sizeof(a);
}

static void put_addr6(struct field_writer *w, const struct addr *a)
{
	memcpy(w->at, &a->in6, sizeof(a->in6));
	w->at += sizeof(a->in6);
}

static void put_proto(struct field_writer *w, uint8_t protocol)
{
	w->at[0] = protocol == PROTOCOL_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	memset(w->at + 1, 0, 3);
	w->at += 4;
}

static void put_port(struct field_writer *w, uint16_t port)
{
	uint16_t wire = htons(port);

	memcpy(w->at, &wire, sizeof(wire));
	memset(w->at + 2, 0, 2);
	w->at += 4;
}

static int each_protocol(const struct walk *w, int (*visit)(const struct walk *w, uint8_t protocol))
{
	int ret = 0;

	for (uint8_t p = PROTOCOL_TCP; ret == 0 && p <= PROTOCOL_UDP; p <<= 1) {
		if (w->s->protocols & p)
			ret = visit(w, p);
	}
	return ret;
}

/* The next aligned power-of-two block of [first, last] beginning at `first`; returns its last port.
 */
static uint32_t block_last(uint32_t first, uint32_t last)
{
	uint32_t width = first ? (first & -first) : 0x10000;

	while (first + width - 1 > last)
		width >>= 1;
	return first + width - 1;
}

static bool is_wide(const struct mapping_spec *s)
{
	return addr_is_set(&s->external_addr) || s->n_remote_hosts > 0 ||
	       s->external.first != s->external.last;
}

/* --- the keys that carry a remote host ------------------------------------------------------- */

/* external . protocol . first..last . remote; all = every address */
static void tuple_key(struct nft_element *e, const struct mapping_spec *s, uint8_t protocol,
		      struct port_range ports, const struct prefix *remote)
{
	static const struct prefix any4 = { .addr.in6.s6_addr = { [10] = 0xff, [11] = 0xff } };
	static const struct prefix any6 = { 0 };
	bool pinhole = mapping_is_pinhole(s);
	struct field_writer low = { e->key }, high = { e->key_end };
	struct addr remote_first, remote_last, outer_first, outer_last;

	prefix_bounds(remote ? remote : pinhole ? &any6 : &any4, &remote_first, &remote_last);
	if (pinhole) {
		outer_first = outer_last = s->internal_client;
	} else if (addr_is_set(&s->external_addr)) {
		outer_first = outer_last = s->external_addr;
	} else {
		prefix_bounds(&any4, &outer_first, &outer_last);
	}
	if (pinhole) {
		put_addr6(&low, &outer_first);
		put_addr6(&high, &outer_last);
	} else {
		put_addr4(&low, addr_to_v4(&outer_first));
		put_addr4(&high, addr_to_v4(&outer_last));
	}
	put_proto(&low, protocol);
	put_proto(&high, protocol);
	put_port(&low, ports.first);
	put_port(&high, ports.last);
	if (pinhole) {
		put_addr6(&low, &remote_first);
		put_addr6(&high, &remote_last);
	} else {
		put_addr4(&low, addr_to_v4(&remote_first));
		put_addr4(&high, addr_to_v4(&remote_last));
	}
}

/* One element of `set` for each remote host, over `ports`; `template` brings the data. */
static int each_remote(const struct walk *w, enum nft_set set, uint8_t protocol,
		       struct port_range ports, struct nft_element *template)
{
	uint32_t n = w->s->n_remote_hosts ? w->s->n_remote_hosts : 1;
	int ret = 0;

	template->set = set;
	template->expires = nft_set_shapes[set].expires ? kernel_deadline(w->s) : 0;
	for (uint32_t i = 0; ret == 0 && i < n; i++) {
		tuple_key(template, w->s, protocol, ports,
			  w->s->n_remote_hosts ? &w->s->remote_hosts[i] : NULL);
		ret = w->visit(w->arg, template);
	}
	return ret;
}

/* --- enabled --------------------------------------------------------------------------------- */

static int open_elements(const struct walk *w, uint8_t protocol)
{
	struct nft_element e = { .set = NFT_SET_OPEN4, .expires = kernel_deadline(w->s) };
	struct field_writer key = { e.key }, data = { e.data };
	int ret;

	put_proto(&key, protocol);
	put_port(&key, w->s->external.first);
	put_addr4(&data, addr_to_v4(&w->s->internal_client));
	put_port(&data, w->s->internal.first);
	ret = w->visit(w->arg, &e);
	if (ret == 0) {
		e.set = NFT_SET_TRAFFIC4;
		e.expires = 0;
		memset(e.data, 0, sizeof(e.data));
		ret = w->visit(w->arg, &e);
	}
	return ret;
}

/* addr . first . addr . last: what a rule of shifted_in or shifted_out reads. */
static void put_target(uint8_t *data, const struct addr *a, uint32_t first, uint32_t last)
{
	struct field_writer w = { data };

	put_addr4(&w, addr_to_v4(a));
	put_port(&w, first);
	put_addr4(&w, addr_to_v4(a));
	put_port(&w, last);
}

static int wide_elements(const struct walk *w, uint8_t protocol)
{
	uint32_t shift = w->s->internal.first - w->s->external.first;
	struct nft_element e = { 0 };
	uint32_t last;
	int ret = 0;

	for (uint32_t first = w->s->external.first; ret == 0 && first <= w->s->external.last;
	     first = last + 1) {
		last = block_last(first, w->s->external.last);
		put_target(e.data, &w->s->internal_client, first + shift, last + shift);
		ret = each_remote(w, NFT_SET_WIDE4, protocol, (struct port_range){ first, last },
				  &e);
	}
	memset(e.data, 0, sizeof(e.data));
	return ret ? ret : each_remote(w, NFT_SET_TRAFFIC_WIDE4, protocol, w->s->external, &e);
}

static int pinhole_elements(const struct walk *w, uint8_t protocol)
{
	static const enum nft_set sets[] = { NFT_SET_PINHOLE6, NFT_SET_PERMITTED6,
					     NFT_SET_TRAFFIC6 };
	struct nft_element e = { 0 };
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(sets) / sizeof(*sets); i++)
		ret = each_remote(w, sets[i], protocol, w->s->external, &e);
	return ret;
}

static int limit_element(const struct walk *w, uint8_t protocol, enum nft_set set4,
			 enum nft_set set6, uint32_t limit)
{
	bool pinhole = mapping_is_pinhole(w->s);
	struct nft_element e = { .set = pinhole ? set6 : set4, .limit = limit };
	struct field_writer key = { e.key };

	if (limit == 0)
		return 0;
	if (pinhole)
		put_addr6(&key, &w->s->internal_client);
	else
		put_addr4(&key, addr_to_v4(&w->s->internal_client));
	put_proto(&key, protocol);
	put_port(&key, w->s->internal.first);
	if (!pinhole)
		put_port(&key, w->s->external.first);
	return w->visit(w->arg, &e);
}

static int enabled_elements(const struct walk *w, uint8_t protocol)
{
	int ret = mapping_is_pinhole(w->s) ? pinhole_elements(w, protocol)
		  : is_wide(w->s)	   ? wide_elements(w, protocol)
					   : open_elements(w, protocol);

	if (ret == 0)
		ret = limit_element(w, protocol, NFT_SET_CONNECTION_LIMITS4,
				    NFT_SET_CONNECTION_LIMITS6, w->s->max_connections);
	if (ret == 0)
		ret = limit_element(w, protocol, NFT_SET_RATE_LIMITS4, NFT_SET_RATE_LIMITS6,
				    w->s->rate);
	return ret;
}

/* --- disabled -------------------------------------------------------------------------------- */

static int closed_elements(const struct walk *w, uint8_t protocol)
{
	struct nft_element e = { 0 };

	e.data[0] = w->s->when_disabled == DISABLED_REFUSE ? NFT_CLOSED_REFUSE : NFT_CLOSED_DROP;
	return each_remote(w, mapping_is_pinhole(w->s) ? NFT_SET_CLOSED6 : NFT_SET_CLOSED4,
			   protocol, w->s->external, &e);
}

int nft_mapping_elements(const struct mapping_spec *s, nft_element_visit visit, void *arg)
{
	struct walk w = { s, visit, arg };

	/* What nobody approved leaves no trace, not even a port that is closed to others. */
	if (s->pending)
		return 0;
	return each_protocol(&w, s->enabled ? enabled_elements : closed_elements);
}

/* --- sources --------------------------------------------------------------------------------- */

static void source_key(uint8_t *key, const struct mapping_spec *s, uint8_t protocol, uint16_t port)
{
	struct field_writer w = { key };

	put_addr4(&w, addr_to_v4(&s->internal_client));
	put_proto(&w, protocol);
	put_port(&w, port);
}

int nft_source_elements(const struct mapping_spec *s, uint8_t protocol, nft_element_visit visit,
			void *arg)
{
	uint32_t shift = s->external.first - s->internal.first;
	bool addressed = addr_is_set(&s->external_addr);
	struct nft_element e = { 0 };
	struct field_writer data = { e.data };
	uint32_t last;
	int ret = 0;

	if (!addressed && s->internal.first == s->internal.last) {
		e.set = NFT_SET_SOURCE4;
		source_key(e.key, s, protocol, s->internal.first);
		put_port(&data, s->external.first);
		return visit(arg, &e);
	}
	for (uint32_t first = s->internal.first; ret == 0 && first <= s->internal.last;
	     first = last + 1) {
		last = block_last(first, s->internal.last);
		source_key(e.key, s, protocol, first);
		source_key(e.key_end, s, protocol, last);
		if (addressed) {
			e.set = NFT_SET_SOURCE_ADDRESSED4;
			put_target(e.data, &s->external_addr, first + shift, last + shift);
		} else {
			e.set = NFT_SET_SOURCE_RANGE4;
			data.at = e.data;
			put_port(&data, first + shift);
			put_port(&data, last + shift);
		}
		ret = visit(arg, &e);
	}
	return ret;
}

/* --- the site -------------------------------------------------------------------------------- */

static int link_element(enum nft_set set, const struct site_link *link, nft_element_visit visit,
			void *arg)
{
	struct nft_element e = { .set = set };

	memcpy(e.key, link->name, strnlen(link->name, IF_NAMESIZE - 1));
	return visit(arg, &e);
}

static int link_elements(const struct site *site, nft_element_visit visit, void *arg)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < site->n_links; i++) {
		const struct site_link *link = &site->links[i];

		if (link->role == LINK_UPLINK)
			ret = link_element(NFT_SET_UPLINKS, link, visit, arg);
		if (link->role == LINK_LAN)
			ret = link_element(NFT_SET_LANS, link, visit, arg);
		if (ret == 0 && link->role == LINK_LAN && !site->hairpin)
			ret = link_element(NFT_SET_NO_HAIRPIN, link, visit, arg);
	}
	return ret;
}

/* Which of its addresses an uplink's mapped sources take: its first public one, or, where the
 * public address is not on the machine (a router in front translates 1:1), its first of all. */
static const struct addr *uplink_addr(const struct site *site, const struct site_link *link)
{
	const struct addr *first = NULL;

	for (size_t i = 0; i < site->n_addresses; i++) {
		const struct addr *a = &site->addresses[i].prefix.addr;

		if (site->addresses[i].link != link->index || !addr_is_v4(a))
			continue;
		for (size_t j = 0; j < site->n_external; j++) {
			if (addr_eq(a, &site->external[j]))
				return a;
		}
		if (!first)
			first = a;
	}
	return first;
}

static int uplink_addr_elements(const struct site *site, nft_element_visit visit, void *arg)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < site->n_links; i++) {
		const struct site_link *link = &site->links[i];
		const struct addr *a = link->role == LINK_UPLINK ? uplink_addr(site, link) : NULL;
		struct nft_element e = { .set = NFT_SET_UPLINK_ADDR4 };
		struct field_writer data = { e.data };

		if (!a)
			continue;
		memcpy(e.key, link->name, strnlen(link->name, IF_NAMESIZE - 1));
		put_addr4(&data, addr_to_v4(a));
		ret = visit(arg, &e);
	}
	return ret;
}

static int service_elements(const struct service_port *service, nft_element_visit visit, void *arg)
{
	int ret = 0;

	for (uint8_t p = PROTOCOL_TCP; ret == 0 && p <= PROTOCOL_UDP; p <<= 1) {
		struct nft_element e = { .set = service->lan_only ? NFT_SET_LAN_ONLY
								  : NFT_SET_SERVICES };
		struct field_writer key = { e.key };

		if (!(service->protocols & p))
			continue;
		put_proto(&key, p);
		put_port(&key, service->port);
		ret = visit(arg, &e);
	}
	return ret;
}

int nft_site_elements(const struct site *site, nft_element_visit visit, void *arg)
{
	int ret = link_elements(site, visit, arg);

	if (ret == 0)
		ret = uplink_addr_elements(site, visit, arg);

	for (size_t i = 0; ret == 0 && i < site->n_external; i++) {
		struct nft_element e = { .set = NFT_SET_EXTERNAL4 };
		struct field_writer key = { e.key };

		if (!addr_is_v4(&site->external[i]))
			continue;
		put_addr4(&key, addr_to_v4(&site->external[i]));
		ret = visit(arg, &e);
	}
	for (size_t i = 0; ret == 0 && i < site->n_services; i++)
		ret = service_elements(&site->services[i], visit, arg);
	return ret;
}
