/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory: a reference to each remembered mapping, by id.
 *
 * A mapping never changes, so a reference is as good as a copy. load() hands out copies all the
 * same: the table that is being filled must not be given mappings which stand in another one.
 *
 * All entries a write may need are made before its first change, so a write is kept as a whole or
 * not at all.
 */
#include "store/memory.h"

#include <errno.h>
#include <stdlib.h>

/* uthash would end the process when out of memory; so it leaves hh.tbl NULL instead. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct remembered {
	UT_hash_handle hh;
	uint32_t id;
	struct mapping *mapping; /* a reference; NULL while empty */
};

/* A value beside the mappings. */
struct value {
	struct value *next;
	char *key, *text; /* in one allocation, behind the struct */
};

/* A write that rests. */
struct resting {
	const struct change *changes;
	size_t n;
	uint32_t last_id;
	store_done done; /* NULL: none does */
	void *arg;
};

struct memory_store {
	struct store base;
	struct remembered *by_id;
	struct value *values;
	uint32_t last_id;
	struct resting resting;
	struct memory_store_tricks tricks;
};

static struct memory_store *memory_store(const struct store *s)
{
	return (struct memory_store *)s;
}

static struct remembered *find(const struct memory_store *s, uint32_t id)
{
	struct remembered *e;

	HASH_FIND(hh, s->by_id, &id, sizeof(id), e);
	return e;
}

static int make_entry(struct memory_store *s, uint32_t id)
{
	struct remembered *e;

	if (find(s, id))
		return 0;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->id = id;
	HASH_ADD(hh, s->by_id, id, sizeof(e->id), e);
	if (!e->hh.tbl) {
		free(e);
		return -ENOMEM;
	}
	return 0;
}

static void drop(struct memory_store *s, struct remembered *e)
{
	HASH_DELETE(hh, s->by_id, e);
	mapping_unref(e->mapping);
	free(e);
}

static uint32_t change_id(const struct change *c)
{
	return (c->after ? c->after : c->before)->id;
}

static void remember(struct remembered *e, struct mapping *m)
{
	struct mapping *before = e->mapping;

	e->mapping = m ? mapping_ref(m) : NULL;
	mapping_unref(before);
}

static int keep(struct memory_store *s, const struct change *changes, size_t n)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < n; i++)
		ret = make_entry(s, change_id(&changes[i]));
	for (size_t i = 0; !ret && i < n; i++)
		remember(find(s, change_id(&changes[i])), changes[i].after);
	for (size_t i = 0; i < n; i++) {
		struct remembered *e = find(s, change_id(&changes[i]));

		if (e && !e->mapping)
			drop(s, e);
	}
	return ret;
}

static void carry_out(struct memory_store *s, const struct resting *w)
{
	struct fault f = { 0 };
	int error = 0;

	if (s->tricks.fail_all || (s->tricks.fail_write && --s->tricks.fail_write == 0)) {
		fault_set(&f, FAULT_STORE, "", "memory: a write fails for a test");
		error = -EIO;
	} else if (keep(s, w->changes, w->n) < 0) {
		fault_set(&f, FAULT_MEMORY, "", "memory: out of memory");
		error = -ENOMEM;
	} else {
		s->last_id = w->last_id;
	}
	w->done(w->arg, error, error ? &f : NULL);
}

static void memory_write(struct store *store, const struct change *changes, size_t n,
			 uint32_t last_id, store_done done, void *arg)
{
	struct memory_store *s = memory_store(store);
	const struct resting w = {
		.changes = changes,
		.n = n,
		.last_id = last_id,
		.done = done,
		.arg = arg,
	};

	s->tricks.writes++;
	s->tricks.changes = n;
	if (s->tricks.later)
		s->resting = w;
	else
		carry_out(s, &w);
}

bool memory_store_complete(struct store *store)
{
	struct memory_store *s = memory_store(store);
	struct resting w = s->resting;

	if (!w.done)
		return false;
	s->resting = (struct resting){ 0 }; /* done may write again */
	carry_out(s, &w);
	return true;
}

static struct mapping *copy_of(const struct mapping *m)
{
	struct mapping *copy = mapping_new(&m->spec, m->id, m->version);

	if (copy) {
		copy->created = m->created;
		copy->changed = m->changed;
	}
	return copy;
}

static int by_rising_id(const struct remembered *a, const struct remembered *b)
{
	return (a->id > b->id) - (a->id < b->id);
}

static int memory_load(struct store *store, int (*visit)(void *arg, struct mapping *m), void *arg,
		       uint32_t *ret_last_id, struct fault *f)
{
	struct memory_store *s = memory_store(store);
	struct mapping *copy;
	int ret;

	HASH_SORT(s->by_id, by_rising_id);
	for (struct remembered *e = s->by_id; e; e = e->hh.next) {
		copy = copy_of(e->mapping);
		if (!copy)
			return fault_set(f, FAULT_MEMORY, "", "memory: out of memory");
		ret = visit(arg, copy);
		if (ret)
			return ret;
	}
	*ret_last_id = s->last_id;
	return 0;
}

static struct value **find_value(struct memory_store *s, const char *key)
{
	struct value **at = &s->values;

	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

static int memory_get_meta(struct store *store, const char *key, char *buf, size_t cap,
			   struct fault *f)
{
	const struct value *v = *find_value(memory_store(store), key);
	size_t size = v ? strlen(v->text) + 1 : 0;

	if (!v)
		return -ENOENT;
	if (size > cap)
		return -ENOBUFS;
	memcpy(buf, v->text, size);
	return 0;
}

static void drop_value(struct value **at)
{
	struct value *v = *at;

	*at = v->next;
	free(v);
}

static int memory_put_meta(struct store *store, const char *key, const char *text, struct fault *f)
{
	struct memory_store *s = memory_store(store);
	size_t key_size = strlen(key) + 1, size = strlen(text) + 1;
	struct value **before, *v;

	if (s->tricks.fail_all)
		return fault_set(f, FAULT_STORE, "", "memory: a write fails for a test");
	v = malloc(sizeof(*v) + key_size + size);
	if (!v)
		return fault_set(f, FAULT_MEMORY, "", "memory: out of memory");
	v->key = memcpy((char *)(v + 1), key, key_size);
	v->text = memcpy(v->key + key_size, text, size);
	before = find_value(s, key);
	if (*before)
		drop_value(before);
	v->next = s->values;
	s->values = v;
	return 0;
}

static void memory_close(struct store *store)
{
	struct memory_store *s = memory_store(store);
	struct remembered *e, *next;

	HASH_ITER (hh, s->by_id, e, next)
		drop(s, e);
	while (s->values)
		drop_value(&s->values);
	free(s);
}

static const struct store_ops memory_ops = {
	.name = "memory",
	.load = memory_load,
	.write = memory_write,
	.get_meta = memory_get_meta,
	.put_meta = memory_put_meta,
	.close = memory_close,
};

int memory_store_open(struct store **ret)
{
	struct memory_store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->base.ops = &memory_ops;
	*ret = &s->base;
	return 0;
}

/*
 * For tests.
 */
struct memory_store_tricks *memory_store_tricks(struct store *s)
{
	return &memory_store(s)->tricks;
}

size_t memory_store_count(const struct store *s)
{
	return HASH_COUNT(memory_store(s)->by_id);
}

static int differs(void *arg, struct mapping *m)
{
	const struct remembered *e = find(arg, m->id);

	return !e || e->mapping->version != m->version;
}

bool memory_store_equals(const struct store *s, const struct mapping_table *t)
{
	return memory_store_count(s) == mapping_table_count(t) &&
	       mapping_table_each(t, differs, memory_store(s)) == 0;
}
