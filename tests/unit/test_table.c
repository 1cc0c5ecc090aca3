/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/table.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static const struct column columns[] = {
	{ "ID" },
	{ "NAME", .shrinks_to = 6, .leaves = 2 },
	{ "BYTES", .right = true, .leaves = 1 },
	{ "INTERNAL" },
};

/* The table of the two rows below at this width; the caller's to free. */
static char *printed(unsigned width, bool colour)
{
	struct table *t = table_new(columns, 4);
	struct output o = { .width = width, .colour = colour };
	char *text;
	size_t size;

	o.to = open_memstream(&text, &size);
	table_cell(t, COLOUR_BOLD, SLICE("m1"));
	table_cell(t, COLOUR_NONE, SLICE("前門 Tür"));
	table_cell(t, COLOUR_NONE, SLICE("9 B"));
	table_cell(t, COLOUR_NONE, SLICE("10.0.0.1:80"));
	table_cell(t, COLOUR_BOLD, SLICE("m12"));
	table_cellf(t, COLOUR_NONE, "%s", "plain words");
	table_cell(t, COLOUR_NONE, SLICE("1.2 MiB"));
	table_cell(t, COLOUR_NONE, SLICE("10.0.0.2:80"));
	assert_int_equal(table_rows(t), 2);
	table_print(t, &o, 2);
	table_free(t);
	fclose(o.to);
	return text;
}

static void expect(unsigned width, const char *wanted)
{
	char *text = printed(width, false);

	assert_string_equal(text, wanted);
	free(text);
}

static void test_widths(void **state)
{
	static const char whole[] = "ID   NAME           BYTES  INTERNAL\n"
				    "m1   前門 Tür         9 B  10.0.0.1:80\n"
				    "m12  plain words  1.2 MiB  10.0.0.2:80\n";

	expect(0, whole); /* no terminal */
	expect(200, whole);
	expect(38, whole); /* just fits */
	/* A wide character that would straddle the edge is left out whole. */
	expect(33, "ID   NAME      BYTES  INTERNAL\n"
		   "m1   前門 …      9 B  10.0.0.1:80\n"
		   "m12  plain…  1.2 MiB  10.0.0.2:80\n");
	expect(32, "ID   NAME         INTERNAL\n"
		   "m1   前門 Tür     10.0.0.1:80\n"
		   "m12  plain words  10.0.0.2:80\n");
	expect(20, "ID   INTERNAL\n"
		   "m1   10.0.0.1:80\n"
		   "m12  10.0.0.2:80\n");
	/* Nothing more can leave: the line is cut. */
	expect(12, "ID   INTERN…\n"
		   "m1   10.0.0…\n"
		   "m12  10.0.0…\n");
}

static void test_never_wider(void **state)
{
	for (unsigned width = 1; width < 50; width++) {
		char *text = printed(width, false);
		struct slice rest = slice_of(text), line;

		while (slice_split(&rest, '\n', &line))
			assert_in_range(text_width(line), 0, width);
		free(text);
	}
}

static void test_colour(void **state)
{
	char *text = printed(0, true);

	assert_non_null(strstr(text, "\033[1mm1\033[0m "));
	free(text);
}

static void test_hostile_text(void **state)
{
	static const struct column one[] = { { "NAME" } };
	struct table *t = table_new(one, 1);
	struct output o = { 0 };
	char *text;
	size_t size;

	o.to = open_memstream(&text, &size);
	table_cell(t, COLOUR_NONE, SLICE("a\033[2Jb\n\xff"));
	table_print(t, &o, 1);
	fclose(o.to);
	assert_string_equal(text, "NAME\na\\x1b[2Jb\\x0a\\xff\n");
	free(text);
	table_free(t);
}

/* JSON keeps the text and hurts no terminal. */
static void test_json_line(void **state)
{
	json_t *json = json_pack("{ss}", "name", "Tür \x7f \xc2\x9b \xe2\x80\xae 前");
	struct output o = { .json = true };
	char *text;
	size_t size;

	o.to = open_memstream(&text, &size);
	output_json_line(&o, json, "\n");
	fclose(o.to);
	assert_string_equal(text, "{\"name\": \"Tür \\u007f \\u009b \\u202e 前\"}\n");
	free(text);
	json_decref(json);
}

static int setup(void **state)
{
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths),	  cmocka_unit_test(test_never_wider),
		cmocka_unit_test(test_colour),	  cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_json_line),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
