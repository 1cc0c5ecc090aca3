/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reading is always whole. Keeping a picture up to date message by message looks cheaper, but the
 * kernel does not tell everything: IPv4 routes that go because their link went down or lost its last
 * address vanish without an RTM_DELROUTE. So news only ring the bell (topology_is_news), and the
 * dumps say what is so. The bell is choosy, because some news come all the time: a routing daemon's
 * routes, the refreshed lifetimes of IPv6 addresses, a wireless link's statistics.
 */
#include "plane/topology.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define READ_TRIES	8
#define ROUTE_DEFAULTS6 1024 /* what the kernel means by an IPv6 route without a metric */
#define LINK_FLAGS	(IFF_UP | IFF_RUNNING | IFF_LOOPBACK)

/* Makes room for one more element in an array of n. */
static int grow(void **array, size_t n, size_t size)
{
	void *more;

	if (n & (n - 1)) /* the capacity is the next power of two */
		return 0;
	more = reallocarray(*array, n ? 2 * n : 1, size);
	if (!more)
		return -ENOMEM;
	*array = more;
	return 0;
}

struct topology_link *topology_link_by_index(const struct topology *t, int index)
{
	for (size_t i = 0; i < t->n_links; i++)
		if (t->links[i].index == index)
			return &t->links[i];
	return NULL;
}

void topology_free(struct topology *t)
{
	free(t->links);
	free(t->addresses);
	free(t->defaults);
	*t = (struct topology){ 0 };
}

/*
 * Messages. Each parser returns true where the message is of its kind and of interest.
 */
static bool parse_link(const struct nlmsghdr *m, struct topology_link *ret)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(m);
	const struct nlattr *attr;
	struct topology_link link = { 0 };

	if (mnl_nlmsg_get_payload_len(m) < sizeof(*head))
		return false;
	/* A bridge reports its ports as links of AF_BRIDGE. */
	if (head->ifi_family != AF_UNSPEC || head->ifi_index <= 0)
		return false;
	link.index = head->ifi_index;
	link.flags = head->ifi_flags & LINK_FLAGS;
	mnl_attr_for_each (attr, m, sizeof(*head)) {
		if (mnl_attr_get_type(attr) != IFLA_IFNAME)
			continue;
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ||
		    mnl_attr_get_payload_len(attr) > sizeof(link.name))
			return false;
		memcpy(link.name, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	}
	if (!link.name[0])
		return false;
	*ret = link;
	return true;
}

/* An address is of interest unless duplicate detection found it on somebody else. */
static bool parse_address(const struct nlmsghdr *m, struct topology_address *ret, bool *ret_usable)
{
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(m);
	const struct nlattr *attr, *local = NULL, *address = NULL;
	uint32_t flags;
	size_t width;

	if (mnl_nlmsg_get_payload_len(m) < sizeof(*head))
		return false;
	if (head->ifa_family != AF_INET && head->ifa_family != AF_INET6)
		return false;
	width = head->ifa_family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	flags = head->ifa_flags;
	mnl_attr_for_each (attr, m, sizeof(*head)) {
		size_t len = mnl_attr_get_payload_len(attr);

		switch (mnl_attr_get_type(attr)) {
		case IFA_LOCAL:
			local = len == width ? attr : NULL;
			break;
		case IFA_ADDRESS:
			address = len == width ? attr : NULL;
			break;
		case IFA_FLAGS:
			flags = len == sizeof(flags) ? mnl_attr_get_u32(attr) : flags;
			break;
		}
	}
	/* On a point-to-point link IFA_ADDRESS is the peer's; where IFA_LOCAL is absent, our own.
	 */
	if (!local)
		local = address;
	if (!local || head->ifa_prefixlen > 8 * width)
		return false;
	*ret = (struct topology_address){
		.prefix = { .addr = addr_from_bytes(head->ifa_family, mnl_attr_get_payload(local)),
			    .length = head->ifa_prefixlen },
		.link = (int)head->ifa_index,
		.scope = head->ifa_scope,
	};
	*ret_usable = !(flags & IFA_F_DADFAILED);
	return true;
}

struct route {
	const struct nlattr *multipath; /* NULL where there is one way */
	uint32_t metric;
	int link; /* 0: unknown */
	int family;
};

static bool parse_default_route(const struct nlmsghdr *m, struct route *ret)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(m);
	const struct nlattr *attr;
	struct route route = { 0 };
	uint32_t table;

	if (mnl_nlmsg_get_payload_len(m) < sizeof(*head))
		return false;
	if (head->rtm_family != AF_INET && head->rtm_family != AF_INET6)
		return false;
	if (head->rtm_dst_len || head->rtm_type != RTN_UNICAST || head->rtm_flags & RTM_F_CLONED)
		return false;
	table = head->rtm_table;
	route.family = head->rtm_family;
	route.metric = head->rtm_family == AF_INET6 ? ROUTE_DEFAULTS6 : 0;
	mnl_attr_for_each (attr, m, sizeof(*head)) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type == RTA_MULTIPATH)
			route.multipath = attr;
		if (mnl_attr_get_payload_len(attr) != sizeof(uint32_t))
			continue;
		if (type == RTA_TABLE)
			table = mnl_attr_get_u32(attr);
		else if (type == RTA_PRIORITY)
			route.metric = mnl_attr_get_u32(attr);
		else if (type == RTA_OIF)
			route.link = (int)mnl_attr_get_u32(attr);
	}
	if (table != RT_TABLE_MAIN)
		return false;
	*ret = route;
	return true;
}

/*
 * The reading.
 */
static int visit_link(void *arg, const struct nlmsghdr *m)
{
	struct topology *t = arg;
	struct topology_link link;
	int r;

	if (m->nlmsg_type != RTM_NEWLINK || !parse_link(m, &link))
		return 0;
	r = grow((void **)&t->links, t->n_links, sizeof(*t->links));
	if (r < 0)
		return r;
	t->links[t->n_links++] = link;
	return 0;
}

static int visit_address(void *arg, const struct nlmsghdr *m)
{
	struct topology *t = arg;
	struct topology_address address;
	bool usable;
	int r;

	if (m->nlmsg_type != RTM_NEWADDR || !parse_address(m, &address, &usable) || !usable)
		return 0;
	r = grow((void **)&t->addresses, t->n_addresses, sizeof(*t->addresses));
	if (r < 0)
		return r;
	t->addresses[t->n_addresses++] = address;
	return 0;
}

static int add_default(struct topology *t, const struct route *route, int link)
{
	int r = grow((void **)&t->defaults, t->n_defaults, sizeof(*t->defaults));

	if (r < 0)
		return r;
	t->defaults[t->n_defaults++] = (struct topology_default){
		.family = route->family,
		.link = link,
		.metric = route->metric,
	};
	return 0;
}

static int add_multipath(struct topology *t, const struct route *route)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(route->multipath);
	size_t left = mnl_attr_get_payload_len(route->multipath);

	while (left >= sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left) {
		size_t step = RTNH_ALIGN(hop->rtnh_len);
		int r = add_default(t, route, hop->rtnh_ifindex);

		if (r < 0)
			return r;
		if (step >= left)
			break;
		left -= step;
		hop = (const struct rtnexthop *)((const char *)hop + step);
	}
	return 0;
}

static int visit_route(void *arg, const struct nlmsghdr *m)
{
	struct topology *t = arg;
	struct route route;

	if (m->nlmsg_type != RTM_NEWROUTE || !parse_default_route(m, &route))
		return 0;
	if (route.multipath)
		return add_multipath(t, &route);
	return route.link ? add_default(t, &route, route.link) : 0;
}

static int dump(struct netlink *nl, uint16_t type, size_t header, int family, netlink_visit visit,
		struct topology *t)
{
	char buf[64] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *head;

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	head = mnl_nlmsg_put_extra_header(request, header);
	head->rtgen_family = (unsigned char)family;
	if (type == RTM_GETLINK)
		mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return netlink_ask(nl, request, visit, t);
}

static int by_index(const void *a, const void *b)
{
	const struct topology_link *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

static int read_once(struct netlink *nl, struct topology *t)
{
	int r = dump(nl, RTM_GETLINK, sizeof(struct ifinfomsg), AF_UNSPEC, visit_link, t);

	if (!r)
		r = dump(nl, RTM_GETADDR, sizeof(struct ifaddrmsg), AF_UNSPEC, visit_address, t);
	if (!r)
		r = dump(nl, RTM_GETROUTE, sizeof(struct rtmsg), AF_INET, visit_route, t);
	if (!r)
		r = dump(nl, RTM_GETROUTE, sizeof(struct rtmsg), AF_INET6, visit_route, t);
	if (!r && t->n_links)
		qsort(t->links, t->n_links, sizeof(*t->links), by_index);
	return r;
}

int topology_read(struct netlink *nl, struct topology *ret)
{
	struct topology t = { 0 };
	int r = -EINTR;

	for (int i = 0; i < READ_TRIES && r == -EINTR; i++) {
		topology_free(&t);
		r = read_once(nl, &t);
	}
	if (r < 0) {
		topology_free(&t);
		return r;
	}
	*ret = t;
	return 0;
}

/*
 * The bell.
 */
static bool link_is_news(const struct topology *t, const struct nlmsghdr *m)
{
	struct topology_link link;
	const struct topology_link *known;

	if (!parse_link(m, &link))
		return false;
	known = topology_link_by_index(t, link.index);
	if (m->nlmsg_type == RTM_DELLINK)
		return known;
	return !known || known->flags != link.flags || strcmp(known->name, link.name) != 0;
}

static bool address_is_news(const struct topology *t, const struct nlmsghdr *m)
{
	struct topology_address a;
	bool usable, known = false;

	if (!parse_address(m, &a, &usable))
		return false;
	for (size_t i = 0; i < t->n_addresses && !known; i++) {
		const struct topology_address *k = &t->addresses[i];

		known = k->link == a.link && k->scope == a.scope &&
			k->prefix.length == a.prefix.length &&
			addr_eq(&k->prefix.addr, &a.prefix.addr);
	}
	if (m->nlmsg_type == RTM_DELADDR)
		return known;
	return known != usable;
}

bool topology_is_news(const struct topology *t, const struct nlmsghdr *message)
{
	struct route route;

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_is_news(t, message);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return address_is_news(t, message);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return parse_default_route(message, &route);
	default:
		return false;
	}
}
