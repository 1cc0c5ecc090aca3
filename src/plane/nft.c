/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hooks of plane.h over nftables.
 *
 * A batch of changes becomes a batch of elements: for each mapping, what it was made of and is no
 * longer goes, what it is made of now and was not comes. An element common to both, that is every
 * one when only a name changed, is not touched, so its counters and timers go on.
 *
 * The kernel is believed to hold what was last put there. Where a batch shows that it does not
 * (something to delete is missing, something to add is there already), somebody else has been at
 * the table: -ESTALE asks the gateway to reconcile, which makes the batch come true as well.
 */
#include "plane/nft.h"

#include "base/log.h"
#include "plane/conntrack.h"
#include "plane/nft_elements.h"
#include "plane/nft_reconcile.h"
#include "plane/nft_rules.h"
#include "plane/nft_watch.h"
#include "plane/nft_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* uthash would end the process when out of memory; so it leaves hh.tbl NULL instead. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Above this many elements the watch is paused while a batch takes effect. */
#define LARGE_BATCH 2000

struct nft_plane {
	struct plane base;
	struct nft_link link;
	struct nft_watch watch;
	struct conntrack *conntrack;
	struct site site;
	bool rules_due; /* the rules are not, or perhaps not, in force */
	bool in_force;	/* the first reconcile has happened */
};

static struct nft_plane *nft_of(struct plane *p)
{
	return (struct nft_plane *)p;
}

/* --- committing ------------------------------------------------------------------------------ */

static int commit(struct nft_plane *p, struct nft_batch *b, struct fault *f)
{
	bool large = b->elements > LARGE_BATCH;
	int err;

	if (large)
		nft_watch_pause(&p->watch);
	err = nft_batch_commit(b, &p->link);
	if (large)
		nft_watch_resume(&p->watch);
	switch (err) {
	case 0:
		return 0;
	case -ENOENT:
	case -EEXIST:
	case -EBUSY:
	case -ENOTEMPTY:
		p->rules_due = true;
		fault_set(f, FAULT_PLANE, "", "nftables: the table was changed by somebody else");
		return -ESTALE;
	case -EPERM:
		return fault_set(f, FAULT_PLANE, "",
				 "nftables: Operation not permitted; needs "
				 "CAP_NET_ADMIN (run as root)");
	default:
		return fault_set(f, FAULT_PLANE, "", "nftables refused the batch: %s",
				 strerror(-err));
	}
}

/* --- a change becomes elements --------------------------------------------------------------- */

struct element_list {
	struct nft_element *at;
	size_t n, capacity;
};

static int collect(void *arg, const struct nft_element *e)
{
	struct element_list *list = arg;

	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 16;
		struct nft_element *grown = realloc(list->at, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->at = grown;
		list->capacity = capacity;
	}
	list->at[list->n++] = *e;
	return 0;
}

static int add(void *arg, const struct nft_element *e)
{
	struct nft_batch *b = arg;

	nft_batch_add(b, e);
	return b->error;
}

static int delete (void *arg, const struct nft_element *e)
{
	struct nft_batch *b = arg;

	nft_batch_delete(b, e);
	return b->error;
}

/* By set and key first. */
static int compare_elements(const void *left, const void *right)
{
	const struct nft_element *a = left, *b = right;
	int order = a->set - b->set;

	if (order == 0)
		order = memcmp(a->key, b->key, sizeof(a->key));
	if (order == 0)
		order = memcmp(a->key_end, b->key_end, sizeof(a->key_end));
	if (order == 0)
		order = memcmp(a->data, b->data, sizeof(a->data));
	if (order == 0)
		order = (a->limit > b->limit) - (a->limit < b->limit);
	if (order == 0)
		order = (a->expires > b->expires) - (a->expires < b->expires);
	return order;
}

/* Puts into the batch what distinguishes two lists; sorts them. */
static void put_difference(struct nft_batch *b, struct element_list *before,
			   struct element_list *after)
{
	size_t i = 0, j = 0;

	if (before->n)
		qsort(before->at, before->n, sizeof(*before->at), compare_elements);
	if (after->n)
		qsort(after->at, after->n, sizeof(*after->at), compare_elements);
	while (i < before->n || j < after->n) {
		int order = i == before->n  ? 1
			    : j == after->n ? -1
					    : compare_elements(&before->at[i], &after->at[j]);

		/* Sorted by set and key first: the same element with another content or timeout
		 * stands beside its former self. */
		if (i < before->n && j < after->n && order != 0 &&
		    nft_element_same_key(&before->at[i], &after->at[j]))
			nft_batch_replace(b, &before->at[i++], &after->at[j++]);
		else if (order < 0)
			nft_batch_delete(b, &before->at[i++]);
		else if (order > 0)
			nft_batch_add(b, &after->at[j++]);
		else
			i++, j++;
	}
}

static int put_change(struct nft_batch *b, const struct mapping *before,
		      const struct mapping *after)
{
	struct element_list was = { 0 }, is = { 0 };
	int err;

	if (!before)
		return after ? nft_mapping_elements(&after->spec, add, b) : 0;
	if (!after)
		return nft_mapping_elements(&before->spec, delete, b);
	err = nft_mapping_elements(&before->spec, collect, &was);
	if (err == 0)
		err = nft_mapping_elements(&after->spec, collect, &is);
	if (err == 0)
		put_difference(b, &was, &is);
	free(was.at);
	free(is.at);
	return err ? err : b->error;
}

/* --- net changes ----------------------------------------------------------------------------- */

/* One mapping's way through a batch: as it was before all of it, and as it is after. */
struct net_change {
	uint32_t id;
	const struct mapping *before, *after;
	UT_hash_handle hh;
};

static bool only_additions(const struct plane_batch *batch)
{
	for (size_t i = 0; i < batch->n_changes; i++) {
		if (batch->changes[i].before)
			return false;
	}
	return true;
}

/* Deletions come before additions in a batch, so of a mapping that changed twice in one turn only
 * the first `before` and the last `after` may go into it. */
static int put_net_changes(struct nft_batch *b, const struct plane_batch *batch)
{
	struct net_change *pool = calloc(batch->n_changes, sizeof(*pool)), *by_id = NULL, *net;
	int err = pool ? 0 : -ENOMEM;

	for (size_t i = 0; err == 0 && i < batch->n_changes; i++) {
		const struct change *c = &batch->changes[i];
		uint32_t id = c->before ? c->before->id : c->after->id;

		HASH_FIND(hh, by_id, &id, sizeof(id), net);
		if (!net) {
			net = &pool[i];
			net->id = id;
			net->before = c->before;
			HASH_ADD(hh, by_id, id, sizeof(id), net);
			err = net->hh.tbl ? 0 : -ENOMEM;
		}
		net->after = c->after;
	}
	for (net = by_id; err == 0 && net; net = net->hh.next)
		err = put_change(b, net->before, net->after);
	HASH_CLEAR(hh, by_id);
	free(pool);
	return err;
}

static int put_changes(struct nft_batch *b, const struct plane_batch *batch)
{
	int err = 0;

	if (batch->n_changes > 1 && !only_additions(batch))
		return put_net_changes(b, batch);
	for (size_t i = 0; err == 0 && i < batch->n_changes; i++)
		err = put_change(b, batch->changes[i].before, batch->changes[i].after);
	return err;
}

/* What is left of one source's moves to and fro: -1 lost, 0 as before, 1 gained. */
struct net_move {
	struct {
		const struct mapping *mapping;
		uintptr_t protocol;
	} key;
	int balance;
	UT_hash_handle hh;
};

static int put_moves(struct nft_batch *b, const struct plane_batch *batch)
{
	struct net_move *pool = calloc(batch->n_moves ? batch->n_moves : 1, sizeof(*pool));
	struct net_move *by_key = NULL, *net;
	int err = pool ? 0 : -ENOMEM;

	for (size_t i = 0; err == 0 && i < batch->n_moves; i++) {
		const struct source_move *m = &batch->moves[i];

		pool[i].key.mapping = m->mapping;
		pool[i].key.protocol = m->protocol;
		HASH_FIND(hh, by_key, &pool[i].key, sizeof(net->key), net);
		if (!net) {
			net = &pool[i];
			HASH_ADD(hh, by_key, key, sizeof(net->key), net);
			err = net->hh.tbl ? 0 : -ENOMEM;
		}
		net->balance += m->held ? 1 : -1;
	}
	for (net = by_key; err == 0 && net; net = net->hh.next) {
		if (net->balance != 0)
			err = nft_source_elements(&net->key.mapping->spec, net->key.protocol,
						  net->balance > 0 ? add : delete, b);
	}
	HASH_CLEAR(hh, by_key);
	free(pool);
	return err;
}

/* Whatever becomes of live flows, what was asked for is in force. */
static void report_ended(int err, size_t ended)
{
	if (err < 0)
		log_warning("nft: some live flows could not be ended: %s", strerror(-err));
	if (ended)
		log_debug("nft: %zu live flows ended", ended);
}

static void end_changed(struct nft_plane *p, const struct plane_batch *batch)
{
	size_t ended = 0;
	int err = conntrack_end_changed(p->conntrack, &p->site, batch->changes, batch->n_changes,
					&ended);

	report_ended(err, ended);
	err = conntrack_end_stranded(p->conntrack, &p->site, batch->changes, batch->n_changes,
				     &ended);
	report_ended(err, ended);
}

/* `was` is NULL where the ruleset came or changed as a whole. */
static void follow(struct nft_plane *p, const struct site *was, const struct site *is)
{
	size_t ended = 0;
	int err = conntrack_follow(p->conntrack, was, is, &ended);

	report_ended(err, ended);
}

static int nft_apply(struct plane *plane, const struct plane_batch *batch, struct fault *f)
{
	struct nft_plane *p = nft_of(plane);
	struct nft_batch b;
	int err;

	nft_batch_begin(&b, &p->link);
	err = put_changes(&b, batch);
	if (err == 0)
		err = put_moves(&b, batch);
	if (err) {
		nft_batch_free(&b);
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	}
	err = commit(p, &b, f);
	if (err && err != -ESTALE)
		return err;
	end_changed(p, batch);
	return err;
}

/* --- the site -------------------------------------------------------------------------------- */

static int put_site_change(struct nft_batch *b, const struct site *was, const struct site *is)
{
	struct element_list before = { 0 }, after = { 0 };
	int err = nft_site_elements(was, collect, &before);

	if (err == 0)
		err = nft_site_elements(is, collect, &after);
	if (err == 0)
		put_difference(b, &before, &after);
	free(before.at);
	free(after.at);
	return err ? err : b->error;
}

static int nft_set_site(struct plane *plane, const struct site *site, struct fault *f)
{
	struct nft_plane *p = nft_of(plane);
	struct site copy;
	struct nft_batch b;
	int err = site_copy(site, &copy);

	if (err)
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	if (p->in_force) {
		nft_batch_begin(&b, &p->link);
		err = put_site_change(&b, &p->site, &copy);
		if (err) {
			nft_batch_free(&b);
			err = fault_set(f, FAULT_MEMORY, "", "out of memory");
		} else {
			err = commit(p, &b, f);
		}
		if (err == 0 && p->site.firewall != copy.firewall) {
			err = nft_rules_load(&p->link, copy.firewall, f);
			nft_watch_skip(&p->watch);
		}
	}
	if (err && err != -ESTALE) { /* the old one is still what is in force */
		site_free(&copy);
		return err;
	}
	if (p->in_force)
		follow(p, &p->site, &copy);
	site_free(&p->site);
	p->site = copy;
	return err;
}

/* --- reconciling ----------------------------------------------------------------------------- */

static int load_rules(struct nft_plane *p, struct fault *f)
{
	int err = nft_rules_load(&p->link, p->site.firewall, f);

	/* libnftables speaks through a socket of its own, so its notices look like a stranger's.
	 * They are all here by now. */
	nft_watch_skip(&p->watch);
	if (err == 0)
		p->rules_due = false;
	return err;
}

static int reconcile_once(struct nft_plane *p, const struct mapping_table *wanted,
			  struct reconcile_report *ret, struct fault *f)
{
	struct nft_batch b;
	int err;

	if (p->rules_due) {
		err = load_rules(p, f);
		if (err)
			return err;
	}
	nft_batch_begin(&b, &p->link);
	err = nft_reconcile(&p->link, &p->site, wanted, &b, ret);
	if (err == 0)
		return commit(p, &b, f);
	nft_batch_free(&b);
	if (err == -ENOENT) {
		p->rules_due = true;
		return -ESTALE;
	}
	return fault_set(f, FAULT_PLANE, "", "nftables: reading the table: %s", strerror(-err));
}

static int nft_reconcile_plane(struct plane *plane, const struct mapping_table *wanted,
			       struct reconcile_report *ret, struct fault *f)
{
	struct nft_plane *p = nft_of(plane);
	bool rules = p->rules_due;
	int err = -ESTALE;

	/* Somebody may be changing the table at this very moment; he will tire first. */
	for (int tries = 0; err == -ESTALE && tries < 5; tries++)
		err = reconcile_once(p, wanted, ret, f);
	if (err == 0) {
		/* At the start the rules are put in force anew, come what may. */
		if (ret->added || (rules && p->in_force))
			follow(p, NULL, &p->site);
		p->in_force = true;
		ret->rules = rules;
	}
	return err;
}

/* --- counters -------------------------------------------------------------------------------- */

struct tally {
	const struct mapping_table *table;
	void (*visit)(void *arg, struct mapping *m, const struct mapping_counters *more);
	void *arg;
};

static uint16_t port_at(const uint8_t *key)
{
	uint16_t port;

	memcpy(&port, key, sizeof(port));
	return ntohs(port);
}

/* The mapping an element of one of the counting sets belongs to; NULL where none does any more. */
static struct mapping *owner_of(const struct mapping_table *t, const struct nft_element *e)
{
	enum nft_key_form form = nft_set_shapes[e->set].form;
	size_t length = form == NFT_KEY_TUPLE6 ? 16 : form == NFT_KEY_TUPLE4 ? 4 : 0;
	int family = form == NFT_KEY_TUPLE6 ? AF_INET6 : AF_INET;
	struct addr external = { 0 }, remote;
	const uint8_t *at = e->key;
	uint8_t protocol;

	if (length && memcmp(e->key, e->key_end, length) == 0)
		external = addr_from_bytes(family, e->key);
	at += length;
	protocol = at[0] == IPPROTO_TCP ? PROTOCOL_TCP : PROTOCOL_UDP;
	if (length == 0)
		return mapping_table_by_external(t, protocol, &external, port_at(at + 4), NULL);
	remote = addr_from_bytes(family, at + 8);
	return mapping_table_by_external(t, protocol, &external, port_at(at + 4), &remote);
}

static int tally(void *arg, const struct nft_element *e, const struct nft_tallies *tallies)
{
	const struct tally *t = arg;
	struct mapping_counters more = { 0 };
	struct mapping *m;

	if (tallies->packets == 0)
		return 0;
	m = owner_of(t->table, e);
	if (!m)
		return 0;
	if (nft_set_shapes[e->set].tally == NFT_TALLY_CONNECTIONS) {
		more.connections = tallies->packets;
	} else {
		more.packets = tallies->packets;
		more.bytes = tallies->bytes;
	}
	t->visit(t->arg, m, &more);
	return 0;
}

static int nft_counters(struct plane *plane, const struct mapping_table *t,
			void (*visit)(void *arg, struct mapping *m,
				      const struct mapping_counters *more),
			void *arg)
{
	struct tally context = { t, visit, arg };
	int err = 0;

	for (int set = 0; err == 0 && set < NFT_SETS; set++) {
		if (nft_set_shapes[set].tally != NFT_TALLY_NONE)
			err = nft_dump(&nft_of(plane)->link, set, tally, &context);
	}
	return err == -EINTR ? 0 : err; /* a little off, and right the next time */
}

/* --- the rest -------------------------------------------------------------------------------- */

static int nft_flows(struct plane *plane, const struct mapping_table *t, const struct mapping *only,
		     int (*visit)(void *arg, const struct flow *flow), void *arg)
{
	struct nft_plane *p = nft_of(plane);

	return conntrack_flows(p->conntrack, t, &p->site, only, visit, arg);
}

static int nft_flush(struct plane *plane, struct fault *f)
{
	struct nft_plane *p = nft_of(plane);

	p->in_force = false;
	p->rules_due = true;
	return nft_rules_flush(&p->link, f);
}

static int nft_watch_descriptor(struct plane *plane)
{
	return mnl_socket_get_fd(nft_of(plane)->watch.socket);
}

static int nft_attend(struct plane *plane)
{
	struct nft_plane *p = nft_of(plane);
	struct nft_touched touched = nft_watch_read(&p->watch, p->link.port);

	p->rules_due |= touched.rules;
	return touched.rules || touched.elements;
}

static void nft_close(struct plane *plane)
{
	struct nft_plane *p = nft_of(plane);

	conntrack_close(p->conntrack);
	nft_watch_close(&p->watch);
	nft_link_close(&p->link);
	site_free(&p->site);
	free(p);
}

static const struct plane_ops nft_ops = {
	.name = "nft",
	.apply = nft_apply,
	.set_site = nft_set_site,
	.reconcile = nft_reconcile_plane,
	.counters = nft_counters,
	.flows = nft_flows,
	.flush = nft_flush,
	.close = nft_close,
	.watch_fd = nft_watch_descriptor,
	.attend = nft_attend,
};

/* Flows are shown with their bytes only where the kernel counts them; it does not by default. */
static void count_flows(void)
{
	int fd = open("/proc/sys/net/netfilter/nf_conntrack_acct", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		log_debug("nft: live flows will be shown without their bytes: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

int nft_plane_open(struct plane **ret, struct fault *f)
{
	struct nft_plane *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	p->base.ops = &nft_ops;
	p->rules_due = true;
	err = nft_link_open(&p->link);
	if (err == 0)
		err = nft_watch_open(&p->watch);
	if (err) {
		fault_set(f, FAULT_PLANE, "", "nftables: netlink socket: %s", strerror(-err));
		goto fail;
	}
	err = conntrack_open(&p->conntrack, f);
	if (err == -EPERM) /* the first question of all: say what would answer it */
		fault_set(f, FAULT_PLANE, "",
			  "nftables: Operation not permitted; needs CAP_NET_ADMIN (run as root)");
	if (err)
		goto fail;
	count_flows();
	*ret = &p->base;
	return 0;
fail:
	nft_close(&p->base);
	return err;
}
