/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/throttle.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 5000000

/* Some address; each n another one, by turns of the one and the other family. */
static struct addr source(uint32_t n)
{
	struct in_addr v4 = { htonl(0x0a000000 | n) };
	struct addr a = addr_from_v4(v4);

	if (n % 2)
		a.in6.s6_addr[0] = 0xfd;
	return a;
}

static struct throttle *new_throttle(uint32_t sources, uint32_t rate, uint32_t burst)
{
	struct throttle *t;

	assert_int_equal(throttle_new(sources, rate, burst, &t), 0);
	return t;
}

/* How many of `n` requests at this moment are admitted. */
static unsigned admitted(struct throttle *t, uint32_t who, unsigned n, clock_ms now)
{
	struct addr a = source(who);
	unsigned yes = 0;

	while (n--)
		yes += throttle_admit(t, &a, now);
	return yes;
}

static void test_bounds(void **state)
{
	struct throttle *t = NULL;

	assert_int_equal(throttle_new(0, 1, 1, &t), -EINVAL);
	assert_int_equal(throttle_new(1, 0, 1, &t), -EINVAL);
	assert_int_equal(throttle_new(1, 1, 0, &t), -EINVAL);
	assert_int_equal(throttle_new(THROTTLE_SOURCES_MAX + 1, 1, 1, &t), -EINVAL);
	assert_int_equal(throttle_new(1, THROTTLE_RATE_MAX + 1, 1, &t), -EINVAL);
	assert_int_equal(throttle_new(1, 1, THROTTLE_RATE_MAX + 1, &t), -EINVAL);
	assert_null(t);
	throttle_free(NULL);
}

static void test_burst_then_rate(void **state)
{
	struct throttle *t = new_throttle(4, 10, 20);
	clock_ms now = NOW;

	assert_int_equal(admitted(t, 1, 100, now), 20);
	assert_int_equal(throttle_refused(t), 80);
	assert_int_equal(admitted(t, 1, 1, now + 99), 0);
	assert_int_equal(admitted(t, 1, 2, now + 100), 1);
	assert_int_equal(admitted(t, 1, 100, now + 1100), 10);
	/* it never holds more than a burst */
	assert_int_equal(admitted(t, 1, 100, now + 3600000), 20);
	assert_int_equal(admitted(t, 1, 100, INT64_MAX / 2), 20);
	throttle_free(t);
}

/* Asking every millisecond must not round anything away, nor a clock that goes back add any. */
static void test_nothing_is_rounded(void **state)
{
	struct throttle *t = new_throttle(4, 7, 1);
	unsigned n = 0;

	for (clock_ms now = NOW; now < NOW + 100000; now++)
		n += admitted(t, 1, 1, now);
	assert_int_equal(n, 1 + 699);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(admitted(t, 1, 1, NOW - i), 0);
	throttle_free(t);
}

static void test_rates_at_the_edge(void **state)
{
	struct throttle *fast = new_throttle(1, THROTTLE_RATE_MAX, THROTTLE_RATE_MAX);
	struct throttle *slow = new_throttle(1, 1, 1);

	assert_int_equal(admitted(fast, 1, THROTTLE_RATE_MAX + 5, NOW), THROTTLE_RATE_MAX);
	assert_int_equal(admitted(fast, 1, 2000, NOW + 1), 1000);
	assert_int_equal(admitted(slow, 1, 5, NOW), 1);
	assert_int_equal(admitted(slow, 1, 5, NOW + 999), 0);
	assert_int_equal(admitted(slow, 1, 5, NOW + 1000), 1);
	throttle_free(fast);
	throttle_free(slow);
}

static void test_sources_are_apart(void **state)
{
	struct throttle *t = new_throttle(100, 1, 3);

	for (uint32_t who = 0; who < 100; who++)
		assert_int_equal(admitted(t, who, 10, NOW), 3);
	for (uint32_t who = 0; who < 100; who++)
		assert_int_equal(admitted(t, who, 10, NOW), 0);
	throttle_free(t);
}

/* Who keeps asking keeps his bucket, however many newcomers there are. */
static void test_the_silent_one_goes(void **state)
{
	struct throttle *t = new_throttle(3, 1, 2);

	assert_int_equal(admitted(t, 1, 9, NOW), 2);
	assert_int_equal(admitted(t, 2, 9, NOW), 2);
	assert_int_equal(admitted(t, 3, 9, NOW), 2);
	assert_int_equal(admitted(t, 1, 1, NOW), 0);
	assert_int_equal(admitted(t, 4, 9, NOW), 2); /* in place of 2 */
	assert_int_equal(admitted(t, 1, 1, NOW), 0);
	assert_int_equal(admitted(t, 3, 1, NOW), 0);
	assert_int_equal(admitted(t, 2, 9, NOW), 2); /* in place of 4 */
	for (uint32_t who = 10; who < 10000; who++) {
		assert_int_equal(admitted(t, 1, 1, NOW), 0);
		assert_int_equal(admitted(t, who, 9, NOW), 2);
	}
	throttle_free(t);
}

static void test_one_bucket(void **state)
{
	struct throttle *t = new_throttle(1, 1, 2);

	for (int i = 0; i < 10; i++) {
		assert_int_equal(admitted(t, 1, 5, NOW), 2);
		assert_int_equal(admitted(t, 2, 5, NOW), 2);
		assert_int_equal(admitted(t, 2, 5, NOW), 0);
	}
	throttle_free(t);
}

/* Against a list that is searched from end to end. */
enum { MODEL_SLOTS = 50, MODEL_SOURCES = 80 };

static void test_against_a_model(void **state)
{
	struct throttle *t = new_throttle(MODEL_SLOTS, 5, 4);
	static uint64_t level[MODEL_SOURCES];
	static clock_ms seen[MODEL_SOURCES], at[MODEL_SOURCES]; /* seen 0: has no bucket */
	uint32_t seed = 2463534242;
	clock_ms now = NOW;
	size_t used = 0;

	for (int step = 1; step <= 200000; step++) {
		uint32_t who, oldest = 0;
		bool expected;

		seed ^= seed << 13;
		seed ^= seed >> 17;
		seed ^= seed << 5;
		who = seed % MODEL_SOURCES;
		now += seed >> 28;
		if (!seen[who] && used++ == MODEL_SLOTS) {
			for (uint32_t i = 0; i < MODEL_SOURCES; i++)
				if (seen[i] && (!seen[oldest] || seen[i] < seen[oldest]))
					oldest = i;
			seen[oldest] = 0;
			used--;
		}
		if (!seen[who])
			level[who] = 4000;
		else
			level[who] += (uint64_t)(now - at[who]) * 5;
		if (level[who] > 4000)
			level[who] = 4000;
		seen[who] = step;
		at[who] = now;
		expected = level[who] >= 1000;
		level[who] -= expected ? 1000 : 0;
		assert_int_equal(admitted(t, who, 1, now), expected);
	}
	throttle_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_burst_then_rate),
		cmocka_unit_test(test_nothing_is_rounded),
		cmocka_unit_test(test_rates_at_the_edge),
		cmocka_unit_test(test_sources_are_apart),
		cmocka_unit_test(test_the_silent_one_goes),
		cmocka_unit_test(test_one_bucket),
		cmocka_unit_test(test_against_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
