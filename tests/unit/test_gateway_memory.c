/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every allocation fails in turn: a story is told again and again, and each time the next one
 * returns NULL, until none is left to fail.
 *
 * Whatever happens, each caller is answered once, what was acknowledged is there and what was
 * refused is not, and table, store and plane agree in the end. The story is told once more with all
 * allocations failing from there on, as on a machine that is out of memory, until the gateway gives
 * its reserve up. (Linked with --wrap.)
 */
#include "gateway_fixture.h"

#include "core/gateway_internal.h"

#include <stdbool.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_reallocarray(void *at, size_t n, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_reallocarray(void *at, size_t n, size_t size);
char *__wrap_strdup(const char *text);

/* Allocations are counted while armed; those of [from, until) fail, unless the gateway's reserve
 * has made room for them. */
static struct {
	bool armed;
	size_t count, from, until;
	const struct fixture *f;
} torture;

static bool fails(void)
{
	size_t now;

	if (!torture.armed)
		return false;
	now = torture.count++;
	if (torture.f->g && !torture.f->g->reserve)
		return false;
	return now >= torture.from && now < torture.until;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t size)
{
	return fails() ? NULL : __real_realloc(at, size);
}

void *__wrap_reallocarray(void *at, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(at, n, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

#define MAX_ADDED 80

/* What callers were told of the mappings they added. */
struct told {
	bool added[MAX_ADDED + 1]; /* by external port - 2000 */
	unsigned answers;
};

struct asked {
	struct told *told;
	uint16_t port; /* 0: not an addition */
	bool answered;
	bool refused; /* whatever becomes of it */
};

static void note_told(void *arg, const struct gateway_result *result)
{
	struct asked *a = arg;

	assert_false(a->answered);
	a->answered = true;
	a->told->answers++;
	assert_true(result->fault || !a->refused);
	if (a->port)
		a->told->added[a->port - 2000] = !result->fault;
}

static void ask(struct fixture *f, struct told *told, struct asked *a,
		const struct gateway_operation *ops, size_t n, uint16_t port)
{
	*a = (struct asked){ .told = told, .port = port };
	gateway_submit(f->g, &root, ops, n, note_told, a);
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 4; i++) {
		clock_freeze(clock_now() + 1000, clock_wall() + 1);
		gateway_expire(f->g);
		gateway_turn(f->g);
	}
}

/* Sixteen requests a turn, of which one is refused at once and one by the plane. */
static void tell_first_chapter(struct fixture *f, struct told *told, struct asked *asked)
{
	struct gateway_operation op, pair[2];

	for (uint16_t i = 0; i < 14; i++) {
		op = op_add((uint16_t)(2000 + i), 80);
		op.spec.expires = i % 3 ? 0 : clock_now() + 100000;
		ask(f, told, &asked[i], &op, 1, (uint16_t)(2000 + i));
	}
	pair[0] = op_add(2014, 81);
	pair[1] = op_add(2014, 82);
	ask(f, told, &asked[14], pair, 2, 2014);
	op = op_add(2015, 80);
	ask(f, told, &asked[15], &op, 1, 2015);
	memory_plane_tricks(f->plane)->fail_mapping = 5;
	gateway_turn(f->g);
	memory_plane_tricks(f->plane)->fail_mapping = 0;
}

/* Changes and deletions; the store fails, then it does not. */
static void tell_second_chapter(struct fixture *f, struct told *told, struct asked *asked)
{
	struct gateway_operation ops[2];

	for (unsigned round = 0; round < 2; round++) {
		memory_store_tricks(f->store)->fail_write = round == 0;
		for (uint32_t id = 1; id < 4; id++) {
			if (!mapping_of(f, id))
				continue;
			ops[0] = op_change(f, id);
			ops[0].spec.name = "renamed";
			ops[1] = op_change(f, id);
			ops[1].spec.internal = (struct port_range){ 90, 90 };
			ask(f, told, &asked[4 * round + id], ops, 2, 0);
		}
		gateway_turn(f->g);
	}
	memory_store_tricks(f->store)->fail_write = 0;
	gateway_heal(f->g, NULL);
	clock_freeze(clock_now() + 200000, clock_wall() + 200);
	gateway_expire(f->g);
	gateway_turn(f->g);
}

static const struct policy policy = {
	.min_external_port = 1024,
	.max_mappings_per_client = 8,
	.max_mappings = 8,
	.max_lifetime = 100, /* gone by the end of the third chapter */
	.own_address_only = true,
	.quarantine = true,
};

/* A device in quarantine, which asks twice for two ports and is told no each time. */
static void tell_third_chapter(struct fixture *f, struct told *told, struct asked *asked)
{
	const struct caller camera = {
		.owner = "192.168.69.110",
		.origin = ORIGIN_UPNP,
		.addr = address("192.168.69.110"),
	};
	struct gateway_operation op;

	for (unsigned i = 0; i < 4; i++) {
		op = op_add((uint16_t)(3000 + i), (uint16_t)(80 + i % 2));
		asked[i] = (struct asked){ .told = told, .refused = true };
		gateway_submit(f->g, &camera, &op, 1, note_told, &asked[i]);
		gateway_turn(f->g);
	}
	clock_freeze(clock_now() + 200000, clock_wall() + 200);
	gateway_expire(f->g);
	gateway_turn(f->g);
}

static unsigned count_asked(const struct asked *asked, size_t n)
{
	unsigned count = 0;

	for (size_t i = 0; i < n; i++)
		count += asked[i].told != NULL;
	return count;
}

static void compare(struct fixture *f, const struct told *told)
{
	const struct addr any = { 0 };

	assert_settled(f);
	for (uint16_t i = 0; i < 16; i++) {
		bool there = mapping_table_by_external(gateway_table(f->g), PROTOCOL_TCP, &any,
						       (uint16_t)(2000 + i), NULL) != NULL;
		bool leased = i % 3 == 0 && i < 14;

		assert_int_equal(there, told->added[i] && !leased);
	}
}

/* Returns whether an allocation was left to fail. */
static bool tell(size_t from, size_t until)
{
	struct fixture *f = test_malloc(sizeof(*f));
	struct asked asked[32] = { 0 };
	struct told told = { 0 };
	struct fault fault;
	bool opened;

	fixture_prepare(f);
	f->policy = &policy;
	torture.f = f;
	torture.from = from;
	torture.until = until;
	torture.count = 0;
	torture.armed = true;
	opened = fixture_start(f, &fault) == 0;
	if (opened) {
		tell_first_chapter(f, &told, asked);
		tell_second_chapter(f, &told, asked + 16);
		tell_third_chapter(f, &told, asked + 24);
	}
	torture.armed = false;
	if (opened) {
		settle(f);
		assert_int_equal(told.answers, count_asked(asked, 32));
		compare(f, &told);
		fixture_restart(f);
		compare(f, &told);
	} else {
		assert_int_equal(fault.kind, FAULT_MEMORY);
	}
	fixture_close(f);
	test_free(f);
	return torture.count > from;
}

static void test_each_allocation(void **state)
{
	size_t n = 0;

	while (tell(n, n + 1))
		n++;
	print_message("# %zu allocations failed, one at a time\n", n);
	assert_true(n > 100);
}

static void test_all_allocations_from_one_on(void **state)
{
	for (size_t n = 0; tell(n, SIZE_MAX); n++)
		continue;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation),
		cmocka_unit_test(test_all_allocations_from_one_on),
	};

	return cmocka_run_group_tests_name("gateway_memory", tests, NULL, NULL);
}
