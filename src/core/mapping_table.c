/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping_table: one entry for each mapping, hung into everything it can be found by.
 *
 *     by_id ----------> entry { mapping, places[1 or 2] }
 *     lines4, lines6 -> line of an external address: a tree of external ports a protocol
 *     clients --------> client: a source_pool a protocol, which is also the index of internal ports
 *     owners ---------> how many
 *
 * Lines, clients and owners are groups: made for the first mapping that needs one, freed with the
 * last. An entry does not point to its groups but finds them by the mapping's own words when it
 * comes and goes: 65,000 entries must be small. A mapping without external address stands in the
 * line of the unset address, so a question about one address looks at two lines, and one about
 * "every address" looks at all IPv4 lines: as many as there are public addresses in use. Pinholes
 * have lines of their own (lines6), of which there may be thousands; an IPv4 question never walks
 * those.
 *
 * Many mappings may share one external port when their remote hosts differ; a conflict check there
 * compares with each of them. That is the one question whose cost grows with something a person
 * chose.
 *
 * mapping_table_replace() allocates everything first and commits then, with operations that cannot
 * fail. That is why the moves are reserved by an upper bound instead of being appended as they
 * come.
 */
#include "core/mapping_table.h"

#include "core/source_pool.h"

#include <errno.h>
#include <stdlib.h>

/* uthash would end the process when out of memory; so it leaves hh.tbl NULL instead. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define N_PROTOCOLS 2

/* The parts of a mapping in one protocol. */
struct mapping_place {
	struct interval external; /* in the line's tree */
	struct source source;	  /* in the client's pool */
};

/* The head of each of the three below. */
struct group {
	UT_hash_handle hh;
	uint32_t count; /* mappings in it */
};

struct line {
	struct group group;
	struct interval_tree trees[N_PROTOCOLS];
};

struct client {
	struct group group;
	struct source_pool pools[N_PROTOCOLS];
};

struct entry {
	UT_hash_handle hh;
	struct mapping_place places[];
};

struct mapping_table {
	struct entry *by_id;
	struct group *lines4, *lines6, *clients, *owners;
	size_t n_by_devices;
};

int mapping_table_new(struct mapping_table **ret)
{
	struct mapping_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*ret = t;
	return 0;
}

size_t mapping_table_count(const struct mapping_table *t)
{
	return HASH_COUNT(t->by_id);
}

/* The tree or pool of one protocol. */
static size_t protocol_index(uint8_t protocol)
{
	return protocol == PROTOCOL_TCP ? 0 : 1;
}

/*
 * Groups. The key is kept behind the struct, of which `size` bytes are the caller's kind of group.
 */
static struct group *group_find(struct group *groups, const void *key, size_t key_len)
{
	struct group *g;

	HASH_FIND(hh, groups, key, key_len, g);
	return g;
}

static struct group *group_join(struct group **groups, const void *key, size_t key_len, size_t size)
{
	struct group *g = group_find(*groups, key, key_len);
	char *own_key;

	if (!g) {
		g = calloc(1, size + key_len);
		if (!g)
			return NULL;
		own_key = (char *)g + size;
		memcpy(own_key, key, key_len);
		HASH_ADD_KEYPTR(hh, *groups, own_key, key_len, g);
		if (!g->hh.tbl) {
			free(g);
			return NULL;
		}
	}
	g->count++;
	return g;
}

static void group_leave(struct group **groups, const void *key, size_t key_len)
{
	struct group *g = group_find(*groups, key, key_len);

	if (--g->count)
		return;
	HASH_DELETE(hh, *groups, g);
	free(g);
}

static struct group **lines_of(struct mapping_table *t, const struct mapping_spec *s)
{
	return mapping_is_pinhole(s) ? &t->lines6 : &t->lines4;
}

/* The address whose line s stands in. */
static const struct addr *line_addr(const struct mapping_spec *s)
{
	return mapping_is_pinhole(s) ? &s->internal_client : &s->external_addr;
}

static struct line *find_line(struct mapping_table *t, const struct mapping_spec *s)
{
	return (struct line *)group_find(*lines_of(t, s), line_addr(s), sizeof(struct addr));
}

static struct client *find_client(struct mapping_table *t, const struct mapping_spec *s)
{
	return (struct client *)group_find(t->clients, &s->internal_client, sizeof(struct addr));
}

static int join_groups(struct mapping_table *t, const struct mapping_spec *s)
{
	if (!group_join(lines_of(t, s), line_addr(s), sizeof(struct addr), sizeof(struct line)))
		return -ENOMEM;
	if (!group_join(&t->clients, &s->internal_client, sizeof(struct addr),
			sizeof(struct client)))
		goto fail_line;
	if (!group_join(&t->owners, s->owner, strlen(s->owner) + 1, sizeof(struct group)))
		goto fail_client;
	return 0;

fail_client:
	group_leave(&t->clients, &s->internal_client, sizeof(struct addr));
fail_line:
	group_leave(lines_of(t, s), line_addr(s), sizeof(struct addr));
	return -ENOMEM;
}

static void leave_groups(struct mapping_table *t, const struct mapping_spec *s)
{
	group_leave(&t->owners, s->owner, strlen(s->owner) + 1);
	group_leave(&t->clients, &s->internal_client, sizeof(struct addr));
	group_leave(lines_of(t, s), line_addr(s), sizeof(struct addr));
}

/*
 * Entries: their life.
 */
static struct entry *entry_of(const struct mapping *m)
{
	return (struct entry *)((char *)m->places - offsetof(struct entry, places));
}

static struct mapping *entry_mapping(const struct entry *e)
{
	return e->places[0].source.mapping;
}

static const struct mapping_spec *entry_spec(const struct entry *e)
{
	return &entry_mapping(e)->spec;
}

static size_t n_places(const struct mapping_spec *s)
{
	return s->protocols == PROTOCOL_BOTH ? 2 : 1;
}

static struct entry *entry_alloc(struct mapping *m)
{
	size_t n = n_places(&m->spec);
	struct entry *e = calloc(1, sizeof(*e) + n * sizeof(e->places[0]));
	uint8_t protocol = m->spec.protocols == PROTOCOL_UDP ? PROTOCOL_UDP : PROTOCOL_TCP;

	if (!e)
		return NULL;
	for (size_t i = 0; i < n; i++, protocol = PROTOCOL_UDP) {
		source_init(&e->places[i].source, m, protocol);
		e->places[i].external = (struct interval){ .first = m->spec.external.first,
							   .last = m->spec.external.last,
							   .order = m->id };
	}
	return e;
}

/* An entry that can be found by its id and whose groups exist; it is in none of their trees yet. */
static struct entry *entry_new(struct mapping_table *t, struct mapping *m)
{
	struct entry *e = entry_alloc(m);

	if (!e)
		return NULL;
	if (join_groups(t, &m->spec) < 0)
		goto fail;
	HASH_ADD_KEYPTR(hh, t->by_id, &m->id, sizeof(m->id), e);
	if (!e->hh.tbl)
		goto fail_groups;
	t->n_by_devices += origin_is_device(m->spec.origin);
	return e;

fail_groups:
	leave_groups(t, &m->spec);
fail:
	free(e);
	return NULL;
}

static void entry_free(struct mapping_table *t, struct entry *e)
{
	HASH_DELETE(hh, t->by_id, e);
	t->n_by_devices -= origin_is_device(entry_spec(e)->origin);
	leave_groups(t, entry_spec(e));
	free(e);
}

void mapping_table_free(struct mapping_table *t)
{
	struct entry *e, *next;
	struct mapping *m;

	if (!t)
		return;
	HASH_ITER (hh, t->by_id, e, next) {
		m = entry_mapping(e);
		entry_free(t, e);
		m->places = NULL;
		mapping_unref(m);
	}
	free(t);
}

/*
 * The one change.
 */
static bool takes_part_in_sources(const struct mapping_spec *s)
{
	return s->enabled && !mapping_is_pinhole(s);
}

static void entry_attach(struct mapping_table *t, struct entry *e, struct source_moves *moves)
{
	const struct mapping_spec *s = entry_spec(e);
	struct line *line = find_line(t, s);
	struct client *client = find_client(t, s);

	for (size_t i = 0; i < n_places(s); i++) {
		struct mapping_place *p = &e->places[i];
		size_t k = protocol_index(p->source.protocol);

		interval_insert(&line->trees[k], &p->external);
		if (takes_part_in_sources(s))
			source_enter(&client->pools[k], &p->source, moves);
		else
			source_stand_apart(&client->pools[k], &p->source);
	}
}

/* Sets vacated[i] where the i-th place held its source. */
static void entry_detach(struct mapping_table *t, struct entry *e, bool vacated[static N_PROTOCOLS],
			 struct source_moves *moves)
{
	const struct mapping_spec *s = entry_spec(e);
	struct line *line = find_line(t, s);
	struct client *client = find_client(t, s);

	for (size_t i = 0; i < n_places(s); i++) {
		struct mapping_place *p = &e->places[i];
		size_t k = protocol_index(p->source.protocol);

		interval_delete(&line->trees[k], &p->external);
		vacated[i] = source_leave(&client->pools[k], &p->source, moves);
	}
}

static void entry_refill(struct mapping_table *t, struct entry *e,
			 const bool vacated[static N_PROTOCOLS], struct source_moves *moves)
{
	struct client *client = find_client(t, entry_spec(e));

	for (size_t i = 0; i < n_places(entry_spec(e)); i++) {
		struct source *source = &e->places[i].source;

		if (vacated[i])
			source_refill(&client->pools[protocol_index(source->protocol)], source,
				      moves);
	}
}

/* How many moves a replacement can make at most. */
static size_t moves_bound(struct mapping_table *t, const struct entry *old, const struct entry *new)
{
	size_t n = new ? n_places(entry_spec(new)) : 0;
	const struct client *client;

	if (!old)
		return n;
	client = find_client(t, entry_spec(old));
	for (size_t i = 0; i < n_places(entry_spec(old)); i++) {
		const struct source *source = &old->places[i].source;

		n += source_leave_bound(&client->pools[protocol_index(source->protocol)], source);
	}
	return n;
}

int mapping_table_replace(struct mapping_table *t, struct mapping *before, struct mapping *after,
			  struct source_moves *moves)
{
	struct entry *old = before ? entry_of(before) : NULL, *new = NULL;
	bool vacated[N_PROTOCOLS] = { false };

	if (after) {
		new = entry_new(t, after);
		if (!new)
			return -ENOMEM;
	}
	if (source_moves_reserve(moves, moves_bound(t, old, new)) < 0) {
		if (new)
			entry_free(t, new);
		return -ENOMEM;
	}

	/* The successor comes before the refill: a change of name, or of the external port, must
	 * not cost a mapping the source it held. */
	if (old)
		entry_detach(t, old, vacated, moves);
	if (new) {
		entry_attach(t, new, moves);
		after->places = new->places;
		mapping_ref(after);
	}
	if (old) {
		entry_refill(t, old, vacated, moves);
		entry_free(t, old);
		before->places = NULL;
		mapping_unref(before);
	}
	return 0;
}

/*
 * Questions.
 */
struct mapping *mapping_table_by_id(const struct mapping_table *t, uint32_t id)
{
	struct entry *e;

	HASH_FIND(hh, t->by_id, &id, sizeof(id), e);
	return e ? entry_mapping(e) : NULL;
}

/* Both lists are sorted and without overlaps of their own, and an empty one means everybody. */
static bool remotes_overlap(const struct prefix *a, size_t n_a, const struct prefix *b, size_t n_b)
{
	if (!n_a || !n_b)
		return true;
	while (n_a && n_b) {
		if (prefix_overlaps(a, b))
			return true;
		if (prefix_compare(a, b) < 0) {
			a++;
			n_a--;
		} else {
			b++;
			n_b--;
		}
	}
	return false;
}

/* Who would match a packet of one of these protocols to one of these ports, from one of these
 * hosts? */
struct question {
	uint8_t protocols;
	struct port_range ports;
	const struct prefix *remotes;
	size_t n_remotes;
	uint32_t except;
};

static struct mapping *ask_tree(const struct interval_tree *tree, const struct question *q)
{
	struct interval *node;

	interval_each (tree, node, q->ports.first, q->ports.last) {
		struct mapping_place *p =
			(struct mapping_place *)((char *)node -
						 offsetof(struct mapping_place, external));
		struct mapping *m = p->source.mapping;

		if (m->id != q->except &&
		    remotes_overlap(q->remotes, q->n_remotes, m->spec.remote_hosts,
				    m->spec.n_remote_hosts))
			return m;
	}
	return NULL;
}

static struct mapping *ask_line(const struct group *g, const struct question *q)
{
	const struct line *line = (const struct line *)g;
	struct mapping *m = NULL;

	if (line && (q->protocols & PROTOCOL_TCP))
		m = ask_tree(&line->trees[protocol_index(PROTOCOL_TCP)], q);
	if (line && !m && (q->protocols & PROTOCOL_UDP))
		m = ask_tree(&line->trees[protocol_index(PROTOCOL_UDP)], q);
	return m;
}

/* Asks the lines that `external` concerns; unset stands for every IPv4 address. */
static struct mapping *ask(const struct mapping_table *t, const struct addr *external,
			   const struct question *q)
{
	static const struct addr every = { 0 };
	struct mapping *m;

	if (addr_is_set(external) && !addr_is_v4(external))
		return ask_line(group_find(t->lines6, external, sizeof(*external)), q);
	m = ask_line(group_find(t->lines4, &every, sizeof(every)), q);
	if (m)
		return m;
	if (addr_is_set(external))
		return ask_line(group_find(t->lines4, external, sizeof(*external)), q);
	for (struct group *g = t->lines4; g && !m; g = g->hh.next)
		m = ask_line(g, q);
	return m;
}

struct mapping *mapping_table_by_external(const struct mapping_table *t, uint8_t protocol,
					  const struct addr *external, uint16_t port,
					  const struct addr *remote)
{
	struct question q = { .protocols = protocol, .ports = { port, port } };
	struct prefix host;

	if (remote) {
		host.addr = *remote;
		host.length = addr_is_v4(remote) ? 32 : 128;
		q.remotes = &host;
		q.n_remotes = 1;
	}
	return ask(t, external, &q);
}

static struct mapping *next_of_client(const struct mapping_table *t, uint8_t protocol,
				      const struct addr *address, struct port_range ports,
				      const struct mapping *after)
{
	const struct client *client = (const struct client *)group_find(t->clients, address,
									sizeof(*address));
	const struct source *s = NULL;

	if (client)
		s = source_next(&client->pools[protocol_index(protocol)], ports, after);
	return s ? s->mapping : NULL;
}

struct mapping *mapping_table_by_internal(const struct mapping_table *t, uint8_t protocol,
					  const struct addr *client, uint16_t port,
					  const struct mapping *after)
{
	return next_of_client(t, protocol, client, (struct port_range){ port, port }, after);
}

struct mapping *mapping_table_by_client(const struct mapping_table *t, uint8_t protocol,
					const struct addr *client, const struct mapping *after)
{
	return next_of_client(t, protocol, client, (struct port_range){ 0, UINT16_MAX }, after);
}

struct mapping *mapping_table_conflict(const struct mapping_table *t, const struct mapping_spec *s,
				       uint32_t except)
{
	struct question q = {
		.protocols = s->protocols,
		.ports = s->external,
		.remotes = s->remote_hosts,
		.n_remotes = s->n_remote_hosts,
		.except = except,
	};

	return ask(t, line_addr(s), &q);
}

bool mapping_holds_source(const struct mapping *m, uint8_t protocol)
{
	const struct entry *e;

	if (!m->places)
		return false;
	e = entry_of(m);
	for (size_t i = 0; i < n_places(&m->spec); i++)
		if (e->places[i].source.protocol == protocol)
			return e->places[i].source.state == SOURCE_HELD;
	return false;
}

size_t mapping_table_count_by_owner(const struct mapping_table *t, const char *owner)
{
	const struct group *g = group_find(t->owners, owner, strlen(owner) + 1);

	return g ? g->count : 0;
}

size_t mapping_table_count_by_client(const struct mapping_table *t, const struct addr *client)
{
	const struct group *g = group_find(t->clients, client, sizeof(*client));

	return g ? g->count : 0;
}

size_t mapping_table_count_by_devices(const struct mapping_table *t)
{
	return t->n_by_devices;
}

static int compare_ids(const void *a, const void *b)
{
	const struct mapping *x = *(struct mapping *const *)a, *y = *(struct mapping *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

int mapping_table_list(const struct mapping_table *t, struct mapping ***ret, size_t *ret_n)
{
	size_t n = mapping_table_count(t), i = 0;
	struct mapping **list = NULL;

	if (n) {
		list = calloc(n, sizeof(struct mapping *));
		if (!list)
			return -ENOMEM;
		for (struct entry *e = t->by_id; e; e = e->hh.next)
			list[i++] = entry_mapping(e);
		qsort(list, n, sizeof(struct mapping *), compare_ids);
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

int mapping_table_each(const struct mapping_table *t, int (*visit)(void *arg, struct mapping *m),
		       void *arg)
{
	int r = 0;

	for (struct entry *e = t->by_id; e && !r; e = e->hh.next)
		r = visit(arg, entry_mapping(e));
	return r;
}
