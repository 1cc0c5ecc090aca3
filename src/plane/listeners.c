/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One snapshot of the kernel's sockets, four short dumps (TCP and UDP, IPv4 and IPv6), taken when
 * somebody first asks and kept until forget(): an import of thousands of mappings asks the kernel
 * once. It is sorted by port, so a question costs a binary search and a look at the few sockets
 * inside the range.
 */
#include "plane/listeners.h"

#include "core/mapping.h"
#include "plane/netlink.h"
#include "plane/socket_owner.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

struct listener {
	struct addr addr; /* meaningless where any */
	uint32_t inode;
	uint32_t link; /* that it is bound to; 0: none */
	uint16_t port;
	uint8_t protocol; /* PROTOCOL_TCP or PROTOCOL_UDP */
	bool any;	  /* bound to the wildcard */
	bool any4, any6;  /* which families that wildcard serves */
};

struct listeners {
	struct occupancy occupancy;
	const struct uplink *where;
	struct netlink nl;
	struct listener *at; /* by port */
	size_t n, capacity;
	bool known; /* the snapshot is there */
};

static struct listeners *listeners_of(struct occupancy *o)
{
	return (struct listeners *)((char *)o - offsetof(struct listeners, occupancy));
}

/*
 * The snapshot.
 */
static bool parse_socket(const struct nlmsghdr *m, struct listener *ret)
{
	const struct inet_diag_msg *d = mnl_nlmsg_get_payload(m);
	const struct nlattr *attr;
	static const struct in6_addr zero;
	bool v6only = false;
	size_t width;

	if (m->nlmsg_type != SOCK_DIAG_BY_FAMILY || mnl_nlmsg_get_payload_len(m) < sizeof(*d))
		return false;
	if (d->idiag_family != AF_INET && d->idiag_family != AF_INET6)
		return false;
	mnl_attr_for_each (attr, m, sizeof(*d))
		if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY &&
		    mnl_attr_get_payload_len(attr) >= 1)
			v6only = mnl_attr_get_u8(attr);
	width = d->idiag_family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	*ret = (struct listener){
		.addr = addr_from_bytes(d->idiag_family, d->id.idiag_src),
		.inode = d->idiag_inode,
		.link = d->id.idiag_if,
		.port = ntohs(d->id.idiag_sport),
		.any = memcmp(d->id.idiag_src, &zero, width) == 0,
		.any4 = d->idiag_family == AF_INET || !v6only,
		.any6 = d->idiag_family == AF_INET6,
	};
	return true;
}

struct reading {
	struct listeners *ls;
	uint8_t protocol;
};

static int visit_socket(void *arg, const struct nlmsghdr *m)
{
	const struct reading *reading = arg;
	struct listeners *ls = reading->ls;
	struct listener l;

	if (!parse_socket(m, &l) || l.port == 0)
		return 0;
	l.protocol = reading->protocol;
	if (ls->n == ls->capacity) {
		size_t capacity = ls->capacity ? 2 * ls->capacity : 32;
		struct listener *more = reallocarray(ls->at, capacity, sizeof(*more));

		if (!more)
			return -ENOMEM;
		ls->at = more;
		ls->capacity = capacity;
	}
	ls->at[ls->n++] = l;
	return 0;
}

static int dump(struct listeners *ls, uint8_t family, const struct reading *reading)
{
	char buf[128] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *head;
	bool tcp = reading->protocol == PROTOCOL_TCP;

	request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	head = mnl_nlmsg_put_extra_header(request, sizeof(*head));
	head->sdiag_family = family;
	head->sdiag_protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	/* A UDP socket that is not connected is "closed" to the kernel. */
	head->idiag_states = 1u << (tcp ? TCP_LISTEN : TCP_CLOSE);
	return netlink_ask(&ls->nl, request, visit_socket, (void *)reading);
}

static int by_port(const void *a, const void *b)
{
	const struct listener *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return x->protocol - y->protocol;
}

static int take_snapshot(struct listeners *ls)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	static const uint8_t protocols[] = { PROTOCOL_TCP, PROTOCOL_UDP };

	ls->n = 0;
	for (size_t p = 0; p < 2; p++) {
		const struct reading reading = { .ls = ls, .protocol = protocols[p] };

		for (size_t i = 0; i < 2; i++) {
			int r = dump(ls, families[i], &reading);

			if (r < 0 && r != -EINTR) /* sockets come and go: as good as any picture */
				return r;
		}
	}
	if (ls->n)
		qsort(ls->at, ls->n, sizeof(*ls->at), by_port);
	ls->known = true;
	return 0;
}

/*
 * Questions.
 */
static bool is_public(const struct site *site, const struct addr *a)
{
	if (!site || site->n_external == 0) {
		enum addr_kind kind = addr_kind(a);

		return kind != ADDR_LOOPBACK && kind != ADDR_LINK_LOCAL && kind != ADDR_MULTICAST;
	}
	for (size_t i = 0; i < site->n_external; i++)
		if (addr_eq(&site->external[i], a))
			return true;
	return false;
}

/* The world does not come in by a LAN. */
static bool is_on_lan(const struct listener *l, const struct site *site)
{
	for (size_t i = 0; l->link && site && i < site->n_links; i++)
		if ((uint32_t)site->links[i].index == l->link)
			return site->links[i].role == LINK_LAN;
	return false;
}

static bool receives(const struct listener *l, const struct site *site, const struct addr *external)
{
	bool asked_for_all = !external || !addr_is_set(external);

	if (is_on_lan(l, site))
		return false;
	if (l->any)
		return asked_for_all || addr_is_v4(external) ? l->any4 : l->any6;
	return asked_for_all ? is_public(site, &l->addr) : addr_eq(&l->addr, external);
}

static const struct listener *lower_bound(const struct listeners *ls, uint16_t port)
{
	size_t low = 0, high = ls->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ls->at[middle].port < port)
			low = middle + 1;
		else
			high = middle;
	}
	return ls->at + low;
}

static int find(struct occupancy *o, uint8_t protocols, const struct addr *external, uint16_t first,
		uint16_t last, struct occupant *ret)
{
	struct listeners *ls = listeners_of(o);
	const struct site *site = ls->where ? uplink_site(ls->where) : NULL;
	struct occupant found = { 0 };

	/* A pinhole's external address is the device's own: the gateway only passes on. */
	if (site && external && addr_is_set(external) && !addr_is_v4(external) &&
	    !site_is_own(site, external))
		return 0;
	if (!ls->known) {
		int r = take_snapshot(ls);

		if (r < 0)
			return r;
	}
	for (const struct listener *l = lower_bound(ls, first);
	     l < ls->at + ls->n && l->port <= last; l++) {
		if (!(l->protocol & protocols) || !receives(l, site, external))
			continue;
		found.protocol = l->protocol;
		found.port = l->port;
		socket_owner(l->inode, found.name, sizeof(found.name));
		*ret = found;
		return 1;
	}
	return 0;
}

static void forget(struct occupancy *o)
{
	listeners_of(o)->known = false;
}

static void close_listeners(struct occupancy *o)
{
	struct listeners *ls;

	if (!o)
		return;
	ls = listeners_of(o);
	netlink_close(&ls->nl);
	free(ls->at);
	free(ls);
}

int listeners_open(const struct uplink *where, struct occupancy **ret)
{
	struct listeners *ls = calloc(1, sizeof(*ls));
	int r;

	if (!ls)
		return -ENOMEM;
	ls->where = where;
	ls->occupancy =
		(struct occupancy){ .find = find, .forget = forget, .close = close_listeners };
	r = netlink_open(&ls->nl, NETLINK_SOCK_DIAG, 0, 0);
	if (!r)
		r = take_snapshot(ls); /* a kernel without sock_diag is found out now */
	if (r < 0) {
		close_listeners(&ls->occupancy);
		return r;
	}
	*ret = &ls->occupancy;
	return 0;
}
