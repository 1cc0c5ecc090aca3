/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two sockets: one listens to the kernel's news, one asks. News only say *that* something may have
 * changed; what is so is always read anew and whole (topology.c says why), once for all the news
 * that wait. Subscribing before the first reading leaves no gap between the two.
 */
#include "plane/uplink.h"

#include "plane/netlink.h"
#include "plane/roles.h"
#include "plane/topology.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NEWS_GROUPS                                                                  \
	(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | \
	 RTMGRP_IPV6_ROUTE)

struct uplink {
	struct netlink news, questions;
	struct uplink_config config; /* our own copy */
	struct topology topology;
	struct site site;
	bool stale; /* the last reading failed */
};

/*
 * The copy of a configuration. Its arrays are ours, though the struct says const.
 */
static void names_free(const char *const *names, size_t n)
{
	for (size_t i = 0; names && i < n; i++)
		free((char *)names[i]);
	free((void *)names);
}

static const char *const *names_copy(const char *const *names, size_t n)
{
	char **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(names[i]);
		if (!copy[i]) {
			names_free((const char *const *)copy, i);
			return NULL;
		}
	}
	return (const char *const *)copy;
}

static void *array_copy(const void *from, size_t n, size_t size)
{
	void *copy = calloc(n + 1, size);

	if (copy && n)
		memcpy(copy, from, n * size);
	return copy;
}

static void config_free(struct uplink_config *c)
{
	names_free(c->uplinks, c->n_uplinks);
	names_free(c->lans, c->n_lans);
	free((void *)c->external);
	free((void *)c->services);
	*c = (struct uplink_config){ 0 };
}

static int config_copy(const struct uplink_config *from, struct uplink_config *ret)
{
	struct uplink_config c = *from;

	c.uplinks = names_copy(from->uplinks, from->n_uplinks);
	c.lans = names_copy(from->lans, from->n_lans);
	c.external = array_copy(from->external, from->n_external, sizeof(*c.external));
	c.services = array_copy(from->services, from->n_services, sizeof(*c.services));
	if (!c.uplinks || !c.lans || !c.external || !c.services) {
		config_free(&c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

/*
 * Readings.
 */

/* Who was an uplink stays known as such while its link lives. */
static void remember(const struct topology *before, struct topology *t)
{
	for (size_t i = 0; i < t->n_links; i++) {
		const struct topology_link *l = topology_link_by_index(before, t->links[i].index);

		t->links[i].was_uplink = l && l->was_uplink;
		t->links[i].led_out = l && l->led_out;
	}
}

static void note_uplinks(struct topology *t, const struct site *s)
{
	for (size_t i = 0; i < s->n_links; i++) {
		struct topology_link *l;

		if (s->links[i].role != LINK_UPLINK || !s->links[i].index)
			continue;
		l = topology_link_by_index(t, s->links[i].index);
		if (l)
			l->was_uplink = l->led_out = true;
	}
	for (size_t i = 0; i < t->n_defaults; i++) {
		struct topology_link *l = topology_link_by_index(t, t->defaults[i].link);

		if (l)
			l->led_out = true;
	}
}

/* Makes u->site what `t` and `config` say: 1 where that is something else than before, 0, or
 * -ENOMEM. */
static int judge(struct uplink *u, struct topology *t, const struct uplink_config *config)
{
	struct site site;
	int r = roles_assign(t, config, &site);

	if (r < 0)
		return r;
	note_uplinks(t, &site);
	r = !site_eq(&site, &u->site);
	site_free(&u->site);
	u->site = site;
	return r;
}

static int read_anew(struct uplink *u)
{
	struct topology t;
	int r = topology_read(&u->questions, &t);

	if (r < 0)
		return r;
	remember(&u->topology, &t);
	r = judge(u, &t, &u->config);
	if (r < 0) {
		topology_free(&t);
		return r;
	}
	topology_free(&u->topology);
	u->topology = t;
	return r;
}

/* A link of the same index may come right behind one that was deleted; it is another one. */
static void forget_deleted(struct uplink *u, const struct nlmsghdr *m)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(m);
	struct topology_link *l;

	if (m->nlmsg_type != RTM_DELLINK || mnl_nlmsg_get_payload_len(m) < sizeof(*head) ||
	    head->ifi_family != AF_UNSPEC)
		return;
	l = topology_link_by_index(&u->topology, head->ifi_index);
	if (l)
		l->was_uplink = l->led_out = false;
}

/* Empties the news socket. 1 where some of it matters (or may: some was lost), 0 where not, or a
 * negative errno. */
static int hear(struct uplink *u)
{
	char buf[NETLINK_BUFFER] __attribute__((aligned(NLMSG_ALIGNTO)));
	int news = 0;

	for (;;) {
		ssize_t got = mnl_socket_recvfrom(u->news.socket, buf, sizeof(buf));
		int len = (int)got;
		const struct nlmsghdr *m = (const struct nlmsghdr *)buf;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return news;
		if (got < 0 && errno != ENOBUFS && errno != ENOSPC)
			return -errno;
		/* Lost (ENOBUFS) or longer than the buffer (ENOSPC, libmnl's word for it). */
		if (got < 0) {
			news = 1;
			continue;
		}
		for (; mnl_nlmsg_ok(m, len); m = mnl_nlmsg_next(m, &len)) {
			forget_deleted(u, m);
			news |= topology_is_news(&u->topology, m);
		}
	}
}

int uplink_attend(struct uplink *u)
{
	int r = hear(u);

	if (r < 0)
		u->stale = true;
	else if (r > 0 || u->stale) {
		r = read_anew(u);
		u->stale = r < 0;
	}
	return r;
}

int uplink_reconfigure(struct uplink *u, const struct uplink_config *config)
{
	struct uplink_config copy;
	int r = roles_check(config, NULL);

	if (r < 0)
		return r;
	r = config_copy(config, &copy);
	if (r < 0)
		return r;
	/* The administrator has thought anew; so do we. */
	for (size_t i = 0; i < u->topology.n_links; i++)
		u->topology.links[i].was_uplink = u->topology.links[i].led_out = false;
	r = judge(u, &u->topology, &copy);
	if (r < 0) {
		config_free(&copy);
		note_uplinks(&u->topology, &u->site);
		return r;
	}
	config_free(&u->config);
	u->config = copy;
	return r;
}

int uplink_open(const struct uplink_config *config, struct uplink **ret, struct fault *f)
{
	struct uplink *u;
	int r = roles_check(config, f);

	if (r < 0)
		return r;
	u = calloc(1, sizeof(*u));
	if (!u)
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	r = config_copy(config, &u->config);
	if (!r)
		r = netlink_open(&u->news, NETLINK_ROUTE, NEWS_GROUPS, SOCK_NONBLOCK);
	if (!r)
		r = netlink_open(&u->questions, NETLINK_ROUTE, 0, 0);
	if (!r)
		r = read_anew(u);
	if (r < 0) {
		uplink_close(u);
		if (r == -ENOMEM)
			return fault_set(f, FAULT_MEMORY, "", "out of memory");
		fault_set(f, FAULT_PLANE, "",
			  "the kernel does not tell links, addresses and routes (rtnetlink): %s",
			  strerror(-r));
		return r;
	}
	*ret = u;
	return 0;
}

void uplink_close(struct uplink *u)
{
	if (!u)
		return;
	netlink_close(&u->news);
	netlink_close(&u->questions);
	config_free(&u->config);
	topology_free(&u->topology);
	site_free(&u->site);
	free(u);
}

int uplink_fd(const struct uplink *u)
{
	return mnl_socket_get_fd(u->news.socket);
}

const struct site *uplink_site(const struct uplink *u)
{
	return &u->site;
}
