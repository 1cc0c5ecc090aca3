/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/fault.h"

#include "base/slice.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_set(void **state)
{
	struct fault f = { .proposed_port = 7 };

	assert_int_equal(fault_set(&f, FAULT_CONFLICT, "external_port", "tcp/%d is taken", 8888),
			 -EADDRINUSE);
	assert_int_equal(f.kind, FAULT_CONFLICT);
	assert_int_equal(f.proposed_port, 0);
	assert_string_equal(f.field, "external_port");
	assert_string_equal(f.text, "tcp/8888 is taken");
	assert_int_equal(fault_set(NULL, FAULT_MEMORY, NULL, "out of memory"), -ENOMEM);
	assert_int_equal(fault_invalid(&f, "name", "%d is a number", 5), -EINVAL);
	assert_string_equal(f.text, "name: 5 is a number");
	assert_int_equal(fault_invalid(&f, "name", "empty"), -EINVAL);
	assert_string_equal(f.text, "name: empty");
	fault_set(&f, FAULT_STORE, NULL, "disk full");
	assert_string_equal(f.field, "");
}

static void test_text_is_cut_between_characters(void **state)
{
	char text[sizeof(((struct fault *)0)->text) + 8];
	struct fault f;

	for (size_t lead = 0; lead < 4; lead++) {
		memset(text, 0, sizeof(text));
		memset(text, 'a', lead);
		for (size_t i = lead; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		fault_set(&f, FAULT_INVALID, "a_field_whose_name_is_much_too_long", "%s", text);
		assert_true(slice_is_utf8(slice_of(f.text)));
		assert_true(strlen(f.text) >= sizeof(f.text) - 4);
		assert_int_equal(strlen(f.field), sizeof(f.field) - 1);
	}
}

static void test_kinds(void **state)
{
	for (int kind = FAULT_INVALID; kind <= FAULT_MEMORY; kind++) {
		assert_true(fault_errno(kind) < 0);
		for (int other = FAULT_NONE; other < kind; other++) {
			assert_string_not_equal(fault_kind_name(kind), fault_kind_name(other));
			assert_int_not_equal(fault_errno(kind), fault_errno(other));
		}
	}
	assert_string_equal(fault_kind_name(FAULT_NOT_FOUND), "not_found");
	assert_int_equal(fault_errno(FAULT_NONE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_text_is_cut_between_characters),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
