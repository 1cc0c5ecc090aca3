/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve/import_reader.h"

#include <errno.h>
#include <stdio.h>

struct cursor {
	struct import_reader *reader;
	struct slice all, rest;
	bool has_mappings, has_replace, has_format;
	bool replace;
};

static void skip_blanks(struct cursor *c)
{
	while (c->rest.len && memchr(" \t\r\n", c->rest.at[0], 4)) {
		c->rest.at++;
		c->rest.len--;
	}
}

/* Blanks, then this character? */
static bool take(struct cursor *c, char wanted)
{
	skip_blanks(c);
	return read_char(&c->rest, wanted);
}

/* Why the text is refused at the byte `at` of all of it. */
static int malformed(struct cursor *c, size_t at, const char *why)
{
	char printable[IMPORT_ERROR_MAX];
	size_t line = 1, start = 0;

	for (size_t i = 0; i < at && i < c->all.len; i++) {
		if (c->all.at[i] != '\n')
			continue;
		line++;
		start = i + 1;
	}
	c->reader->malformed = true;
	snprintf(c->reader->error, sizeof(c->reader->error), "line %zu, byte %zu: %.200s", line,
		 at - start + 1, format_printable(printable, sizeof(printable), slice_of(why)));
	return -EBADMSG;
}

static int expected(struct cursor *c, const char *what)
{
	return malformed(c, (size_t)(c->rest.at - c->all.at), what);
}

/* JSON of another shape than an import's. */
static int refuse(struct cursor *c, const char *why)
{
	snprintf(c->reader->error, sizeof(c->reader->error), "%s", why);
	return -EBADMSG;
}

/* One value of any kind, a new reference. */
static int read_value(struct cursor *c, json_t **ret)
{
	json_error_t error;
	json_t *json;
	size_t begin;

	skip_blanks(c);
	begin = (size_t)(c->rest.at - c->all.at);
	json = json_loadb(c->rest.at, c->rest.len,
			  JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES,
			  &error);
	if (!json)
		return malformed(c, begin + (error.position > 0 ? (size_t)error.position : 0),
				 error.text);
	c->rest.at += error.position; /* of what was read, on success */
	c->rest.len -= (size_t)error.position;
	*ret = json;
	return 0;
}

static int read_mappings(struct cursor *c)
{
	json_t *json;
	int r;

	if (!take(c, '['))
		return c->rest.len ? refuse(c, "mappings: expected a list of mappings")
				   : expected(c, "expected a list of mappings");
	if (take(c, ']'))
		return 0;
	for (size_t i = 0;; i++) {
		r = read_value(c, &json);
		if (r < 0)
			return r;
		r = c->reader->on_mapping(c->reader->arg, i, json);
		json_decref(json);
		if (r)
			return r;
		if (take(c, ']'))
			return 0;
		if (!take(c, ','))
			return expected(c, "expected ',' or ']' behind a mapping");
	}
}

static int read_replace(struct cursor *c)
{
	json_t *json;
	bool is_boolean;
	int r = read_value(c, &json);

	if (r < 0)
		return r;
	is_boolean = json_is_boolean(json);
	c->replace = json_is_true(json);
	json_decref(json);
	return is_boolean ? 0 : refuse(c, "replace: expected true or false");
}

/* The version of the format, which `export` writes. */
static int read_format(struct cursor *c)
{
	json_t *json;
	bool known;
	int r = read_value(c, &json);

	if (r < 0)
		return r;
	known = json_is_integer(json) && json_integer_value(json) == 1;
	json_decref(json);
	return known ? 0 : refuse(c, "portwright: expected 1, the only format there is so far");
}

static const struct member {
	const char *name;
	size_t seen; /* offset in the cursor */
	int (*read)(struct cursor *c);
} members[] = {
	{ "mappings", offsetof(struct cursor, has_mappings), read_mappings },
	{ "replace", offsetof(struct cursor, has_replace), read_replace },
	{ "portwright", offsetof(struct cursor, has_format), read_format },
};

static int read_named(struct cursor *c, struct slice name)
{
	char quoted[48], line[160];

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		bool *seen = (bool *)((char *)c + members[i].seen);

		if (!slice_eq(name, members[i].name))
			continue;
		if (*seen)
			return expected(c, "a key is there twice");
		*seen = true;
		return members[i].read(c);
	}
	snprintf(line, sizeof(line),
		 "'%s' is not a key of an import; expected mappings, replace or portwright",
		 format_printable(quoted, sizeof(quoted), name));
	return refuse(c, line);
}

static int read_member(struct cursor *c)
{
	struct slice name;
	json_t *key;
	int r = read_value(c, &key);

	if (r < 0)
		return r;
	name = (struct slice){ json_string_value(key), json_string_length(key) };
	if (!json_is_string(key) || !take(c, ':'))
		r = expected(c, "expected a key and ':'");
	else
		r = read_named(c, name);
	json_decref(key);
	return r;
}

int import_read(struct import_reader *reader, struct slice text, bool *ret_replace)
{
	struct cursor c = { .reader = reader, .all = text, .rest = text };
	int r;

	if (!take(&c, '{'))
		return expected(&c, "expected an object, {\"mappings\": [...]}");
	if (!take(&c, '}')) {
		do {
			r = read_member(&c);
			if (r)
				return r;
		} while (take(&c, ','));
		if (!take(&c, '}'))
			return expected(&c, "expected ',' or '}'");
	}
	skip_blanks(&c);
	if (c.rest.len)
		return expected(&c, "expected the end of the text");
	if (!c.has_mappings)
		return refuse(&c, "mappings: is missing; expected a list of mappings");
	*ret_replace = c.replace;
	return 0;
}
