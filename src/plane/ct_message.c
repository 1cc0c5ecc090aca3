/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plane/ct_message.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

/* Of CTA_FILTER_ORIG_FLAGS and CTA_FILTER_REPLY_FLAGS; the kernel keeps their names in
 * nf_internals.h, but they are what user space sends. */
#define FILTER_BY_SOURCE   (1u << 0)
#define FILTER_BY_PROTOCOL (1u << 3)

/* The longest tuple the kernel makes: IPv6, ports and a zone, all nested and padded. */
#define TUPLE_MAX 128

/* tcpmux: no service of today listens there. */
#define CLOSED_PORT 1

static struct nlmsghdr *put_header(void *buf, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *head;

	m->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | type;
	m->nlmsg_flags = NLM_F_REQUEST | flags;
	head = mnl_nlmsg_put_extra_header(m, sizeof(*head));
	head->nfgen_family = family;
	head->version = NFNETLINK_V0;
	return m;
}

struct nlmsghdr *ct_put_probe(void *buf)
{
	return put_header(buf, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, AF_UNSPEC);
}

/* What entries have to have in common: a tuple with some of its fields, and which fields these are.
 */
static void put_filter(struct nlmsghdr *m, const struct ct_filter *filter)
{
	struct nlattr *outer, *inner;

	if (filter->client) { /* it is who the replies come from */
		outer = mnl_attr_nest_start(m, CTA_TUPLE_REPLY);
		inner = mnl_attr_nest_start(m, CTA_TUPLE_IP);
		mnl_attr_put_u32(m, CTA_IP_V4_SRC, addr_to_v4(filter->client).s_addr);
		mnl_attr_nest_end(m, inner);
		mnl_attr_nest_end(m, outer);
	}
	if (filter->protocol) {
		outer = mnl_attr_nest_start(m, CTA_TUPLE_ORIG);
		inner = mnl_attr_nest_start(m, CTA_TUPLE_PROTO);
		mnl_attr_put_u8(m, CTA_PROTO_NUM, filter->protocol);
		mnl_attr_nest_end(m, inner);
		mnl_attr_nest_end(m, outer);
	}
	outer = mnl_attr_nest_start(m, CTA_FILTER); /* flags in host order */
	if (filter->client)
		mnl_attr_put_u32(m, CTA_FILTER_REPLY_FLAGS, FILTER_BY_SOURCE);
	if (filter->protocol)
		mnl_attr_put_u32(m, CTA_FILTER_ORIG_FLAGS, FILTER_BY_PROTOCOL);
	mnl_attr_nest_end(m, outer);
}

struct nlmsghdr *ct_put_dump(void *buf, const struct ct_filter *filter)
{
	struct nlmsghdr *m = put_header(buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP,
					(uint8_t)filter->family);

	if (filter->translated) {
		mnl_attr_put_u32(m, CTA_STATUS, htonl(IPS_DST_NAT));
		mnl_attr_put_u32(m, CTA_STATUS_MASK, htonl(IPS_DST_NAT));
	}
	/* Kernels (6.18 still) compare IPv6 addresses the wrong way round here, and leave out the
	 * very entries that were asked for. */
	if (filter->family == AF_INET && (filter->client || filter->protocol))
		put_filter(m, filter);
	return m;
}

static struct nlmsghdr *put_delete(void *buf, const struct nlmsghdr *of, bool by_id)
{
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(of);
	struct nlmsghdr *m = put_header(buf, IPCTNL_MSG_CT_DELETE, 0, head->nfgen_family);
	const struct nlattr *attr;

	mnl_attr_for_each (attr, of, sizeof(*head)) {
		uint16_t type = mnl_attr_get_type(attr);

		/* As it came, with the flags of its type. */
		if (type == CTA_TUPLE_ORIG || type == CTA_ZONE || (type == CTA_ID && by_id))
			mnl_attr_put(m, attr->nla_type, mnl_attr_get_payload_len(attr),
				     mnl_attr_get_payload(attr));
	}
	return m;
}

struct nlmsghdr *ct_put_delete(void *buf, const struct nlmsghdr *entry)
{
	return put_delete(buf, entry, true);
}

struct nlmsghdr *ct_put_delete_rival(void *buf, const struct nlmsghdr *request)
{
	return put_delete(buf, request, false);
}

static void put_address(struct nlmsghdr *m, uint16_t type4, uint16_t type6, const struct addr *a)
{
	if (addr_is_v4(a))
		mnl_attr_put_u32(m, type4, addr_to_v4(a).s_addr);
	else
		mnl_attr_put(m, type6, sizeof(a->in6), &a->in6);
}

struct end {
	const struct addr *addr;
	uint16_t port;
};

static void put_tuple(struct nlmsghdr *m, uint16_t type, uint8_t protocol, struct end from,
		      struct end to)
{
	struct nlattr *tuple = mnl_attr_nest_start(m, type), *nest;

	nest = mnl_attr_nest_start(m, CTA_TUPLE_IP);
	put_address(m, CTA_IP_V4_SRC, CTA_IP_V6_SRC, from.addr);
	put_address(m, CTA_IP_V4_DST, CTA_IP_V6_DST, to.addr);
	mnl_attr_nest_end(m, nest);
	nest = mnl_attr_nest_start(m, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(m, CTA_PROTO_NUM, protocol);
	mnl_attr_put_u16(m, CTA_PROTO_SRC_PORT, htons(from.port));
	mnl_attr_put_u16(m, CTA_PROTO_DST_PORT, htons(to.port));
	mnl_attr_nest_end(m, nest);
	mnl_attr_nest_end(m, tuple);
}

/* A connection in full swing whose sequence numbers nobody knows: liberal ones are not checked. */
static void put_tcp_state(struct nlmsghdr *m)
{
	static const struct nf_ct_tcp_flags liberal = {
		.flags = IP_CT_TCP_FLAG_BE_LIBERAL,
		.mask = IP_CT_TCP_FLAG_BE_LIBERAL,
	};
	struct nlattr *outer = mnl_attr_nest_start(m, CTA_PROTOINFO);
	struct nlattr *inner = mnl_attr_nest_start(m, CTA_PROTOINFO_TCP);

	mnl_attr_put_u8(m, CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	mnl_attr_put(m, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, sizeof(liberal), &liberal);
	mnl_attr_put(m, CTA_PROTOINFO_TCP_FLAGS_REPLY, sizeof(liberal), &liberal);
	mnl_attr_nest_end(m, inner);
	mnl_attr_nest_end(m, outer);
}

struct nlmsghdr *ct_put_bar(void *buf, const struct ct_entry *entry, const struct addr *own)
{
	const struct flow_tuple *t = &entry->tuple;
	bool tcp = t->protocol == PROTOCOL_TCP;
	struct nlmsghdr *m = put_header(buf, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL,
					addr_is_v4(&t->client) ? AF_INET : AF_INET6);
	struct end client = { &t->client, t->client_port };
	struct end peer = { &entry->peer, entry->peer_port };
	struct nlattr *nat, *ports;

	put_tuple(m, CTA_TUPLE_ORIG, tcp ? IPPROTO_TCP : IPPROTO_UDP, client, peer);
	put_tuple(m, CTA_TUPLE_REPLY, tcp ? IPPROTO_TCP : IPPROTO_UDP, peer, client);
	mnl_attr_put_u32(m, CTA_TIMEOUT, htonl(entry->timeout));
	/* As if it had always been there: other firewalls let it through to be answered, and the
	 * answer does not end it before the last packet of a burst has come. */
	mnl_attr_put_u32(m, CTA_STATUS, htonl(IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED));
	if (tcp)
		put_tcp_state(m);
	nat = mnl_attr_nest_start(m, CTA_NAT_DST);
	put_address(m, CTA_NAT_V4_MINIP, CTA_NAT_V6_MINIP, own);
	ports = mnl_attr_nest_start(m, CTA_NAT_PROTO);
	mnl_attr_put_u16(m, CTA_PROTONAT_PORT_MIN, htons(CLOSED_PORT));
	mnl_attr_put_u16(m, CTA_PROTONAT_PORT_MAX, htons(CLOSED_PORT));
	mnl_attr_nest_end(m, ports);
	mnl_attr_nest_end(m, nat);
	return m;
}

/*
 * Reading an entry.
 */
struct half {
	struct addr source, destination;
	uint16_t source_port, destination_port;
	uint8_t protocol; /* IPPROTO_* */
};

static bool parse_ip(const struct nlattr *nest, struct half *h)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, nest) {
		const void *bytes = mnl_attr_get_payload(attr);
		size_t len = mnl_attr_get_payload_len(attr);
		uint16_t type = mnl_attr_get_type(attr);

		if ((type == CTA_IP_V4_SRC || type == CTA_IP_V4_DST) && len == 4)
			*(type == CTA_IP_V4_SRC ? &h->source : &h->destination) =
				addr_from_bytes(AF_INET, bytes);
		else if ((type == CTA_IP_V6_SRC || type == CTA_IP_V6_DST) && len == 16)
			*(type == CTA_IP_V6_SRC ? &h->source : &h->destination) =
				addr_from_bytes(AF_INET6, bytes);
	}
	return addr_is_set(&h->source) && addr_is_set(&h->destination);
}

static bool parse_ports(const struct nlattr *nest, struct half *h)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, nest) {
		size_t len = mnl_attr_get_payload_len(attr);

		switch (mnl_attr_get_type(attr)) {
		case CTA_PROTO_NUM:
			if (len == 1)
				h->protocol = mnl_attr_get_u8(attr);
			break;
		case CTA_PROTO_SRC_PORT:
			if (len == 2)
				h->source_port = ntohs(mnl_attr_get_u16(attr));
			break;
		case CTA_PROTO_DST_PORT:
			if (len == 2)
				h->destination_port = ntohs(mnl_attr_get_u16(attr));
			break;
		}
	}
	return h->protocol == IPPROTO_TCP || h->protocol == IPPROTO_UDP;
}

static bool parse_half(const struct nlattr *tuple, struct half *ret)
{
	const struct nlattr *attr;
	bool ip = false, ports = false;

	*ret = (struct half){ 0 };
	if (!tuple)
		return false;
	mnl_attr_for_each_nested (attr, tuple) {
		if (mnl_attr_get_type(attr) == CTA_TUPLE_IP)
			ip = parse_ip(attr, ret);
		else if (mnl_attr_get_type(attr) == CTA_TUPLE_PROTO)
			ports = parse_ports(attr, ret);
	}
	return ip && ports;
}

static void parse_counters(const struct nlattr *nest, uint64_t *packets, uint64_t *bytes)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, nest) {
		if (mnl_attr_get_payload_len(attr) != sizeof(uint64_t))
			continue;
		if (mnl_attr_get_type(attr) == CTA_COUNTERS_PACKETS)
			*packets = be64toh(mnl_attr_get_u64(attr));
		else if (mnl_attr_get_type(attr) == CTA_COUNTERS_BYTES)
			*bytes = be64toh(mnl_attr_get_u64(attr));
	}
}

static uint8_t parse_tcp_state(const struct nlattr *protoinfo)
{
	const struct nlattr *outer, *attr;

	mnl_attr_for_each_nested (outer, protoinfo) {
		if (mnl_attr_get_type(outer) != CTA_PROTOINFO_TCP)
			continue;
		mnl_attr_for_each_nested (attr, outer)
			if (mnl_attr_get_type(attr) == CTA_PROTOINFO_TCP_STATE &&
			    mnl_attr_get_payload_len(attr) == 1)
				return mnl_attr_get_u8(attr);
	}
	return TCP_CONNTRACK_NONE;
}

static uint32_t read_be32(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == 4 ? ntohl(mnl_attr_get_u32(attr)) : 0;
}

bool parse_ct_entry(const struct nlmsghdr *m, struct ct_entry *ret)
{
	const struct nlattr *attr, *there = NULL, *back = NULL;
	struct ct_entry e = { 0 };
	struct half orig, reply;
	uint32_t status = 0;

	if (m->nlmsg_type != ((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW) ||
	    mnl_nlmsg_get_payload_len(m) < sizeof(struct nfgenmsg))
		return false;
	mnl_attr_for_each (attr, m, sizeof(struct nfgenmsg)) {
		switch (mnl_attr_get_type(attr)) {
		case CTA_TUPLE_ORIG:
			there = attr;
			break;
		case CTA_TUPLE_REPLY:
			back = attr;
			break;
		case CTA_STATUS:
			status = read_be32(attr);
			break;
		case CTA_TIMEOUT:
			e.timeout = read_be32(attr);
			break;
		case CTA_PROTOINFO:
			e.tcp_state = parse_tcp_state(attr);
			break;
		case CTA_COUNTERS_ORIG:
			parse_counters(attr, &e.packets_in, &e.bytes_in);
			break;
		case CTA_COUNTERS_REPLY:
			parse_counters(attr, &e.packets_out, &e.bytes_out);
			break;
		}
	}
	if (!parse_half(there, &orig) || !parse_half(back, &reply) ||
	    mnl_attr_get_payload_len(there) > TUPLE_MAX)
		return false;
	e.tuple = (struct flow_tuple){
		.remote = orig.source,
		.external = orig.destination,
		.client = reply.source,
		.remote_port = orig.source_port,
		.external_port = orig.destination_port,
		.client_port = reply.source_port,
		.protocol = orig.protocol == IPPROTO_TCP ? PROTOCOL_TCP : PROTOCOL_UDP,
		.translated = status & IPS_DST_NAT,
	};
	e.peer = reply.destination;
	e.peer_port = reply.destination_port;
	*ret = e;
	return true;
}

const char *tcp_state_name(uint8_t state)
{
	static const char *const names[] = {
		[TCP_CONNTRACK_SYN_SENT] = "syn-sent",	     [TCP_CONNTRACK_SYN_RECV] = "syn-recv",
		[TCP_CONNTRACK_ESTABLISHED] = "established", [TCP_CONNTRACK_FIN_WAIT] = "fin-wait",
		[TCP_CONNTRACK_CLOSE_WAIT] = "close-wait",   [TCP_CONNTRACK_LAST_ACK] = "last-ack",
		[TCP_CONNTRACK_TIME_WAIT] = "time-wait",     [TCP_CONNTRACK_CLOSE] = "close",
		[TCP_CONNTRACK_SYN_SENT2] = "syn-sent2",
	};

	if (state >= sizeof(names) / sizeof(names[0]) || !names[state])
		return "";
	return names[state];
}
