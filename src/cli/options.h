/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options: the words behind a verb, sorted into options and positionals.
 *
 * A verb declares its options as a table; the same table gives the --help text and the shell
 * completion. Options may stand before or after the positionals, with "=" or with the value as the
 * next word; "--" ends them. The common ones (--socket, --json, --help) are understood everywhere.
 */
#ifndef PORTWRIGHT_CLI_OPTIONS_H
#define PORTWRIGHT_CLI_OPTIONS_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

struct option_row {
	const char *name;     /* without its dashes */
	char letter;	      /* names it within the verb */
	bool short_form;      /* "-o" is understood as well */
	bool optional;	      /* the value may be left out, and is then given with "=" only */
	const char *argument; /* what the value is called; NULL: takes none */
	const char *help;
};

struct option_given {
	char letter;
	const char *value; /* NULL: none was given */
};

struct options {
	struct option_given *given; /* in the order given */
	size_t n_given;
	char **words; /* the positionals; points into argv */
	size_t n_words;
	size_t rest; /* index in argv of the first word that was not looked at */
	bool json, help, version;
	const char *socket; /* NULL: not given */
};

#define OPTIONS_MAX 24
extern const struct option_row common_options[];
extern const size_t n_common_options;

/*
 * Reads argv[1] onwards; argv may be reordered. With `stop_at_word` reading ends at the first
 * positional. 0, or -EINVAL with *f saying what is wrong. options_free() after either.
 */
int read_options(int argc, char **argv, const struct option_row *rows, size_t n_rows,
		 bool stop_at_word, struct options *ret, struct fault *f);
void options_free(struct options *o);

/* The last value given for `letter`; NULL where it was not given (or came without its value). */
const char *option_value(const struct options *o, char letter);
bool option_is_given(const struct options *o, char letter);

#endif
