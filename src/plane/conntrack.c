/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel has no index of flows by mapping, so ending some means walking its table. It is walked
 * once for a batch, and the kernel is told to leave out what cannot matter: entries that were not
 * translated (all that the LAN browses) and, where the changes are of one client, entries of
 * others. That only saves work: each entry is judged here again.
 *
 * Entries are deleted while the dump goes on, over a socket of their own (ct_commands), some dozens
 * at a time: so memory stays small however many there are. A deletion can make the dump show a
 * neighbour twice, never leave one out; deleting what is gone is no error.
 */
#include "plane/conntrack.h"

#include "plane/ct_commands.h"
#include "plane/ct_message.h"
#include "plane/ending.h"
#include "plane/netlink.h"
#include "plane/stranded.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conntrack {
	struct netlink dumps;
	struct netlink commands;
};

int conntrack_open(struct conntrack **ret, struct fault *f)
{
	char buf[CT_REQUEST_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct conntrack *ct = calloc(1, sizeof(*ct));
	int r;

	if (!ct)
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	r = netlink_open(&ct->dumps, NETLINK_NETFILTER, 0, 0);
	if (!r)
		r = netlink_open(&ct->commands, NETLINK_NETFILTER, 0, 0);
	if (!r)
		r = netlink_ask(&ct->dumps, ct_put_probe(buf), NULL, NULL);
	if (r < 0) {
		conntrack_close(ct);
		fault_set(f, FAULT_PLANE, "", "the kernel's connection tracking (ctnetlink): %s",
			  strerror(-r));
		return r;
	}
	*ret = ct;
	return 0;
}

void conntrack_close(struct conntrack *ct)
{
	if (!ct)
		return;
	netlink_close(&ct->dumps);
	netlink_close(&ct->commands);
	free(ct);
}

/*
 * Ending flows.
 */
struct ending_walk {
	const struct ending *ending;
	struct ct_commands commands;
};

static int visit_for_ending(void *arg, const struct nlmsghdr *m)
{
	struct ending_walk *w = arg;
	struct ct_entry e;

	if (parse_ct_entry(m, &e) && ending_concerns(w->ending, &e.tuple))
		ct_commands_end(&w->commands, m, &e);
	return 0;
}

static int walk(struct conntrack *ct, const struct ct_filter *filter, netlink_visit visit,
		void *arg)
{
	char buf[CT_REQUEST_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));

	return netlink_ask(&ct->dumps, ct_put_dump(buf, filter), visit, arg);
}

/* An address of the gateway's own that a device can be answered from; on a LAN, if there is one. */
static struct addr own_address(const struct site *site, bool v4)
{
	struct addr any = { 0 };

	for (size_t i = 0; i < site->n_addresses; i++) {
		const struct addr *a = &site->addresses[i].prefix.addr;
		enum addr_kind kind = addr_kind(a);

		if (addr_is_v4(a) != v4 || kind == ADDR_LOOPBACK || kind == ADDR_LINK_LOCAL)
			continue;
		for (size_t k = 0; k < site->n_links; k++)
			if (site->links[k].role == LINK_LAN &&
			    site->links[k].index == site->addresses[i].link)
				return *a;
		any = *a;
	}
	return any;
}

int conntrack_end_changed(struct conntrack *ct, const struct site *site,
			  const struct change *changes, size_t n, size_t *ret_ended)
{
	struct ending_walk w = { .commands.nl = &ct->commands };
	struct ct_filter filter = { 0 };
	struct ending *ending;
	int r, r6 = 0;

	r = ending_new(changes, n, &ending);
	if (ret_ended)
		*ret_ended = 0;
	if (r < 0 || !ending)
		return r;
	w.ending = ending;
	w.commands.answer_from4 = own_address(site, true);
	w.commands.answer_from6 = own_address(site, false);
	filter.client = ending_client(ending);
	if (ending_has_mappings(ending)) {
		filter.family = AF_INET;
		filter.translated = true;
		r = walk(ct, &filter, visit_for_ending, &w);
	}
	if (ending_has_pinholes(ending)) {
		filter.family = AF_INET6;
		filter.translated = false;
		r6 = walk(ct, &filter, visit_for_ending, &w);
	}
	ct_commands_flush(&w.commands);
	ending_free(ending);
	if (ret_ended)
		*ret_ended = w.commands.ended;
	if (r < 0)
		return r;
	return r6 < 0 ? r6 : w.commands.error;
}

/*
 * Ending flows that were judged too early.
 */
struct stranded_walk {
	struct stranded stranded;
	struct ct_commands commands;
};

static int visit_for_stranded(void *arg, const struct nlmsghdr *m)
{
	struct stranded_walk *w = arg;
	struct ct_entry e;

	if (parse_ct_entry(m, &e) && stranded_concerns(&w->stranded, &e))
		ct_commands_end(&w->commands, m, &e);
	return 0;
}

/* No address to answer from: the way back is not barred, for these flows are to go on. */
static int end_stranded(struct conntrack *ct, const struct stranded *stranded, size_t *ret_ended)
{
	const struct ct_filter filter = { .family = AF_INET, .protocol = IPPROTO_UDP };
	struct stranded_walk w = { .stranded = *stranded, .commands.nl = &ct->commands };
	int r = walk(ct, &filter, visit_for_stranded, &w);

	ct_commands_flush(&w.commands);
	*ret_ended = w.commands.ended;
	return r < 0 ? r : w.commands.error;
}

int conntrack_end_stranded(struct conntrack *ct, const struct site *site,
			   const struct change *changes, size_t n, size_t *ret_ended)
{
	uint64_t ports[STRANDED_WORDS];

	*ret_ended = 0;
	if (!stranded_ports(changes, n, ports))
		return 0;
	return end_stranded(ct, &(struct stranded){ .site = site, .ports = ports }, ret_ended);
}

int conntrack_follow(struct conntrack *ct, const struct site *was, const struct site *is,
		     size_t *ret_ended)
{
	*ret_ended = 0;
	if (was && !stranded_by_move(was, is))
		return 0;
	return end_stranded(ct, &(struct stranded){ .site = is, .was = was }, ret_ended);
}

/*
 * Listing flows.
 */
struct flows_walk {
	const struct mapping_table *table;
	const struct mapping *only;
	struct prefix *lans;
	size_t n_lans;
	int (*visit)(void *arg, const struct flow *flow);
	void *arg;
};

static const struct mapping *mapping_of(const struct flows_walk *w, const struct flow_tuple *t)
{
	const struct mapping *m = w->only;

	if (!m)
		m = mapping_table_by_external(w->table, t->protocol, &t->external, t->external_port,
					      &t->remote);
	return m && mapping_carries(&m->spec, t) ? m : NULL;
}

static bool is_from_lan(const struct flows_walk *w, const struct addr *remote)
{
	for (size_t i = 0; i < w->n_lans; i++)
		if (prefix_contains(&w->lans[i], remote))
			return true;
	return false;
}

static int visit_flow(void *arg, const struct nlmsghdr *m)
{
	const struct flows_walk *w = arg;
	const struct mapping *mapping;
	struct ct_entry e;
	struct flow flow;

	if (!parse_ct_entry(m, &e))
		return 0;
	mapping = mapping_of(w, &e.tuple);
	if (!mapping)
		return 0;
	flow = (struct flow){
		.mapping = mapping,
		.protocol = e.tuple.protocol,
		.remote = e.tuple.remote,
		.external = e.tuple.external,
		.client = e.tuple.client,
		.remote_port = e.tuple.remote_port,
		.external_port = e.tuple.external_port,
		.client_port = e.tuple.client_port,
		.from_lan = is_from_lan(w, &e.tuple.remote),
		.packets_in = e.packets_in,
		.bytes_in = e.bytes_in,
		.packets_out = e.packets_out,
		.bytes_out = e.bytes_out,
		.expires = e.timeout,
		.state = e.tuple.protocol == PROTOCOL_TCP ? tcp_state_name(e.tcp_state) : "",
	};
	return w->visit(w->arg, &flow);
}

static int collect_lans(const struct site *site, struct flows_walk *w)
{
	w->lans = calloc(site->n_addresses + 1, sizeof(*w->lans));
	if (!w->lans)
		return -ENOMEM;
	for (size_t i = 0; i < site->n_addresses; i++)
		for (size_t k = 0; k < site->n_links; k++)
			if (site->links[k].role == LINK_LAN &&
			    site->links[k].index == site->addresses[i].link)
				w->lans[w->n_lans++] = site->addresses[i].prefix;
	return 0;
}

int conntrack_flows(struct conntrack *ct, const struct mapping_table *t, const struct site *site,
		    const struct mapping *only, int (*visit)(void *arg, const struct flow *flow),
		    void *arg)
{
	struct flows_walk w = { .table = t, .only = only, .visit = visit, .arg = arg };
	struct ct_filter filter = { .client = only ? &only->spec.internal_client : NULL };
	bool pinhole = only && mapping_is_pinhole(&only->spec);
	int r = collect_lans(site, &w);

	if (!r && !pinhole) {
		filter.family = AF_INET;
		filter.translated = true;
		r = walk(ct, &filter, visit_flow, &w);
	}
	if (!r && (pinhole || !only)) {
		filter.family = AF_INET6;
		filter.translated = false;
		r = walk(ct, &filter, visit_flow, &w);
	}
	free(w.lans);
	return r;
}

/* One number in a file of /proc. */
static int read_count(const char *path, uint32_t *ret)
{
	FILE *file = fopen(path, "re");
	char text[16];
	struct slice s;
	int r;

	if (!file)
		return -errno;
	if (fgets(text, sizeof(text), file)) {
		s = slice_trim(slice_of(text));
		r = read_number(&s, UINT32_MAX, ret) && !s.len ? 0 : -EBADMSG;
	} else {
		r = -EIO;
	}
	fclose(file);
	return r;
}

int conntrack_count(uint32_t *ret_count, uint32_t *ret_max)
{
	uint32_t count;
	int r = read_count("/proc/sys/net/netfilter/nf_conntrack_count", &count);

	if (!r)
		r = read_count("/proc/sys/net/netfilter/nf_conntrack_max", ret_max);
	if (!r)
		*ret_count = count;
	return r;
}
