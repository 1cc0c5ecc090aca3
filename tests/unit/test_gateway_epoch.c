/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 6886, 3.6 and RFC 6887, 8.5: what makes the epoch begin anew, and what does not. */
#include "gateway_fixture.h"

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_open(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_close(*state);
	free(*state);
	return 0;
}

static void pass(unsigned seconds)
{
	clock_freeze(clock_now() + seconds * 1000, clock_wall() + seconds);
}

/* The addresses of the site, from now on: one, or none where NULL. */
static void move_to(struct fixture *f, const char *external)
{
	struct addr a = external ? address(external) : (struct addr){ 0 };
	const struct site site = { .external = &a, .n_external = external != NULL };
	struct fault fault;

	assert_int_equal(gateway_set_site(f->g, &site, &fault), 0);
	site_free(&f->site);
	assert_int_equal(site_copy(&site, &f->site), 0);
}

static void test_over_restarts(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gateway_epoch(f->g), 0);
	pass(100);
	assert_int_equal(gateway_epoch(f->g), 100);
	fixture_restart(f);
	pass(5);
	assert_int_equal(gateway_epoch(f->g), 105);
	move_to(f, "203.0.113.7");
	fixture_restart(f);
	assert_int_equal(gateway_epoch(f->g), 105);
}

static void test_another_address(void **state)
{
	struct fixture *f = *state;

	pass(10);
	move_to(f, "203.0.113.7");
	assert_int_equal(gateway_epoch(f->g), 10);
	move_to(f, NULL);
	pass(10);
	move_to(f, "203.0.113.7");
	assert_int_equal(gateway_epoch(f->g), 20);
	move_to(f, "203.0.113.8");
	assert_int_equal(gateway_epoch(f->g), 0);
	pass(7);
	fixture_restart(f);
	assert_int_equal(gateway_epoch(f->g), 7);
}

/* The address changes while no daemon runs. */
static void test_another_address_at_the_start(void **state)
{
	struct fixture *f = *state;
	struct addr other = address("203.0.113.8");
	const struct site site = { .external = &other, .n_external = 1 };

	move_to(f, "203.0.113.7");
	pass(60);
	site_free(&f->site);
	assert_int_equal(site_copy(&site, &f->site), 0);
	fixture_restart(f);
	assert_int_equal(gateway_epoch(f->g), 0);
}

static void test_lost_store(void **state)
{
	struct fixture *f = *state;
	struct fault fault;

	pass(60);
	gateway_close(f->g);
	f->store->ops->close(f->store);
	assert_int_equal(memory_store_open(&f->store), 0);
	assert_int_equal(fixture_start(f, &fault), 0);
	assert_int_equal(gateway_epoch(f->g), 0);
}

static void test_nonsense_in_the_store(void **state)
{
	struct fixture *f = *state;
	struct fault fault;

	pass(60);
	assert_int_equal(f->store->ops->put_meta(f->store, "epoch", "yesterday", &fault), 0);
	fixture_restart(f);
	assert_int_equal(gateway_epoch(f->g), 0);
	pass(3);
	fixture_restart(f);
	assert_int_equal(gateway_epoch(f->g), 3);
}

/* What could not be stored is stored at the next turn that can. */
static void test_full_disk(void **state)
{
	struct fixture *f = *state;

	move_to(f, "203.0.113.7");
	pass(60);
	memory_store_tricks(f->store)->fail_all = true;
	move_to(f, "203.0.113.8");
	gateway_turn(f->g);
	memory_store_tricks(f->store)->fail_all = false;
	pass(5);
	gateway_turn(f->g);
	fixture_restart(f);
	assert_int_equal(gateway_epoch(f->g), 5);
}

struct listener {
	struct subscriber subscriber;
	struct fixture *f;
	uint32_t epoch;
};

static void note_epoch(struct subscriber *s, const struct event *e)
{
	struct listener *l = (struct listener *)s;

	if (e->kind == EVENT_SITE)
		l->epoch = gateway_epoch(l->f->g);
}

static void test_known_when_announced(void **state)
{
	struct fixture *f = *state;
	struct listener l = { .subscriber.notify = note_epoch, .f = f };

	move_to(f, "203.0.113.7");
	pass(60);
	gateway_subscribe(f->g, &l.subscriber);
	l.epoch = 99;
	move_to(f, "203.0.113.8");
	assert_int_equal(l.epoch, 0);
	gateway_unsubscribe(f->g, &l.subscriber);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_over_restarts),
		TEST(test_another_address),
		TEST(test_another_address_at_the_start),
		TEST(test_lost_store),
		TEST(test_nonsense_in_the_store),
		TEST(test_full_disk),
		TEST(test_known_when_announced),
	};

	return cmocka_run_group_tests_name("gateway_epoch", tests, NULL, NULL);
}
