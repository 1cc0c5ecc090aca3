/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/options.h"

#include "cli/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <limits.h>

static const struct option_row rows[] = {
	{ "name", 'n', .argument = "TEXT" },
	{ "from", 'f', .argument = "CIDR" },
	{ "disabled", 'd', .optional = true, .argument = "HOW" },
	{ "output", 'o', .short_form = true, .argument = "FILE" },
};

static int read(struct options *o, struct fault *f, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return read_options(argc, argv, rows, 4, false, o, f);
}

static void test_forms(void **state)
{
	char *argv[] = { "add",
			 "--name=Front door",
			 "8888",
			 "--from",
			 "::/0",
			 "--json",
			 "--from=x",
			 "10.0.0.1:80",
			 "--disabled=refuse",
			 "-o",
			 "file",
			 "--",
			 "--socket",
			 NULL };
	struct options o;
	struct fault f;

	assert_int_equal(read(&o, &f, argv), 0);
	assert_int_equal(o.n_words, 3);
	assert_string_equal(o.words[0], "8888");
	assert_string_equal(o.words[1], "10.0.0.1:80");
	assert_string_equal(o.words[2], "--socket");
	assert_true(o.json);
	assert_null(o.socket);
	assert_string_equal(option_value(&o, 'n'), "Front door");
	assert_string_equal(option_value(&o, 'f'), "x");
	assert_string_equal(option_value(&o, 'd'), "refuse");
	assert_string_equal(option_value(&o, 'o'), "file");
	assert_int_equal(o.n_given, 5);
	options_free(&o);
}

static void test_optional_value(void **state)
{
	char *argv[] = { "add", "--disabled", "8888", NULL };
	struct options o;
	struct fault f;

	assert_int_equal(read(&o, &f, argv), 0);
	assert_true(option_is_given(&o, 'd'));
	assert_null(option_value(&o, 'd'));
	assert_int_equal(o.n_words, 1);
	options_free(&o);
}

static void test_refusals(void **state)
{
	static struct {
		char *word;
		const char *complaint;
	} cases[] = {
		{ "--nmae=x", "unknown option --nmae=x; did you mean --name?" },
		{ "--colour", "unknown option --colour" },
		{ "-x", "unknown option -x" },
		{ "--name", "--name needs a value" },
		{ "-o", "--output needs a value" },
		{ "--json=yes", "--json takes no value" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[] = { "add", "8888", cases[i].word, NULL };
		struct options o;
		struct fault f;

		assert_int_not_equal(read(&o, &f, argv), 0);
		assert_string_equal(f.text, cases[i].complaint);
		options_free(&o);
	}
}

static void test_nearest(void **state)
{
	static const char *const verbs[] = { "add",	"list",	  "show",   "set",    "enable",
					     "disable", "delete", "status", "import", "export" };
	static const struct {
		const char *given, *meant;
	} cases[] = {
		{ "lits", "list" },	{ "staus", "status" },
		{ "stat", "status" },	{ "del", "delete" },
		{ "exprot", "export" }, { "ad", "add" },
		{ "remove", NULL },	{ "x", NULL },
		{ "", NULL },		{ "a-word-longer-than-any-verb-could-ever-be", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nearest n = { .given = cases[i].given };

		for (size_t v = 0; v < sizeof(verbs) / sizeof(verbs[0]); v++)
			nearest_show(&n, verbs[v]);
		if (cases[i].meant)
			assert_string_equal(n.word, cases[i].meant);
		else
			assert_null(n.word);
	}
	assert_int_equal(edit_distance("abcd", "acbd"), 1);
	assert_int_equal(edit_distance("", "abc"), 3);
	assert_int_equal(edit_distance("kitten", "sitting"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_optional_value),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
