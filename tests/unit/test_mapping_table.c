/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every allocation of the table is made to fail in turn: the linker sends malloc(), calloc() and
 * reallocarray() through the wrappers below (--wrap, in meson.build).
 */
#include "core/mapping_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static int allocations_left = -1; /* -1: any number */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *at, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *at, size_t n, size_t size);

static bool may_allocate(void)
{
	if (allocations_left == 0)
		return false;
	if (allocations_left > 0)
		allocations_left--;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_reallocarray(void *at, size_t n, size_t size)
{
	return may_allocate() ? __real_reallocarray(at, n, size) : NULL;
}

static struct addr addr_of(const char *text)
{
	struct addr a = { 0 };

	if (text)
		assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

static struct port_range range_of(const char *text)
{
	struct port_range r;

	assert_int_equal(parse_port_range(slice_of(text), &r), 0);
	return r;
}

/* "tcp", external address or NULL, external ports, client, internal ports. */
static struct mapping_spec spec_of(const char *protocol, const char *external_addr,
				   const char *external, const char *client, const char *internal)
{
	struct mapping_spec s = {
		.external_addr = addr_of(external_addr),
		.internal_client = addr_of(client),
		.external = range_of(external),
		.internal = range_of(internal),
		.enabled = true,
		.name = "",
		.app = "",
		.notes = "",
		.owner = "root",
	};

	assert_int_equal(parse_protocol(slice_of(protocol), &s.protocols), 0);
	return s;
}

static struct mapping *new_mapping(const struct mapping_spec *s, uint32_t id)
{
	struct mapping *m = mapping_new(s, id, 1);

	assert_non_null(m);
	return m;
}

/* The table keeps the only reference. */
static struct mapping *add(struct mapping_table *t, const struct mapping_spec *s, uint32_t id,
			   struct source_moves *moves)
{
	struct mapping *m = new_mapping(s, id);

	assert_int_equal(mapping_table_replace(t, NULL, m, moves), 0);
	mapping_unref(m);
	return m;
}

static struct mapping_table *table;

static int setup(void **state)
{
	return mapping_table_new(&table);
}

static int teardown(void **state)
{
	mapping_table_free(table);
	return 0;
}

static void test_life(void **state)
{
	struct mapping_spec s = spec_of("tcp", NULL, "8888", "192.168.69.110", "80");
	struct mapping *one = new_mapping(&s, 7), *two = new_mapping(&s, 7);
	struct addr client = s.internal_client;

	assert_int_equal(mapping_table_count(table), 0);
	assert_null(mapping_table_by_id(table, 7));
	assert_int_equal(mapping_table_replace(table, NULL, one, NULL), 0);
	assert_int_equal(one->references, 2);
	assert_non_null(one->places);
	assert_ptr_equal(mapping_table_by_id(table, 7), one);
	assert_int_equal(mapping_table_count_by_owner(table, "root"), 1);
	assert_int_equal(mapping_table_count_by_owner(table, "roo"), 0);
	assert_int_equal(mapping_table_count_by_client(table, &client), 1);

	assert_int_equal(mapping_table_replace(table, one, two, NULL), 0);
	assert_int_equal(one->references, 1);
	assert_null(one->places);
	assert_ptr_equal(mapping_table_by_id(table, 7), two);
	assert_int_equal(mapping_table_count(table), 1);
	assert_int_equal(mapping_table_count_by_owner(table, "root"), 1);

	/* and back, as an undo does */
	assert_int_equal(mapping_table_replace(table, two, one, NULL), 0);
	assert_ptr_equal(mapping_table_by_id(table, 7), one);
	assert_int_equal(mapping_table_replace(table, one, NULL, NULL), 0);
	assert_int_equal(mapping_table_count(table), 0);
	assert_null(mapping_table_by_id(table, 7));
	assert_int_equal(mapping_table_count_by_owner(table, "root"), 0);
	assert_int_equal(mapping_table_count_by_client(table, &client), 0);
	assert_int_equal(one->references, 1);
	assert_int_equal(two->references, 1);
	mapping_unref(one);
	mapping_unref(two);
	mapping_table_free(NULL);
}

static int count_up_to(void *arg, struct mapping *m)
{
	return --*(int *)arg == 0 ? 42 : 0;
}

static void test_list(void **state)
{
	struct mapping_spec s = spec_of("both", NULL, "1", "10.0.0.1", "1");
	struct mapping **list = (struct mapping **)&s;
	size_t n = 9;
	int visits;

	assert_int_equal(mapping_table_list(table, &list, &n), 0);
	assert_null(list);
	assert_int_equal(n, 0);
	for (uint16_t i = 0; i < 100; i++) {
		s.external.first = s.external.last = (uint16_t)(i + 1);
		add(table, &s, (i * 37u) % 100 + 1, NULL);
	}
	assert_int_equal(mapping_table_list(table, &list, &n), 0);
	assert_int_equal(n, 100);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(list[i]->id, i + 1);
	free(list);
	visits = 30;
	assert_int_equal(mapping_table_each(table, count_up_to, &visits), 42);
	assert_int_equal(visits, 0);
	visits = 1000;
	assert_int_equal(mapping_table_each(table, count_up_to, &visits), 0);
	assert_int_equal(visits, 900);
}

/*
 * Conflicts. What is in the table, what comes, and whether they can both be.
 */
struct conflict_case {
	const char *protocol, *external_addr, *external, *client, *remote;
	const char *protocol2, *external_addr2, *external2, *client2, *remote2;
	bool conflict;
};

#define CLIENT "192.168.69.110"
static const struct conflict_case conflict_cases[] = {
	{ "tcp", NULL, "8888", CLIENT, NULL, "tcp", NULL, "8888", CLIENT, NULL, true },
	{ "tcp", NULL, "8888", CLIENT, NULL, "tcp", NULL, "8889", CLIENT, NULL, false },
	{ "tcp", NULL, "8888", CLIENT, NULL, "udp", NULL, "8888", CLIENT, NULL, false },
	{ "both", NULL, "8888", CLIENT, NULL, "udp", NULL, "8888", CLIENT, NULL, true },
	{ "udp", NULL, "8888", CLIENT, NULL, "both", NULL, "8888", CLIENT, NULL, true },
	/* ranges, at their edges */
	{ "tcp", NULL, "8000-8003", CLIENT, NULL, "tcp", NULL, "8003", CLIENT, NULL, true },
	{ "tcp", NULL, "8000-8003", CLIENT, NULL, "tcp", NULL, "8004", CLIENT, NULL, false },
	{ "tcp", NULL, "8000-8003", CLIENT, NULL, "tcp", NULL, "7000-8000", CLIENT, NULL, true },
	{ "tcp", NULL, "8001", CLIENT, NULL, "tcp", NULL, "1-65535", CLIENT, NULL, true },
	/* addresses: none given means every one */
	{ "tcp", "203.0.113.7", "80", CLIENT, NULL, "tcp", "203.0.113.7", "80", CLIENT, NULL,
	  true },
	{ "tcp", "203.0.113.7", "80", CLIENT, NULL, "tcp", "203.0.113.8", "80", CLIENT, NULL,
	  false },
	{ "tcp", "203.0.113.7", "80", CLIENT, NULL, "tcp", NULL, "80", CLIENT, NULL, true },
	{ "tcp", NULL, "80", CLIENT, NULL, "tcp", "203.0.113.7", "80", CLIENT, NULL, true },
	/* remote hosts */
	{ "tcp", NULL, "80", CLIENT, "10.0.0.0/8", "tcp", NULL, "80", CLIENT, "11.0.0.0/8", false },
	{ "tcp", NULL, "80", CLIENT, "10.0.0.0/8", "tcp", NULL, "80", CLIENT, "10.1.0.0/16", true },
	{ "tcp", NULL, "80", CLIENT, "10.1.0.0/16", "tcp", NULL, "80", CLIENT, "10.0.0.0/8", true },
	{ "tcp", NULL, "80", CLIENT, "10.0.0.0/8", "tcp", NULL, "80", CLIENT, NULL, true },
	{ "tcp", NULL, "80", CLIENT, NULL, "tcp", NULL, "80", CLIENT, "10.0.0.0/8", true },
	/* pinholes: the client is the address */
	{ "tcp", NULL, "80", "2001:db8::5", NULL, "tcp", NULL, "80", "2001:db8::5", NULL, true },
	{ "tcp", NULL, "80", "2001:db8::5", NULL, "tcp", NULL, "80", "2001:db8::6", NULL, false },
	{ "tcp", NULL, "80", "2001:db8::5", NULL, "tcp", NULL, "80", CLIENT, NULL, false },
	{ "tcp", NULL, "80", CLIENT, NULL, "tcp", NULL, "80", "2001:db8::5", NULL, false },
	{ "tcp", "2001:db8::5", "80", "2001:db8::5", NULL, "tcp", NULL, "80", "2001:db8::5", NULL,
	  true },
};

static void restrict_to(struct mapping_spec *s, const char *remote, struct prefix *room)
{
	if (!remote)
		return;
	assert_int_equal(parse_prefix(slice_of(remote), room), 0);
	s->remote_hosts = room;
	s->n_remote_hosts = 1;
}

static void test_conflicts(void **state)
{
	for (size_t i = 0; i < N_OF(conflict_cases); i++) {
		const struct conflict_case *c = &conflict_cases[i];
		struct mapping_spec there = spec_of(c->protocol, c->external_addr, c->external,
						    c->client, "9000");
		struct mapping_spec comes = spec_of(c->protocol2, c->external_addr2, c->external2,
						    c->client2, "9000");
		struct prefix room, room2;
		struct mapping *m;

		restrict_to(&there, c->remote, &room);
		restrict_to(&comes, c->remote2, &room2);
		there.enabled = i % 2; /* a disabled one keeps its place */
		m = add(table, &there, 1, NULL);
		assert_ptr_equal(mapping_table_conflict(table, &comes, 0), c->conflict ? m : NULL);
		assert_null(mapping_table_conflict(table, &comes, 1));
		assert_int_equal(mapping_table_replace(table, m, NULL, NULL), 0);
	}
}

static void test_auto_conflicts_with_nobody(void **state)
{
	struct mapping_spec s = spec_of("tcp", NULL, "1-65535", CLIENT, "1-65535");

	add(table, &s, 1, NULL);
	s.external = (struct port_range){ 0, 0 };
	assert_null(mapping_table_conflict(table, &s, 0));
}

static void test_remote_lists_merge(void **state)
{
	struct prefix a[3], b[3];
	struct mapping_spec s = spec_of("tcp", NULL, "80", CLIENT, "80");

	assert_int_equal(parse_prefix(SLICE("10.0.0.0/8"), &a[0]), 0);
	assert_int_equal(parse_prefix(SLICE("20.0.0.0/8"), &a[1]), 0);
	assert_int_equal(parse_prefix(SLICE("30.0.0.0/8"), &a[2]), 0);
	assert_int_equal(parse_prefix(SLICE("15.0.0.0/8"), &b[0]), 0);
	assert_int_equal(parse_prefix(SLICE("25.0.0.0/8"), &b[1]), 0);
	assert_int_equal(parse_prefix(SLICE("30.1.2.3"), &b[2]), 0);
	s.remote_hosts = a;
	s.n_remote_hosts = 3;
	add(table, &s, 1, NULL);
	s.remote_hosts = b;
	assert_non_null(mapping_table_conflict(table, &s, 0));
	s.n_remote_hosts = 2;
	assert_null(mapping_table_conflict(table, &s, 0));
}

static uint32_t find(uint8_t protocol, const char *external, uint16_t port, const char *remote)
{
	struct addr e = addr_of(external), r = addr_of(remote);
	struct mapping *m = mapping_table_by_external(table, protocol, &e, port,
						      remote ? &r : NULL);

	return m ? m->id : 0;
}

static void test_by_external(void **state)
{
	struct mapping_spec s = spec_of("tcp", NULL, "8000-8003", CLIENT, "9000-9003");
	struct prefix room;

	add(table, &s, 1, NULL);
	s = spec_of("both", "203.0.113.7", "443", CLIENT, "443");
	add(table, &s, 2, NULL);
	s = spec_of("tcp", NULL, "22", CLIENT, "22");
	restrict_to(&s, "10.0.0.0/8", &room);
	add(table, &s, 3, NULL);
	restrict_to(&s, "11.0.0.0/8", &room);
	add(table, &s, 4, NULL);
	s = spec_of("udp", NULL, "443", "2001:db8::5", "443");
	s.enabled = false;
	add(table, &s, 5, NULL);

	assert_int_equal(find(PROTOCOL_TCP, NULL, 8000, NULL), 1);
	assert_int_equal(find(PROTOCOL_TCP, "203.0.113.7", 8003, "198.51.100.1"), 1);
	assert_int_equal(find(PROTOCOL_TCP, NULL, 8004, NULL), 0);
	assert_int_equal(find(PROTOCOL_UDP, NULL, 8000, NULL), 0);
	assert_int_equal(find(PROTOCOL_UDP, "203.0.113.7", 443, NULL), 2);
	assert_int_equal(find(PROTOCOL_TCP, "203.0.113.8", 443, NULL), 0);
	assert_int_equal(find(PROTOCOL_TCP, NULL, 443, NULL), 2);
	assert_int_equal(find(PROTOCOL_BOTH, NULL, 443, NULL), 2);
	assert_int_equal(find(PROTOCOL_TCP, NULL, 22, "10.9.9.9"), 3);
	assert_int_equal(find(PROTOCOL_TCP, NULL, 22, "11.9.9.9"), 4);
	assert_int_equal(find(PROTOCOL_TCP, NULL, 22, "12.9.9.9"), 0);
	assert_int_equal(find(PROTOCOL_TCP, NULL, 22, NULL), 3);
	assert_int_equal(find(PROTOCOL_UDP, "2001:db8::5", 443, NULL), 5);
	assert_int_equal(find(PROTOCOL_UDP, "2001:db8::5", 443, "2001:db8:9::1"), 5);
	assert_int_equal(find(PROTOCOL_TCP, "2001:db8::5", 443, NULL), 0);
	assert_int_equal(find(PROTOCOL_UDP, "2001:db8::6", 443, NULL), 0);
}

/*
 * Sources. Moves are written as text, "-m1/tcp +m2/tcp", to compare a hand-over at one look.
 */
static const char *take_moves(struct source_moves *moves)
{
	static char text[512];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < moves->n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%cm%u/%s", i ? " " : "",
					moves->at[i].held ? '+' : '-', moves->at[i].mapping->id,
					protocol_name(moves->at[i].protocol));
	moves->n = 0;
	return text;
}

/* Keeps a reference to what leaves until the moves are written down. */
static const char *change(struct mapping *before, struct mapping *after)
{
	struct source_moves moves = { 0 };
	const char *text;

	if (before)
		mapping_ref(before);
	assert_int_equal(mapping_table_replace(table, before, after, &moves), 0);
	text = take_moves(&moves);
	mapping_unref(before);
	mapping_unref(after);
	source_moves_free(&moves);
	assert_null(moves.at);
	return text;
}

static struct mapping *to_camera(uint32_t id, const char *protocol, const char *internal)
{
	char external[PORT_RANGE_TEXT_MAX];
	struct port_range r = range_of(internal);
	struct mapping_spec s;

	/* external ports that never touch those of another id */
	format_port_range((struct port_range){ (uint16_t)(id * 1000),
					       (uint16_t)(id * 1000 + r.last - r.first) },
			  external);
	s = spec_of(protocol, NULL, external, CLIENT, internal);
	return new_mapping(&s, id);
}

static void test_by_internal(void **state)
{
	struct mapping_spec s = spec_of("tcp", NULL, "8888", "192.168.69.110", "80");
	struct mapping_spec both = spec_of("both", NULL, "9070-9090", "192.168.69.110", "70-90");
	struct mapping_spec hole = spec_of("tcp", NULL, "80", "2001:db8::5", "80");
	struct addr client = s.internal_client;
	struct mapping *off, *on, *range, *pinhole;

	s.enabled = false;
	off = add(table, &s, 1, NULL);
	s.enabled = true;
	s.external = range_of("8080");
	on = add(table, &s, 2, NULL);
	range = add(table, &both, 3, NULL);
	pinhole = add(table, &hole, 4, NULL);

	assert_ptr_equal(mapping_table_by_internal(table, PROTOCOL_TCP, &client, 80, NULL), range);
	assert_ptr_equal(mapping_table_by_internal(table, PROTOCOL_TCP, &client, 80, range), off);
	assert_ptr_equal(mapping_table_by_internal(table, PROTOCOL_TCP, &client, 80, off), on);
	assert_null(mapping_table_by_internal(table, PROTOCOL_TCP, &client, 80, on));
	assert_ptr_equal(mapping_table_by_internal(table, PROTOCOL_UDP, &client, 80, NULL), range);
	assert_null(mapping_table_by_internal(table, PROTOCOL_UDP, &client, 80, range));
	assert_null(mapping_table_by_internal(table, PROTOCOL_TCP, &client, 91, NULL));
	assert_ptr_equal(mapping_table_by_client(table, PROTOCOL_TCP, &client, off), on);
	client = hole.internal_client;
	assert_ptr_equal(mapping_table_by_internal(table, PROTOCOL_TCP, &client, 80, NULL),
			 pinhole);
	assert_null(mapping_table_by_internal(table, PROTOCOL_UDP, &client, 80, NULL));

	/* a walk may delete as it goes */
	client = s.internal_client;
	mapping_ref(off);
	assert_int_equal(mapping_table_replace(table, off, NULL, NULL), 0);
	assert_ptr_equal(mapping_table_by_internal(table, PROTOCOL_TCP, &client, 80, off), on);
	mapping_unref(off);
}

static void test_first_comer_holds_the_source(void **state)
{
	struct mapping *one = to_camera(1, "tcp", "554"), *two = to_camera(2, "tcp", "554"),
		       *three = to_camera(3, "udp", "554"), *four = to_camera(4, "both", "554");

	assert_string_equal(change(NULL, two), "+m2/tcp");
	assert_string_equal(change(NULL, one), "");
	assert_string_equal(change(NULL, three), "+m3/udp");
	assert_string_equal(change(NULL, four), "");
	assert_true(mapping_holds_source(two, PROTOCOL_TCP));
	assert_false(mapping_holds_source(two, PROTOCOL_UDP));
	assert_false(mapping_holds_source(one, PROTOCOL_TCP));
	assert_string_equal(change(two, NULL), "-m2/tcp +m1/tcp");
	assert_string_equal(change(three, NULL), "-m3/udp +m4/udp");
	assert_string_equal(change(one, NULL), "-m1/tcp +m4/tcp");
	assert_true(mapping_holds_source(four, PROTOCOL_UDP));
	assert_string_equal(change(four, NULL), "-m4/tcp -m4/udp");
}

static struct mapping *with(struct mapping *m, bool enabled)
{
	struct mapping_spec s = m->spec;

	s.enabled = enabled;
	return new_mapping(&s, m->id);
}

static void test_disabled_holds_none(void **state)
{
	struct mapping *one = to_camera(1, "tcp", "554"), *two = to_camera(2, "tcp", "554"), *next;

	assert_string_equal(change(NULL, one), "+m1/tcp");
	assert_string_equal(change(NULL, two), "");
	next = with(one, false);
	assert_string_equal(change(one, next), "-m1/tcp +m2/tcp");
	one = next;
	next = with(one, true);
	assert_string_equal(change(one, next), "");
	one = next;
	assert_string_equal(change(two, NULL), "-m2/tcp +m1/tcp");
	next = with(one, false);
	assert_string_equal(change(one, next), "-m1/tcp");
}

static void test_pinhole_holds_none(void **state)
{
	struct mapping_spec s = spec_of("both", NULL, "443", "2001:db8::5", "443");
	struct mapping *m = new_mapping(&s, 1);

	assert_string_equal(change(NULL, m), "");
	assert_false(mapping_holds_source(m, PROTOCOL_TCP));
}

/* A change of anything but the endpoint passes the source on directly, over those who wait. */
static void test_change_keeps_the_source(void **state)
{
	struct mapping *two = to_camera(2, "both", "554"), *one = to_camera(1, "both", "554"),
		       *next = to_camera(2, "both", "554");

	change(NULL, two);
	change(NULL, one);
	assert_string_equal(change(two, next), "-m2/tcp -m2/udp +m2/tcp +m2/udp");
	two = next;
	next = to_camera(2, "tcp", "554");
	assert_string_equal(change(two, next), "-m2/tcp -m2/udp +m2/tcp +m1/udp");
	two = next;
	next = to_camera(2, "tcp", "555");
	assert_string_equal(change(two, next), "-m2/tcp +m2/tcp +m1/tcp");
}

static void test_ranges_share_out_what_is_left(void **state)
{
	struct mapping *all = to_camera(1, "tcp", "9000-9009"),
		       *low = to_camera(2, "tcp", "9000-9003"),
		       *low2 = to_camera(3, "tcp", "9000-9001"),
		       *across = to_camera(4, "tcp", "9003-9005"),
		       *one = to_camera(5, "tcp", "9005"), *high = to_camera(6, "tcp", "9009-9012"),
		       *before = to_camera(7, "tcp", "8999-9000");

	assert_string_equal(change(NULL, all), "+m1/tcp");
	assert_string_equal(change(NULL, high), "");
	assert_string_equal(change(NULL, one), "");
	assert_string_equal(change(NULL, across), "");
	assert_string_equal(change(NULL, low2), "");
	assert_string_equal(change(NULL, low), "");
	assert_string_equal(change(all, NULL), "-m1/tcp +m2/tcp +m5/tcp +m6/tcp");
	assert_string_equal(change(NULL, before), "");
	assert_string_equal(change(low, NULL), "-m2/tcp +m7/tcp");
	assert_string_equal(change(one, NULL), "-m5/tcp +m4/tcp");
	assert_string_equal(change(before, NULL), "-m7/tcp +m3/tcp");
}

static void test_a_range_of_60000_is_one(void **state)
{
	struct mapping_spec wide = spec_of("both", NULL, "1024-61023", CLIENT, "2024-62023"), s;
	struct mapping *m;

	m = add(table, &wide, 1, NULL);
	assert_int_equal(find(PROTOCOL_UDP, NULL, 61023, NULL), 1);
	assert_int_equal(find(PROTOCOL_UDP, NULL, 61024, NULL), 0);
	s = spec_of("tcp", NULL, "30000", CLIENT, "80");
	assert_ptr_equal(mapping_table_conflict(table, &s, 0), m);
}

/*
 * Out of memory, at every allocation: the table answers as before.
 */
static void test_out_of_memory(void **state)
{
	struct mapping *holder = to_camera(1, "both", "554"),
		       *waiting = to_camera(2, "both", "554");
	struct mapping_spec s = spec_of("both", "203.0.113.7", "80", "192.168.69.111", "80");
	struct source_moves moves = { 0 };
	struct mapping *after;
	int r, n;

	s.owner = "somebody else";
	after = new_mapping(&s, 1);
	change(NULL, holder);
	change(NULL, waiting);
	for (n = 0;; n++) {
		allocations_left = n;
		r = mapping_table_replace(table, holder, after, &moves);
		allocations_left = -1;
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(moves.n, 0);
		assert_null(after->places);
		assert_int_equal(after->references, 1);
		assert_int_equal(mapping_table_count(table), 2);
		assert_ptr_equal(mapping_table_by_id(table, 1), holder);
		assert_true(mapping_holds_source(holder, PROTOCOL_TCP));
		assert_false(mapping_holds_source(waiting, PROTOCOL_TCP));
		assert_int_equal(find(PROTOCOL_TCP, "203.0.113.7", 80, NULL), 0);
		assert_int_equal(mapping_table_count_by_owner(table, "somebody else"), 0);
		assert_int_equal(mapping_table_count_by_client(table, &s.internal_client), 0);
	}
	assert_true(n >= 5); /* the entry, line, client, owner, moves */
	assert_ptr_equal(mapping_table_by_id(table, 1), after);
	assert_true(mapping_holds_source(waiting, PROTOCOL_TCP));
	mapping_unref(after);
	source_moves_free(&moves);

	allocations_left = 0;
	assert_int_equal(mapping_table_list(table, &(struct mapping **){ NULL }, &(size_t){ 0 }),
			 -ENOMEM);
	assert_int_equal(mapping_table_new(&(struct mapping_table *){ NULL }), -ENOMEM);
	allocations_left = -1;
}

/* The first mapping of all makes the hash tables as well. */
static void test_out_of_memory_when_empty(void **state)
{
	struct mapping *m = to_camera(1, "both", "554");
	int r = -ENOMEM;

	for (int n = 0; r < 0; n++) {
		allocations_left = n;
		r = mapping_table_replace(table, NULL, m, NULL);
		allocations_left = -1;
		if (r < 0)
			assert_int_equal(mapping_table_count(table), 0);
	}
	assert_ptr_equal(mapping_table_by_id(table, 1), m);
	mapping_unref(m);
}

/*
 * Random operations against a model that asks everybody about everything.
 */
enum { MODEL_N = 120, MODEL_STEPS = 20000 };

struct model {
	struct mapping *all[MODEL_N + 1]; /* by id */
	bool held[MODEL_N + 1][2];
	uint32_t seed;
};

static uint32_t next_random(struct model *model, uint32_t below)
{
	model->seed ^= model->seed << 13;
	model->seed ^= model->seed >> 17;
	model->seed ^= model->seed << 5;
	return model->seed % below;
}

static const uint8_t model_protocols[2] = { PROTOCOL_TCP, PROTOCOL_UDP };

static bool ranges_touch(struct port_range a, struct port_range b)
{
	return a.first <= b.last && b.first <= a.last;
}

static bool remotes_touch(const struct mapping_spec *a, const struct mapping_spec *b)
{
	bool touch = !a->n_remote_hosts || !b->n_remote_hosts;

	for (uint32_t i = 0; i < a->n_remote_hosts; i++)
		for (uint32_t k = 0; k < b->n_remote_hosts; k++)
			touch |= prefix_overlaps(&a->remote_hosts[i], &b->remote_hosts[k]);
	return touch;
}

static bool model_conflict(const struct mapping_spec *a, const struct mapping_spec *b)
{
	bool six = mapping_is_pinhole(a);

	if (six != mapping_is_pinhole(b) || !(a->protocols & b->protocols))
		return false;
	if (six && !addr_eq(&a->internal_client, &b->internal_client))
		return false;
	if (!six && addr_is_set(&a->external_addr) && addr_is_set(&b->external_addr) &&
	    !addr_eq(&a->external_addr, &b->external_addr))
		return false;
	return ranges_touch(a->external, b->external) && remotes_touch(a, b);
}

static struct mapping_spec random_spec(struct model *model, struct prefix room[static 2])
{
	static const char *const externals[] = { NULL, NULL, "203.0.113.7", "203.0.113.8" };
	static const char *const clients[] = { "10.0.0.1", "10.0.0.1", "10.0.0.2", "2001:db8::5" };
	static const char *const owners[] = { "root", "camera", "" };
	uint16_t width = next_random(model, 3) ? 0 : (uint16_t)next_random(model, 6);
	uint16_t external = (uint16_t)(1 + next_random(model, 150));
	uint16_t internal = (uint16_t)(1 + next_random(model, 12));
	struct mapping_spec s = {
		.internal_client = addr_of(clients[next_random(model, N_OF(clients))]),
		.external = { external, external + width },
		.internal = { internal, internal + width },
		.protocols = (uint8_t)(1 + next_random(model, 3)),
		.origin = (uint8_t)next_random(model, ORIGIN_RTSP + 1),
		.enabled = next_random(model, 4) != 0,
		.owner = owners[next_random(model, N_OF(owners))],
		.remote_hosts = room,
	};

	if (mapping_is_pinhole(&s))
		s.internal = s.external;
	else
		s.external_addr = addr_of(externals[next_random(model, N_OF(externals))]);
	for (uint32_t n = next_random(model, 3); s.n_remote_hosts < n; s.n_remote_hosts++) {
		room[s.n_remote_hosts].addr = addr_of("10.0.0.0");
		room[s.n_remote_hosts].addr.in6.s6_addr[13] =
			(uint8_t)(2 * next_random(model, 4) + 8 * s.n_remote_hosts);
		room[s.n_remote_hosts].length = (uint8_t)(15 + next_random(model, 2));
	}
	return s;
}

/* Somebody other than `except` holds one of m's internal ports. */
static bool model_blocked(const struct model *model, const struct mapping *m, int p)
{
	for (uint32_t id = 1; id <= MODEL_N; id++) {
		const struct mapping *o = model->all[id];

		if (o && o != m && model->held[id][p] &&
		    addr_eq(&o->spec.internal_client, &m->spec.internal_client) &&
		    ranges_touch(o->spec.internal, m->spec.internal))
			return true;
	}
	return false;
}

static void model_try(struct model *model, struct mapping *m, int p)
{
	if (m && m->spec.enabled && !mapping_is_pinhole(&m->spec) &&
	    (m->spec.protocols & model_protocols[p]) && !model->held[m->id][p] &&
	    !model_blocked(model, m, p))
		model->held[m->id][p] = true;
}

/* Everybody is asked, by first internal port and id. */
static void model_replace(struct model *model, uint32_t id, struct mapping *after)
{
	for (int p = 0; p < 2; p++)
		model->held[id][p] = false;
	model->all[id] = after;
	for (int p = 0; p < 2; p++) {
		model_try(model, after, p);
		for (uint32_t first = 1; first <= 200; first++)
			for (uint32_t other = 1; other <= MODEL_N; other++)
				if (model->all[other] &&
				    model->all[other]->spec.internal.first == first)
					model_try(model, model->all[other], p);
	}
}

/* The moves, played on what was held before, lead to what is held now, and on the way nobody holds
 * what another holds. */
static void replay(bool held[MODEL_N + 1][2], const struct source_moves *moves)
{
	for (size_t i = 0; i < moves->n; i++) {
		const struct source_move *move = &moves->at[i];
		bool *h = &held[move->mapping->id][move->protocol == PROTOCOL_UDP];

		assert_int_equal(*h, !move->held);
		*h = move->held;
	}
}

static void check_questions(struct model *model)
{
	static const char *const externals[] = { NULL, "203.0.113.7", "203.0.113.9",
						 "2001:db8::5" };
	uint8_t protocol = model_protocols[next_random(model, 2)];
	uint16_t port = (uint16_t)(1 + next_random(model, 150));
	struct mapping_spec probe = { .protocols = protocol, .external = { port, port } };
	struct prefix host = { .length = 32 };
	struct mapping *m;
	bool any = false;

	probe.external_addr = addr_of(externals[next_random(model, N_OF(externals))]);
	if (addr_is_set(&probe.external_addr) && !addr_is_v4(&probe.external_addr))
		probe.internal_client = probe.external_addr;
	host.addr = addr_of("10.0.0.1");
	host.addr.in6.s6_addr[13] = (uint8_t)next_random(model, 20);
	if (next_random(model, 2)) {
		probe.remote_hosts = &host;
		probe.n_remote_hosts = 1;
	}
	m = mapping_table_by_external(table, protocol, &probe.external_addr, port,
				      probe.n_remote_hosts ? &host.addr : NULL);
	for (uint32_t id = 1; id <= MODEL_N; id++)
		any |= model->all[id] && model_conflict(&model->all[id]->spec, &probe);
	assert_int_equal(m != NULL, any);
	if (m)
		assert_true(model_conflict(&m->spec, &probe));
}

static bool model_leads_to(const struct mapping *m, uint8_t protocol, const struct addr *client,
			   struct port_range ports)
{
	return m && (m->spec.protocols & protocol) && addr_eq(&m->spec.internal_client, client) &&
	       ranges_touch(m->spec.internal, ports);
}

static bool model_comes_before(const struct mapping *a, const struct mapping *b)
{
	return a->spec.internal.first != b->spec.internal.first
		       ? a->spec.internal.first < b->spec.internal.first
		       : a->id < b->id;
}

/* A walk over what leads to one port, or to any, visits each of them once and in order. */
static void check_internal(struct model *model)
{
	static const char *const clients[] = { "10.0.0.1", "10.0.0.2", "2001:db8::5", "10.0.0.9" };
	struct addr client = addr_of(clients[next_random(model, N_OF(clients))]);
	uint8_t protocol = model_protocols[next_random(model, 2)];
	uint16_t port = (uint16_t)(next_random(model, 20));
	struct port_range ports = { port, port };
	struct mapping *last = NULL, *m;
	size_t n = 0;

	if (!port)
		ports.last = UINT16_MAX;
	for (uint32_t id = 1; id <= MODEL_N; id++)
		n += model_leads_to(model->all[id], protocol, &client, ports);
	while ((m = port ? mapping_table_by_internal(table, protocol, &client, port, last)
			 : mapping_table_by_client(table, protocol, &client, last))) {
		assert_ptr_equal(model->all[m->id], m);
		assert_true(model_leads_to(m, protocol, &client, ports));
		assert_true(!last || model_comes_before(last, m));
		last = m;
		n--;
	}
	assert_int_equal(n, 0);
}

static void check_state(struct model *model)
{
	size_t n = 0, owned = 0, clients = 0, devices = 0;
	struct addr client = addr_of("10.0.0.1");

	for (uint32_t id = 1; id <= MODEL_N; id++) {
		struct mapping *m = model->all[id];

		assert_ptr_equal(mapping_table_by_id(table, id), m);
		if (!m)
			continue;
		n++;
		owned += strcmp(m->spec.owner, "camera") == 0;
		devices += m->spec.origin != ORIGIN_OPERATOR && m->spec.origin != ORIGIN_RTSP;
		clients += addr_eq(&m->spec.internal_client, &client);
		for (int p = 0; p < 2; p++)
			assert_int_equal(mapping_holds_source(m, model_protocols[p]),
					 model->held[id][p]);
	}
	assert_int_equal(mapping_table_count(table), n);
	assert_int_equal(mapping_table_count_by_owner(table, "camera"), owned);
	assert_int_equal(mapping_table_count_by_client(table, &client), clients);
	assert_int_equal(mapping_table_count_by_devices(table), devices);
	check_internal(model);
}

/* The mapping that takes the place of `id`, unless it conflicts with another; NULL to delete. */
static bool choose_change(struct model *model, uint32_t id, struct mapping **ret)
{
	struct prefix room[2];
	struct mapping_spec s;
	bool conflict = false;
	struct mapping *found;

	*ret = NULL;
	if (model->all[id] && next_random(model, 2))
		return true;
	s = random_spec(model, room);
	found = mapping_table_conflict(table, &s, id);
	for (uint32_t other = 1; other <= MODEL_N; other++)
		conflict |= other != id && model->all[other] &&
			    model_conflict(&model->all[other]->spec, &s);
	assert_int_equal(found != NULL, conflict);
	if (found)
		assert_true(found->id != id && model_conflict(&found->spec, &s));
	else
		*ret = new_mapping(&s, id);
	return !found;
}

static void test_against_a_model(void **state)
{
	static struct model model = { .seed = 2463534242 };
	static bool held[MODEL_N + 1][2];
	struct source_moves moves = { 0 };
	size_t changes = 0;

	for (int step = 0; step < MODEL_STEPS; step++) {
		uint32_t id = 1 + next_random(&model, MODEL_N);
		struct mapping *before = model.all[id], *after;

		if (!choose_change(&model, id, &after))
			continue;
		changes++;
		memcpy(held, model.held, sizeof(held));
		if (before)
			mapping_ref(before);
		assert_int_equal(mapping_table_replace(table, before, after, &moves), 0);
		mapping_unref(after);
		model_replace(&model, id, after);
		replay(held, &moves);
		assert_memory_equal(held, model.held, sizeof(held));
		moves.n = 0;
		mapping_unref(before);
		check_questions(&model);
		if (step % 16 == 0)
			check_state(&model);
	}
	assert_true(changes > MODEL_STEPS / 3);
	source_moves_free(&moves);
}

/*
 * Cost. A square somewhere in 65,000 would take minutes; the limit leaves room for sanitizers.
 */
enum { MANY = 65000, LIMIT_SECONDS = 20 };

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_many(struct mapping_spec *s, bool one_endpoint)
{
	struct in_addr client;

	for (uint32_t i = 0; i < MANY; i++) {
		s->external.first = s->external.last = (uint16_t)(i + 1);
		if (!one_endpoint) {
			client.s_addr = htonl(0x0a000000 + i);
			s->internal_client = addr_from_v4(client);
		}
		assert_null(mapping_table_conflict(table, s, 0));
		add(table, s, i + 1, NULL);
	}
}

static void delete_many(struct source_moves *moves)
{
	for (uint32_t i = 0; i < MANY; i++) {
		moves->n = 0;
		assert_int_equal(mapping_table_replace(table, mapping_table_by_id(table, i + 1),
						       NULL, moves),
				 0);
	}
	assert_int_equal(mapping_table_count(table), 0);
}

static void test_cost_of_many(void **state)
{
	struct mapping_spec s = spec_of("tcp", NULL, "1", CLIENT, "554");
	struct source_moves moves = { 0 };
	double start, limit;

	for (int one_endpoint = 0; one_endpoint < 2; one_endpoint++) {
		start = cpu_seconds();
		s.internal_client = addr_of(CLIENT);
		add_many(&s, one_endpoint);
		delete_many(&moves);
		limit = cpu_seconds() - start;
		print_message("# %d mappings to %s: %.0f ms\n", MANY,
			      one_endpoint ? "one endpoint" : "as many clients", limit * 1000);
		assert_true(limit < LIMIT_SECONDS);
	}
	source_moves_free(&moves);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_life),
		TEST(test_list),
		TEST(test_conflicts),
		TEST(test_auto_conflicts_with_nobody),
		TEST(test_remote_lists_merge),
		TEST(test_by_external),
		TEST(test_by_internal),
		TEST(test_first_comer_holds_the_source),
		TEST(test_disabled_holds_none),
		TEST(test_pinhole_holds_none),
		TEST(test_change_keeps_the_source),
		TEST(test_ranges_share_out_what_is_left),
		TEST(test_a_range_of_60000_is_one),
		TEST(test_out_of_memory),
		TEST(test_out_of_memory_when_empty),
		TEST(test_against_a_model),
		TEST(test_cost_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
