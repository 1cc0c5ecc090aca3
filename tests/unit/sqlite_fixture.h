/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite_fixture: what the tests of the SQLite store share: a folder of their own, mappings to put
 * in, and what is found there afterwards.
 */
#ifndef PORTWRIGHT_TESTS_SQLITE_FIXTURE_H
#define PORTWRIGHT_TESTS_SQLITE_FIXTURE_H

#include "store/sqlite.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BOOT	   "11111111-1111-1111-1111-111111111111"
#define OTHER_BOOT "22222222-2222-2222-2222-222222222222"
#define SHELF_MAX  256

static char folder[64];
static char database[96];

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void remove_folder(void)
{
	nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* An empty folder for each test. */
static inline int begin_folder(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/portwright-sqlite-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(database, sizeof(database), "%s/portwright.db", folder);
	return 0;
}

static inline int end_folder(void **state)
{
	clock_freeze(0, 0);
	remove_folder();
	return 0;
}

static inline struct store *open_store(const char *boot_id)
{
	struct store *s = NULL;
	struct fault f = { 0 };

	if (sqlite_store_open(folder, boot_id, &s, &f))
		fail_msg("%s", f.text);
	return s;
}

static inline struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

/* A mapping as most are: tcp/PORT to one client. */
static inline struct mapping *plain_mapping(uint32_t id, uint32_t version)
{
	struct mapping_spec spec = {
		.internal_client = addr_of("192.168.69.110"),
		.external = { (uint16_t)(1024 + id % 60000), (uint16_t)(1024 + id % 60000) },
		.internal = { 80, 80 },
		.protocols = PROTOCOL_TCP,
		.enabled = true,
		.name = "Front door, web",
		.app = "http",
		.notes = "",
		.owner = "root",
	};
	struct mapping *m = mapping_new(&spec, id, version);

	assert_non_null(m);
	m->created = 1763726400;
	m->changed = 1763726400 + version;
	return m;
}

struct written {
	int calls, error;
	struct fault fault;
};

static inline void note_written(void *arg, int error, const struct fault *f)
{
	struct written *w = arg;

	w->calls++;
	w->error = error;
	w->fault = f ? *f : (struct fault){ 0 };
}

static inline int write_store(struct store *s, const struct change *changes, size_t n,
			      uint32_t last_id, struct fault *f)
{
	struct written w = { 0 };

	s->ops->write(s, changes, n, last_id, note_written, &w);
	assert_int_equal(w.calls, 1);
	assert_int_equal(w.error != 0, w.fault.kind != FAULT_NONE);
	if (f)
		*f = w.fault;
	return w.error;
}

static inline int write_one(struct store *s, struct mapping *before, struct mapping *after)
{
	struct change change = { before, after };

	return write_store(s, &change, 1, (after ? after : before)->id, NULL);
}

/* What was loaded. */
struct shelf {
	struct mapping *at[SHELF_MAX];
	size_t n;
	uint32_t last_id;
};

static inline int put_on_shelf(void *arg, struct mapping *m)
{
	struct shelf *shelf = arg;

	assert_true(shelf->n < SHELF_MAX);
	assert_int_equal(m->references, 1);
	if (shelf->n)
		assert_true(shelf->at[shelf->n - 1]->id < m->id);
	shelf->at[shelf->n++] = m;
	return 0;
}

static inline void load_store(struct store *s, struct shelf *ret)
{
	struct fault f = { 0 };

	*ret = (struct shelf){ 0 };
	if (s->ops->load(s, put_on_shelf, ret, &ret->last_id, &f))
		fail_msg("%s", f.text);
}

static inline void clear_shelf(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->n; i++)
		mapping_unref(shelf->at[i]);
	*shelf = (struct shelf){ 0 };
}

static inline void assert_same_mapping(const struct mapping *a, const struct mapping *b)
{
	const struct mapping_spec *s = &a->spec, *t = &b->spec;

	assert_int_equal(a->id, b->id);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->created, b->created);
	assert_int_equal(a->changed, b->changed);
	assert_true(addr_eq(&s->external_addr, &t->external_addr));
	assert_true(addr_eq(&s->internal_client, &t->internal_client));
	assert_memory_equal(&s->external, &t->external, sizeof(s->external));
	assert_memory_equal(&s->internal, &t->internal, sizeof(s->internal));
	assert_int_equal(s->protocols, t->protocols);
	assert_int_equal(s->when_disabled, t->when_disabled);
	assert_int_equal(s->origin, t->origin);
	assert_int_equal(s->enabled, t->enabled);
	assert_int_equal(s->pending, t->pending);
	assert_memory_equal(s->nonce, t->nonce, sizeof(s->nonce));
	assert_int_equal(s->peer_port, t->peer_port);
	assert_int_equal(s->max_connections, t->max_connections);
	assert_int_equal(s->rate, t->rate);
	assert_int_equal(s->expires, t->expires);
	assert_int_equal(s->expires_date, t->expires_date);
	assert_int_equal(s->n_remote_hosts, t->n_remote_hosts);
	for (uint32_t i = 0; i < s->n_remote_hosts; i++)
		assert_int_equal(prefix_compare(&s->remote_hosts[i], &t->remote_hosts[i]), 0);
	assert_string_equal(s->name, t->name);
	assert_string_equal(s->app, t->app);
	assert_string_equal(s->notes, t->notes);
	assert_string_equal(s->owner, t->owner);
}

#endif
