/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gateway itself: what it holds, how it begins and ends, how it heals.
 *
 * It begins as it goes on after a crash: store -> table -> reconcile. There is no other start, so
 * the way back from a kill -9 is walked every day.
 */
#include "core/gateway_internal.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `sign` is 1 for a mapping that came, -1 for one that went. */
static void count_lease(struct gateway *g, const struct mapping *m, int sign)
{
	if (m->spec.expires)
		g->n_leased += (size_t)sign;
	if (m->spec.expires_date)
		g->n_dated += (size_t)sign;
}

int gateway_swap(struct gateway *g, struct mapping *before, struct mapping *after,
		 struct source_moves *moves)
{
	/* The table may hold the last reference to what leaves. */
	if (before)
		count_lease(g, before, -1);
	if (mapping_table_replace(g->table, before, after, moves) < 0) {
		if (before)
			count_lease(g, before, 1);
		return -ENOMEM;
	}
	if (before)
		port_allocator_forget(&g->allocator);
	if (!after)
		return 0;
	count_lease(g, after, 1);
	/* Without memory for the entry, or with a heap mostly of stale ones: build it anew. */
	if (after->spec.expires && (leases_push(&g->leases, after->spec.expires, after->id) < 0 ||
				    g->leases.n > 2 * g->n_leased + 64))
		g->leases_due = true;
	return 0;
}

int gateway_mend(struct gateway *g, struct fault *f)
{
	struct plane *p = g->config.plane;
	struct reconcile_report report = { 0 };
	int ret = p->ops->reconcile(p, g->table, &report, f);

	if (ret < 0) {
		log_error("gateway: %s could not be reconciled: %s", p->ops->name, f->text);
		g->heal_due = true;
		g->retry_at = clock_now() + GATEWAY_RETRY_MS;
		return ret;
	}
	g->heal_due = false;
	if (report.rules || report.added || report.removed) {
		snprintf(g->healed, sizeof(g->healed),
			 "%s: %zu elements were missing, %zu did not belong, %zu were right%s",
			 p->ops->name, report.added, report.removed, report.kept,
			 report.rules ? ", the rules were put back" : "");
		log_notice("gateway: healed %s", g->healed);
	}
	return 0;
}

void gateway_announce_healed(struct gateway *g)
{
	char text[sizeof(g->healed)];

	if (!g->healed[0])
		return;
	memcpy(text, g->healed, sizeof(text));
	g->healed[0] = '\0';
	gateway_announce(g, EVENT_HEALED, NULL, GATEWAY_SELF, text);
}

int gateway_heal(struct gateway *g, struct fault *f)
{
	struct fault ignored = { 0 };
	int ret;

	gateway_rewind(g);
	ret = gateway_mend(g, f ? f : &ignored);
	gateway_replay(g, &g->flying);
	gateway_replay(g, &g->waiting);
	gateway_announce_healed(g);
	return ret;
}

static void describe_site(const struct site *s, char *buf, size_t cap)
{
	char addr[ADDR_TEXT_MAX];
	size_t len = 0;

	if (!s->n_external)
		snprintf(buf, cap, "no external address");
	for (size_t i = 0; i < s->n_external && len < cap; i++)
		len += (size_t)snprintf(buf + len, cap - len, "%s%s",
					i ? ", " : "external address ",
					format_addr(&s->external[i], addr));
}

int gateway_set_site(struct gateway *g, const struct site *site, struct fault *f)
{
	struct plane *p = g->config.plane;
	struct site copy;
	char text[200];
	int ret;

	if (site_copy(site, &copy) < 0)
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	ret = p->ops->set_site(p, &copy, f);
	if (ret < 0) {
		site_free(&copy);
		return ret;
	}
	site_free(&g->site);
	g->site = copy;
	gateway_follow_epoch(g);
	describe_site(&g->site, text, sizeof(text));
	gateway_announce(g, EVENT_SITE, NULL, GATEWAY_SELF, text);
	return 0;
}

/*
 * Opening.
 */
struct loading {
	struct gateway *g;
	bool out_of_memory;
};

/* Owes the store the deletion of a mapping that ended while nobody watched. */
static int owe_deletion(struct gateway *g, struct mapping *m)
{
	char id[MAPPING_ID_TEXT_MAX], external[MAPPING_EXTERNAL_TEXT_MAX];
	struct batch *b = &g->owed;

	if (batch_reserve(b, 1) < 0)
		return -ENOMEM;
	log_notice("gateway: %s, %s, expired while Portwright was not running",
		   format_mapping_id(m->id, id), format_external(&m->spec, external));
	b->steps[b->n_steps++] = (struct change){ .before = mapping_ref(m) };
	b->changes[b->n_changes++] = (struct change){ .before = m };
	return 0;
}

static int load_mapping(struct gateway *g, struct mapping *m)
{
	const struct mapping *other;
	char id[MAPPING_ID_TEXT_MAX], other_id[MAPPING_ID_TEXT_MAX];

	if (m->spec.expires && m->spec.expires <= clock_now())
		return owe_deletion(g, m);
	other = mapping_table_conflict(g->table, &m->spec, m->id);
	if (other) {
		log_error("gateway: %s is left out, for the store gives %s the same external port",
			  format_mapping_id(m->id, id), format_mapping_id(other->id, other_id));
		return 0;
	}
	return gateway_swap(g, NULL, m, NULL);
}

static int take_loaded(void *arg, struct mapping *m)
{
	struct loading *l = arg;
	int ret = load_mapping(l->g, m);

	mapping_unref(m);
	l->out_of_memory = ret < 0;
	return ret;
}

static int load(struct gateway *g, struct fault *f)
{
	struct store *s = g->config.store;
	struct loading l = { .g = g };
	int ret = s->ops->load(s, take_loaded, &l, &g->last_id, f);

	if (l.out_of_memory)
		return fault_set(f, FAULT_MEMORY, "", "out of memory while reading the store");
	return ret;
}

static int come_into_force(struct gateway *g, struct fault *f)
{
	struct plane *p = g->config.plane;
	struct reconcile_report report = { 0 };
	int ret = p->ops->set_site(p, &g->site, f);

	if (ret < 0)
		return ret;
	ret = p->ops->reconcile(p, g->table, &report, f);
	if (ret < 0)
		return ret;
	log_notice("gateway: %zu mappings in force by %s; of its elements %zu were right, %zu were "
		   "added, %zu removed",
		   mapping_table_count(g->table), p->ops->name, report.kept, report.added,
		   report.removed);
	return 0;
}

int gateway_open(const struct gateway_config *config, const struct site *site, struct gateway **ret,
		 struct fault *f)
{
	struct gateway *g = calloc(1, sizeof(*g));
	int error;

	if (!g)
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	g->config = *config;
	g->reserve = malloc(GATEWAY_RESERVE);
	g->dates_checked = clock_now();
	g->retry_at = g->dates_checked;
	if (!g->reserve || site_copy(site, &g->site) < 0 || mapping_table_new(&g->table) < 0) {
		error = fault_set(f, FAULT_MEMORY, "", "out of memory");
		goto fail;
	}
	g->allocator.table = g->table;
	g->allocator.occupancy = config->occupancy;
	error = load(g, f);
	if (error < 0)
		goto fail;
	gateway_load_epoch(g);
	error = come_into_force(g, f);
	if (error < 0)
		goto fail;
	gateway_turn(g);
	*ret = g;
	return 0;

fail:
	gateway_free(g);
	return error;
}

void gateway_free(struct gateway *g)
{
	mapping_table_free(g->table);
	batch_free(&g->owed);
	batch_free(&g->flying);
	batch_free(&g->waiting);
	leases_free(&g->leases);
	site_free(&g->site);
	free(g->reserve);
	free(g);
}

static void dismiss(struct batch *b, const char *text)
{
	struct fault f;
	const struct gateway_result result = { .fault = &f };

	fault_set(&f, FAULT_STORE, "", "%s", text);
	for (size_t i = 0; i < b->n_transactions; i++) {
		struct transaction *t = &b->transactions[i];
		gateway_done done = t->done;

		t->done = NULL;
		if (done)
			done(t->arg, &result);
	}
}

void gateway_close(struct gateway *g)
{
	if (!g)
		return;
	g->busy = true; /* no turn begins any more */
	g->turn_asked = true;
	g->closed = true;
	dismiss(&g->owed, "Portwright ended before the refused change was taken back");
	dismiss(&g->flying, "Portwright ended before the change was known to be durable");
	dismiss(&g->waiting, "Portwright ended; nothing was changed");
	if (!g->writing)
		gateway_free(g);
}

/*
 * Reading.
 */
const struct mapping_table *gateway_table(const struct gateway *g)
{
	return g->table;
}

const struct site *gateway_site(const struct gateway *g)
{
	return &g->site;
}

struct plane *gateway_plane(const struct gateway *g)
{
	return g->config.plane;
}

const char *gateway_trouble(const struct gateway *g)
{
	if (g->heal_due)
		return "what is in force may differ from the mappings: mending failed, see the log";
	if (g->owed.n_changes)
		return "the store keeps changes that were refused: it cannot be written, see the "
		       "log";
	return NULL;
}

static int zero_counters(void *arg, struct mapping *m)
{
	m->counters = (struct mapping_counters){ 0 };
	return 0;
}

static void add_counters(void *arg, struct mapping *m, const struct mapping_counters *more)
{
	m->counters.packets += more->packets;
	m->counters.bytes += more->bytes;
	m->counters.connections += more->connections;
}

int gateway_refresh_counters(struct gateway *g, clock_ms max_age)
{
	struct plane *p = g->config.plane;
	clock_ms now = clock_now();
	int ret;

	if (g->counted && now - g->counted_at < max_age)
		return 0;
	mapping_table_each(g->table, zero_counters, NULL);
	ret = p->ops->counters(p, g->table, add_counters, NULL);
	if (ret < 0)
		return ret;
	g->counted = true;
	g->counted_at = now;
	return 0;
}

int gateway_propose(const struct gateway *g, const struct mapping_spec *s, uint32_t except,
		    struct port_range *ret)
{
	struct port_allocator allocator = {
		.table = g->table,
		.occupancy = g->config.occupancy,
	};

	return port_allocate(&allocator, s, except, NULL, ret);
}
