/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory: one entry for each programmed mapping, by id.
 *
 * A batch is carried out change by change. Where one is refused those before it are turned round,
 * and moves likewise, so a batch is in force as a whole or not at all. All entries a batch may need
 * are made before its first change; those left empty afterwards are pruned. (A mapping may come and
 * go within one batch, and its source with it, so an entry may be empty in between.)
 */
#include "plane/memory.h"

#include <errno.h>
#include <stdlib.h>

/* uthash would end the process when out of memory; so it leaves hh.tbl NULL instead. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct programmed {
	UT_hash_handle hh;
	uint32_t id;
	struct mapping *mapping; /* a reference; NULL while empty */
	uint8_t sources;	 /* protocols whose source it holds */
	struct mapping_counters counters;
};

struct memory_plane {
	struct plane base;
	struct programmed *by_id;
	struct memory_plane_tricks tricks;
};

static struct memory_plane *memory_plane(const struct plane *p)
{
	return (struct memory_plane *)p;
}

static struct programmed *find(const struct memory_plane *p, uint32_t id)
{
	struct programmed *e;

	HASH_FIND(hh, p->by_id, &id, sizeof(id), e);
	return e;
}

static struct programmed *find_or_make(struct memory_plane *p, uint32_t id)
{
	struct programmed *e = find(p, id);

	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->id = id;
	HASH_ADD(hh, p->by_id, id, sizeof(e->id), e);
	if (!e->hh.tbl) {
		free(e);
		return NULL;
	}
	return e;
}

static void drop(struct memory_plane *p, struct programmed *e)
{
	HASH_DELETE(hh, p->by_id, e);
	mapping_unref(e->mapping);
	free(e);
}

static void drop_if_empty(struct memory_plane *p, uint32_t id)
{
	struct programmed *e = find(p, id);

	if (e && !e->mapping && !e->sources)
		drop(p, e);
}

static bool comes_now(unsigned *countdown)
{
	return *countdown && --*countdown == 0;
}

/*
 * Applying.
 */
static uint32_t change_id(const struct change *c)
{
	return (c->after ? c->after : c->before)->id;
}

static int refuse(const struct change *c, const char *why, struct fault *f)
{
	char id[MAPPING_ID_TEXT_MAX];

	return fault_set(f, FAULT_PLANE, "", "memory: %s: %s", format_mapping_id(change_id(c), id),
			 why);
}

static void swap(struct programmed *e, struct mapping *after)
{
	struct mapping *before = e->mapping;

	e->mapping = after ? mapping_ref(after) : NULL;
	mapping_unref(before);
	if (!after)
		e->counters = (struct mapping_counters){ 0 };
}

static int apply_change(struct memory_plane *p, const struct change *c, struct fault *f)
{
	struct programmed *e = find(p, change_id(c));

	if (p->tricks.fail_mapping && p->tricks.fail_mapping == e->id)
		return refuse(c, "refused for a test", f);
	if (e->mapping != c->before)
		return refuse(c, "it is not programmed as the change expects", f);
	swap(e, c->after);
	return 0;
}

static int apply_move(struct memory_plane *p, const struct source_move *m, struct fault *f)
{
	const struct change about = { .before = (struct mapping *)m->mapping };
	struct programmed *e = find(p, m->mapping->id);
	bool held = e->sources & m->protocol;

	if (held == m->held)
		return refuse(
			&about,
			held ? "it holds this source already" : "it does not hold this source", f);
	e->sources ^= m->protocol;
	return 0;
}

static int make_entries(struct memory_plane *p, const struct plane_batch *b)
{
	for (size_t i = 0; i < b->n_changes; i++)
		if (!find_or_make(p, change_id(&b->changes[i])))
			return -ENOMEM;
	for (size_t i = 0; i < b->n_moves; i++)
		if (!find_or_make(p, b->moves[i].mapping->id))
			return -ENOMEM;
	return 0;
}

static void prune_entries(struct memory_plane *p, const struct plane_batch *b)
{
	for (size_t i = 0; i < b->n_changes; i++)
		drop_if_empty(p, change_id(&b->changes[i]));
	for (size_t i = 0; i < b->n_moves; i++)
		drop_if_empty(p, b->moves[i].mapping->id);
}

static void undo(struct memory_plane *p, const struct plane_batch *b, size_t changes, size_t moves)
{
	while (moves-- > 0)
		find(p, b->moves[moves].mapping->id)->sources ^= b->moves[moves].protocol;
	while (changes-- > 0)
		swap(find(p, change_id(&b->changes[changes])), b->changes[changes].before);
}

static int apply_all(struct memory_plane *p, const struct plane_batch *b, struct fault *f)
{
	size_t changes = 0, moves = 0;
	int ret = 0;

	for (; !ret && changes < b->n_changes; changes++)
		ret = apply_change(p, &b->changes[changes], f);
	if (ret)
		changes--;
	for (; !ret && moves < b->n_moves; moves++)
		ret = apply_move(p, &b->moves[moves], f);
	if (ret && moves)
		moves--;
	if (ret)
		undo(p, b, changes, moves);
	return ret;
}

static int memory_apply(struct plane *plane, const struct plane_batch *b, struct fault *f)
{
	struct memory_plane *p = memory_plane(plane);
	int ret;

	p->tricks.applies++;
	p->tricks.changes = b->n_changes;
	if (comes_now(&p->tricks.fail_apply))
		return fault_set(f, FAULT_PLANE, "", "memory: a batch is refused for a test");
	if (make_entries(p, b) < 0)
		ret = fault_set(f, FAULT_MEMORY, "", "memory: out of memory");
	else
		ret = apply_all(p, b, f);
	prune_entries(p, b);
	return ret;
}

/*
 * Reconciling.
 */
static uint8_t held_sources(const struct mapping *m)
{
	return (uint8_t)((mapping_holds_source(m, PROTOCOL_TCP) ? PROTOCOL_TCP : 0) |
			 (mapping_holds_source(m, PROTOCOL_UDP) ? PROTOCOL_UDP : 0));
}

/* The same mapping, though a restart may have made it another object. */
static bool is_right(const struct programmed *e, const struct mapping *m)
{
	return e->mapping && e->mapping->version == m->version && e->sources == held_sources(m);
}

struct reconciling {
	struct memory_plane *p;
	struct reconcile_report report;
};

static int make_wanted(void *arg, struct mapping *m)
{
	struct reconciling *r = arg;

	return find_or_make(r->p, m->id) ? 0 : -ENOMEM;
}

static int program_wanted(void *arg, struct mapping *m)
{
	struct reconciling *r = arg;
	struct programmed *e = find(r->p, m->id);

	if (is_right(e, m)) {
		r->report.kept++;
	} else {
		r->report.added++;
		r->report.removed += e->mapping != NULL;
	}
	swap(e, m);
	e->sources = held_sources(m);
	return 0;
}

static void remove_unwanted(struct reconciling *r, const struct mapping_table *wanted)
{
	struct programmed *e, *next;

	HASH_ITER (hh, r->p->by_id, e, next) {
		if (mapping_table_by_id(wanted, e->id))
			continue;
		r->report.removed += e->mapping != NULL;
		drop(r->p, e);
	}
}

static void prune_all(struct memory_plane *p)
{
	struct programmed *e, *next;

	HASH_ITER (hh, p->by_id, e, next)
		drop_if_empty(p, e->id);
}

static int memory_reconcile(struct plane *plane, const struct mapping_table *wanted,
			    struct reconcile_report *ret, struct fault *f)
{
	struct reconciling r = { .p = memory_plane(plane) };

	r.p->tricks.reconciles++;
	if (comes_now(&r.p->tricks.fail_reconcile))
		return fault_set(f, FAULT_PLANE, "", "memory: reconciling is refused for a test");
	if (mapping_table_each(wanted, make_wanted, &r) < 0) {
		prune_all(r.p);
		return fault_set(f, FAULT_MEMORY, "", "memory: out of memory");
	}
	mapping_table_each(wanted, program_wanted, &r);
	remove_unwanted(&r, wanted);
	*ret = r.report;
	return 0;
}

/*
 * The rest of the hooks.
 */
static int memory_set_site(struct plane *plane, const struct site *site, struct fault *f)
{
	if (comes_now(&memory_plane(plane)->tricks.fail_site))
		return fault_set(f, FAULT_PLANE, "", "memory: the site is refused for a test");
	return 0;
}

static int memory_counters(struct plane *plane, const struct mapping_table *t,
			   void (*visit)(void *arg, struct mapping *m,
					 const struct mapping_counters *more),
			   void *arg)
{
	struct mapping *m;

	for (struct programmed *e = memory_plane(plane)->by_id; e; e = e->hh.next) {
		m = mapping_table_by_id(t, e->id);
		if (m)
			visit(arg, m, &e->counters);
	}
	return 0;
}

static int memory_flows(struct plane *plane, const struct mapping_table *t,
			const struct mapping *only,
			int (*visit)(void *arg, const struct flow *flow), void *arg)
{
	return 0; /* nothing flows */
}

static int memory_flush(struct plane *plane, struct fault *f)
{
	struct memory_plane *p = memory_plane(plane);
	struct programmed *e, *next;

	HASH_ITER (hh, p->by_id, e, next)
		drop(p, e);
	return 0;
}

static void memory_close(struct plane *plane)
{
	memory_flush(plane, NULL);
	free(plane);
}

static int memory_watch_fd(struct plane *plane)
{
	return -1; /* nobody else can reach it */
}

static int memory_attend(struct plane *plane)
{
	return 0;
}

static const struct plane_ops memory_ops = {
	.name = "memory",
	.apply = memory_apply,
	.set_site = memory_set_site,
	.reconcile = memory_reconcile,
	.counters = memory_counters,
	.flows = memory_flows,
	.flush = memory_flush,
	.close = memory_close,
	.watch_fd = memory_watch_fd,
	.attend = memory_attend,
};

int memory_plane_open(struct plane **ret)
{
	struct memory_plane *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->base.ops = &memory_ops;
	*ret = &p->base;
	return 0;
}

/*
 * For tests.
 */
struct memory_plane_tricks *memory_plane_tricks(struct plane *p)
{
	return &memory_plane(p)->tricks;
}

size_t memory_plane_count(const struct plane *p)
{
	return HASH_COUNT(memory_plane(p)->by_id);
}

static int differs(void *arg, struct mapping *m)
{
	const struct programmed *e = find(arg, m->id);

	return !e || e->mapping != m || e->sources != held_sources(m);
}

bool memory_plane_equals(const struct plane *p, const struct mapping_table *t)
{
	return memory_plane_count(p) == mapping_table_count(t) &&
	       mapping_table_each(t, differs, memory_plane(p)) == 0;
}

void memory_plane_lose(struct plane *p, uint32_t id)
{
	struct programmed *e = find(memory_plane(p), id);

	if (e)
		drop(memory_plane(p), e);
}

void memory_plane_pass(struct plane *p, uint32_t id, const struct mapping_counters *more)
{
	struct programmed *e = find(memory_plane(p), id);

	if (!e)
		return;
	e->counters.packets += more->packets;
	e->counters.bytes += more->bytes;
	e->counters.connections += more->connections;
}
