/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * getopt_long() does the reading; this file turns a verb's table into its form and its bare return
 * codes into a sentence that names the option.
 */
#include "cli/options.h"

#include "cli/complain.h"
#include "cli/nearest.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const struct option_row common_options[] = {
	{ "socket", 'S', .argument = "PATH", .help = "the daemon's socket (or PORTWRIGHT_SOCKET)" },
	{ "json", 'J', .help = "print the API's objects" },
	{ "help", 'h', .short_form = true, .help = "explain and leave" },
	{ "version", 'V', .help = "print the version and leave" },
};
const size_t n_common_options = sizeof(common_options) / sizeof(common_options[0]);

struct getopt_form {
	struct option long_options[OPTIONS_MAX + 1];
	char letters[OPTIONS_MAX * 3 + 3];
	size_t n, n_letters;
};

static void form_add(struct getopt_form *form, const struct option_row *row)
{
	int has = row->argument ? required_argument : no_argument;

	if (row->optional)
		has = optional_argument;
	form->long_options[form->n++] = (struct option){ row->name, has, NULL, row->letter };
	if (!row->short_form)
		return;
	form->letters[form->n_letters++] = row->letter;
	if (row->argument)
		form->letters[form->n_letters++] = ':';
}

static void form_fill(struct getopt_form *form, const struct option_row *rows, size_t n_rows,
		      bool stop_at_word)
{
	memset(form, 0, sizeof(*form));
	if (stop_at_word)
		form->letters[form->n_letters++] = '+';
	form->letters[form->n_letters++] = ':'; /* tell a missing value from an unknown option */
	for (size_t i = 0; i < n_common_options; i++)
		form_add(form, &common_options[i]);
	for (size_t i = 0; i < n_rows && form->n < OPTIONS_MAX; i++)
		form_add(form, &rows[i]);
}

static const struct option *form_find(const struct getopt_form *form, int letter)
{
	for (size_t i = 0; i < form->n; i++) {
		if (form->long_options[i].val == letter)
			return &form->long_options[i];
	}
	return NULL;
}

static int unknown(const struct getopt_form *form, const char *word, struct fault *f)
{
	struct nearest nearest = { .given = word + strspn(word, "-") };
	char *name = strndup(nearest.given, strcspn(nearest.given, "="));

	nearest.given = must(name);
	for (size_t i = 0; i < form->n; i++)
		nearest_show(&nearest, form->long_options[i].name);
	if (nearest.word)
		fault_set(f, FAULT_INVALID, "", "unknown option %s; did you mean --%s?", word,
			  nearest.word);
	else
		fault_set(f, FAULT_INVALID, "", "unknown option %s", word);
	free(name);
	return -EINVAL;
}

/* What getopt_long() objected to, from its return code and its globals. */
static int objection(const struct getopt_form *form, int code, char **argv, struct fault *f)
{
	const struct option *known = optopt ? form_find(form, optopt) : NULL;
	char letter[3] = { '-', (char)optopt, 0 };

	if (code == ':' && known)
		return fault_set(f, FAULT_INVALID, "", "--%s needs a value", known->name);
	if (known)
		return fault_set(f, FAULT_INVALID, "", "--%s takes no value", known->name);
	return unknown(form, optopt ? letter : argv[optind - 1], f);
}

static void take(struct options *o, int letter)
{
	switch (letter) {
	case 'S':
		o->socket = optarg;
		break;
	case 'J':
		o->json = true;
		break;
	case 'h':
		o->help = true;
		break;
	case 'V':
		o->version = true;
		break;
	default:
		o->given[o->n_given++] = (struct option_given){ (char)letter, optarg };
	}
}

int read_options(int argc, char **argv, const struct option_row *rows, size_t n_rows,
		 bool stop_at_word, struct options *ret, struct fault *f)
{
	struct getopt_form form;
	int code;

	*ret = (struct options){ .given = must(calloc((size_t)argc + 1, sizeof(*ret->given))) };
	form_fill(&form, rows, n_rows, stop_at_word);
	opterr = 0;
	optind = 0; /* begin anew: main reads twice */
	while ((code = getopt_long(argc, argv, form.letters, form.long_options, NULL)) != -1) {
		if (code == '?' || code == ':')
			return objection(&form, code, argv, f);
		take(ret, code);
	}
	ret->rest = (size_t)optind;
	ret->words = argv + optind;
	ret->n_words = (size_t)(argc - optind);
	return 0;
}

void options_free(struct options *o)
{
	free(o->given);
	o->given = NULL;
	o->n_given = 0;
}

const char *option_value(const struct options *o, char letter)
{
	for (size_t i = o->n_given; i > 0; i--) {
		if (o->given[i - 1].letter == letter)
			return o->given[i - 1].value;
	}
	return NULL;
}

bool option_is_given(const struct options *o, char letter)
{
	for (size_t i = 0; i < o->n_given; i++) {
		if (o->given[i].letter == letter)
			return true;
	}
	return false;
}
