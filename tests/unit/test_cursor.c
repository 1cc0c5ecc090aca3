/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cursor.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t message[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0xff, 0xfe, 0xfd };

static void test_read(void **state)
{
	struct reader r = reader_of(message, sizeof(message));
	uint8_t rest[2];

	assert_int_equal(reader_u8(&r), 0x01);
	assert_int_equal(reader_u16(&r), 0x0203);
	assert_int_equal(reader_u32(&r), 0x04050607);
	assert_false(reader_done(&r));
	reader_skip(&r, 1);
	reader_bytes(&r, rest, sizeof(rest));
	assert_int_equal(rest[0], 0xfe);
	assert_int_equal(rest[1], 0xfd);
	assert_true(reader_done(&r));
}

/* Lays the message out as test_read() does, from its first `len` bytes only. */
static bool read_all(size_t len, uint32_t *ret_sum)
{
	struct reader r = reader_of(message, len);
	uint8_t rest[2] = { 0x55, 0x55 };

	*ret_sum = reader_u8(&r);
	*ret_sum += reader_u16(&r);
	*ret_sum += reader_u32(&r);
	reader_skip(&r, 1);
	reader_bytes(&r, rest, sizeof(rest));
	*ret_sum += rest[0] + rest[1];
	return reader_done(&r);
}

static void test_read_short(void **state)
{
	static const uint32_t sums[] = { 0,	1,     1,	   0x204,      0x204,
					 0x204, 0x204, 0x0405080b, 0x0405080b, 0x0405080b };
	uint32_t sum;

	for (size_t len = 0; len < sizeof(message); len++) {
		assert_false(read_all(len, &sum));
		assert_int_equal(sum, sums[len]);
	}
	assert_true(read_all(sizeof(message), &sum));
}

/* What comes after a failure is zeros, even where the bytes would be there. */
static void test_read_failure_sticks(void **state)
{
	struct reader r = reader_of(message, 3), sub;

	assert_int_equal(reader_u32(&r), 0);
	assert_true(r.failed);
	assert_int_equal(reader_u8(&r), 0);
	assert_int_equal(reader_u16(&r), 0);
	sub = reader_sub(&r, 0);
	assert_true(sub.failed);
	assert_false(reader_done(&r));
}

static void test_read_sub(void **state)
{
	struct reader r = reader_of(message, sizeof(message));
	struct reader sub = reader_sub(&r, 3);

	assert_int_equal(reader_u8(&sub), 0x01);
	assert_int_equal(reader_u32(&sub), 0); /* more than the part, not more than the whole */
	assert_true(sub.failed);
	assert_int_equal(reader_u8(&r), 0x04);
	sub = reader_sub(&r, sizeof(message) - 4);
	assert_int_equal(sub.left, sizeof(message) - 4);
	assert_true(reader_done(&r));
	sub = reader_sub(&r, 1);
	assert_true(sub.failed);
	assert_int_equal(sub.left, 0);
	assert_true(r.failed);
}

static void test_read_nothing(void **state)
{
	struct reader r = reader_of(NULL, 0);

	assert_true(reader_done(&r));
	reader_bytes(&r, NULL, 0);
	reader_skip(&r, 0);
	assert_true(reader_done(&r));
	reader_skip(&r, SIZE_MAX);
	assert_true(r.failed);
}

/* Everything a writer can write, 30 bytes in all. */
static void write_all(struct writer *w)
{
	writer_u8(w, 0x01);
	writer_u16(w, 0x0203);
	writer_u32(w, 0x04050607);
	writer_bytes(w, "\xff\xfe", 2);
	writer_zeros(w, 3);
	writer_text(w, "id ");
	writer_slice(w, SLICE("m7 "));
	writer_number(w, 0);
	writer_number(w, 1234567890);
	writer_text(w, "");
}

static const uint8_t written[] = "\x01\x02\x03\x04\x05\x06\x07\xff\xfe\0\0\0id m7 01234567890";
#define WRITTEN (sizeof(written) - 1)

/* A buffer of every size up to beyond what is needed, with a guard behind it. */
static void test_write_every_size(void **state)
{
	uint8_t buf[WRITTEN + 3];

	for (size_t cap = 0; cap <= WRITTEN + 1; cap++) {
		struct writer w = writer_of(buf, cap);

		memset(buf, 0xa5, sizeof(buf));
		write_all(&w);
		if (cap < WRITTEN) {
			assert_int_equal(writer_finish(&w), -EMSGSIZE);
		} else {
			assert_int_equal(writer_finish(&w), WRITTEN);
			assert_memory_equal(buf, written, WRITTEN);
		}
		assert_true(w.len <= cap);
		assert_memory_equal(buf, written, w.len);
		for (size_t i = w.len; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 0xa5);
	}
}

/* Something small does not slip in behind something that did not fit. */
static void test_write_failure_sticks(void **state)
{
	uint8_t buf[4] = { 0 };
	struct writer w = writer_of(buf, sizeof(buf));

	writer_u8(&w, 1);
	writer_u32(&w, 2);
	writer_u8(&w, 3);
	writer_patch(&w, 0, "x", 1);
	assert_int_equal(writer_finish(&w), -EMSGSIZE);
	assert_int_equal(w.len, 1);
	assert_int_equal(buf[0], 1);
	assert_int_equal(buf[1], 0);
}

static void test_write_numbers(void **state)
{
	char buf[64];
	struct writer w = writer_of(buf, sizeof(buf));

	writer_number(&w, UINT64_MAX);
	writer_text(&w, " ");
	writer_number(&w, 9);
	writer_text(&w, " ");
	writer_number(&w, 10);
	assert_int_equal(writer_finish(&w), 25);
	assert_memory_equal(buf, "18446744073709551615 9 10", 25);
}

static void test_patch(void **state)
{
	uint8_t buf[8];
	struct writer w = writer_of(buf, sizeof(buf));

	writer_u32(&w, 0);
	writer_patch(&w, 2, "\x12\x34", 2);
	assert_int_equal(writer_finish(&w), 4);
	assert_memory_equal(buf, "\0\0\x12\x34", 4);
	writer_patch(&w, 4, NULL, 0);
	assert_false(w.failed);
	writer_patch(&w, 3, "xx", 2); /* in the buffer, but not written yet */
	assert_true(w.failed);
	w.failed = false;
	writer_patch(&w, SIZE_MAX, "x", 1);
	assert_true(w.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_short),
		cmocka_unit_test(test_read_failure_sticks),
		cmocka_unit_test(test_read_sub),
		cmocka_unit_test(test_read_nothing),
		cmocka_unit_test(test_write_every_size),
		cmocka_unit_test(test_write_failure_sticks),
		cmocka_unit_test(test_write_numbers),
		cmocka_unit_test(test_patch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
