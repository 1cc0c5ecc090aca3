/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Import and export: many mappings at once.
 *
 * An import is one transaction: the deletions first, so that what is imported may take their place,
 * then the additions. An entry that says what a mapping says already is left out of it. That one is
 * found without a search: two mappings that say the same would conflict, and nothing in the table
 * conflicts, so the one mapping an entry conflicts with is the only one it can be equal to.
 */
#include "serve/api_private.h"

#include "core/mapping_json.h"
#include "serve/import_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Deadlines that were carried as a date have lost a part of a second on the way. */
#define SAME_DEADLINE_MS 2000

/* The entries that will be added. */
struct entry {
	struct mapping *wanted; /* only a spec with its texts; it never meets the table */
	size_t index;
};

struct import {
	struct http_request *request;
	const struct mapping_table *table;
	struct entry *entries;
	size_t n_entries, capacity;
	struct mapping **same; /* those of the table that stay as they are */
	size_t n_same, same_capacity;
	size_t n_deletions;
	bool refused; /* the request is answered */
};

static void import_free(struct import *import)
{
	if (!import)
		return;
	for (size_t i = 0; i < import->n_entries; i++)
		mapping_unref(import->entries[i].wanted);
	free(import->entries);
	free(import->same);
	free(import);
}

static bool same_end(const struct mapping_spec *a, const struct mapping_spec *b)
{
	clock_ms apart = a->expires - b->expires;

	if (!a->expires || !b->expires)
		return a->expires == b->expires;
	if (a->expires_date && b->expires_date)
		return a->expires_date == b->expires_date;
	return apart >= -SAME_DEADLINE_MS && apart <= SAME_DEADLINE_MS;
}

static bool same_range(struct port_range a, struct port_range b)
{
	return a.first == b.first && a.last == b.last;
}

/* All that a person can say of a mapping. */
static bool same_spec(const struct mapping_spec *a, const struct mapping_spec *b)
{
	if (a->protocols != b->protocols || !same_range(a->external, b->external) ||
	    !same_range(a->internal, b->internal) || a->enabled != b->enabled ||
	    a->pending != b->pending || a->when_disabled != b->when_disabled ||
	    a->max_connections != b->max_connections || a->rate != b->rate ||
	    a->n_remote_hosts != b->n_remote_hosts)
		return false;
	if (!addr_eq(&a->internal_client, &b->internal_client) ||
	    !addr_eq(&a->external_addr, &b->external_addr) || !same_end(a, b))
		return false;
	for (uint32_t i = 0; i < a->n_remote_hosts; i++)
		if (prefix_compare(&a->remote_hosts[i], &b->remote_hosts[i]))
			return false;
	return !strcmp(a->name, b->name) && !strcmp(a->app, b->app) && !strcmp(a->notes, b->notes);
}

/* Room for one more in an array of `size`; false when out of memory. */
static bool make_room(void **array, size_t n, size_t *capacity, size_t size)
{
	size_t more = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (n < *capacity)
		return true;
	grown = reallocarray(*array, more, size);
	if (!grown)
		return false;
	*array = grown;
	*capacity = more;
	return true;
}

static int refuse_entry(struct import *import, const struct fault *f, size_t index)
{
	problem_answer_entry(import->request, f, index);
	import->refused = true;
	return fault_errno(f->kind);
}

/* Asks only for an external port that is given: one that is picked is always another one. */
static struct mapping *find_same(const struct import *import, const struct mapping_spec *s)
{
	struct mapping *m = NULL;

	if (s->external.first)
		m = mapping_table_conflict(import->table, s, 0);
	return m && same_spec(s, &m->spec) ? m : NULL;
}

static int on_mapping(void *arg, size_t index, const json_t *json)
{
	struct import *import = arg;
	struct mapping_draft draft;
	struct mapping *same;
	struct fault f;

	mapping_draft_init(&draft);
	/* The table's answers hold for specs that are valid. */
	if (mapping_draft_read(&draft, json, &f) < 0 || mapping_validate(&draft.spec, NULL, &f) < 0)
		return refuse_entry(import, &f, index);
	same = find_same(import, &draft.spec);
	if (same) {
		if (!make_room((void **)&import->same, import->n_same, &import->same_capacity,
			       sizeof(struct mapping *)))
			return -ENOMEM;
		import->same[import->n_same++] = same;
		return 0;
	}
	if (!make_room((void **)&import->entries, import->n_entries, &import->capacity,
		       sizeof(struct entry)))
		return -ENOMEM;
	import->entries[import->n_entries] = (struct entry){ mapping_new(&draft.spec, 0, 0),
							     index };
	if (!import->entries[import->n_entries].wanted)
		return -ENOMEM;
	import->n_entries++;
	return 0;
}

/* Is one of the operations to blame, rather than the disk or the kernel? */
static bool blames_entry(const struct fault *f)
{
	return f->kind != FAULT_STORE && f->kind != FAULT_PLANE && f->kind != FAULT_MEMORY;
}

static void on_done(void *arg, const struct gateway_result *result)
{
	struct import *import = arg;
	size_t entry = result->culprit - import->n_deletions; /* wraps where it was a deletion */

	import->request->heavy = true;
	if (!result->fault)
		api_answer_json(import->request, 200,
				json_pack("{s:I, s:I, s:I}", "added", (json_int_t)import->n_entries,
					  "unchanged", (json_int_t)import->n_same, "deleted",
					  (json_int_t)import->n_deletions));
	else if (blames_entry(result->fault) && entry < import->n_entries)
		problem_answer_entry(import->request, result->fault, import->entries[entry].index);
	else
		problem_answer(import->request, result->fault);
	import_free(import);
}

static int compare_id(const void *a, const void *b)
{
	const struct mapping *const *left = a, *const *right = b;

	return (*left)->id < (*right)->id ? -1 : (*left)->id > (*right)->id;
}

/* Deletions of all that is in the table and not in import->same; `ops` has room for them. */
static size_t write_deletions(const struct import *import, struct mapping *const *all, size_t n,
			      struct gateway_operation *ops)
{
	size_t deletions = 0, kept = 0;

	/* Both by rising id; one mapping may have been meant by several entries. */
	for (size_t i = 0; i < n; i++) {
		while (kept < import->n_same && import->same[kept]->id < all[i]->id)
			kept++;
		if (kept < import->n_same && import->same[kept] == all[i])
			continue;
		ops[deletions++] = (struct gateway_operation){ .verb = GATEWAY_DELETE,
							       .id = all[i]->id };
	}
	return deletions;
}

static int submit(struct api *api, struct import *import, bool replace)
{
	struct caller who = api_caller(import->request);
	struct gateway_operation *ops;
	struct mapping **all = NULL;
	size_t n = 0;

	if (replace && mapping_table_list(import->table, &all, &n) < 0)
		return -ENOMEM;
	ops = calloc(n + import->n_entries + 1, sizeof(*ops));
	if (!ops) {
		free(all);
		return -ENOMEM;
	}
	if (replace) {
		if (import->n_same)
			qsort(import->same, import->n_same, sizeof(*import->same), compare_id);
		import->n_deletions = write_deletions(import, all, n, ops);
	}
	free(all);
	for (size_t i = 0; i < import->n_entries; i++)
		ops[import->n_deletions + i] = (struct gateway_operation){
			.verb = GATEWAY_ADD, .spec = import->entries[i].wanted->spec
		};
	n = import->n_deletions + import->n_entries;
	if (n)
		gateway_submit(api->gateway, &who, ops, n, on_done, import);
	else
		on_done(import, &(struct gateway_result){ 0 });
	free(ops);
	return 0;
}

static void answer_unreadable(struct http_request *r, const struct import_reader *reader)
{
	struct fault f;

	if (reader->malformed) {
		problem_answer_http(r, PROBLEM_MALFORMED, "%s", reader->error);
		return;
	}
	fault_set(&f, FAULT_INVALID, "", "%s", reader->error);
	problem_answer(r, &f);
}

void api_import(struct api *api, struct http_request *r)
{
	struct import_reader reader = { .on_mapping = on_mapping };
	struct import *import = calloc(1, sizeof(*import));
	bool replace;
	int error;

	if (!import) {
		api_answer_no_memory(r);
		return;
	}
	import->request = r;
	import->table = gateway_table(api->gateway);
	reader.arg = import;
	error = import_read(&reader, r->body, &replace);
	if (!error)
		error = submit(api, import, replace);
	if (!error)
		return;
	if (error == -EBADMSG)
		answer_unreadable(r, &reader);
	else if (!import->refused)
		api_answer_no_memory(r);
	import_free(import);
}

void api_export(struct api *api, struct http_request *r)
{
	struct http_answer a = { .status = 200, .content_type = "application/json" };
	struct mapping **mappings;
	size_t n;

	gateway_turn(api->gateway);
	if (mapping_table_list(gateway_table(api->gateway), &mappings, &n) < 0) {
		api_answer_no_memory(r);
		return;
	}
	text_puts(&a.body, "{\"portwright\": 1, \"mappings\": [");
	for (size_t i = 0; i < n; i++) {
		text_puts(&a.body, i ? ",\n" : "\n");
		text_json_take(&a.body, mapping_to_export_json(mappings[i]));
	}
	text_puts(&a.body, "\n]}\n");
	free(mappings);
	http_answer(r, &a);
}
