/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output: standard output, for a terminal, a pipe or a JSON reader.
 *
 * A verb builds the API's object and hands it over together with a view, which says the same in
 * text; output_answer() picks the form. Colour and the limit of the terminal's width apply to
 * terminals only (NO_COLOR and TERM=dumb honoured). User texts reach a terminal only without
 * control bytes and bidirectional overrides, in either form.
 */
#ifndef PORTWRIGHT_CLI_OUTPUT_H
#define PORTWRIGHT_CLI_OUTPUT_H

#include "base/slice.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_DIM, COLOUR_GOOD, COLOUR_WARN, COLOUR_BAD };

struct output {
	FILE *to;
	bool json;
	bool terminal;
	bool colour;
	unsigned width;	 /* cells in a line; 0: no limit */
	unsigned height; /* lines of the terminal; 0: not a terminal */
};

/* Looks at `to` and the environment. output_measure() again takes up a resized window. */
void output_open(struct output *o, FILE *to, bool json);
void output_measure(struct output *o);
/* Flushes; 0, or a negative errno where not all could be written. */
int output_close(struct output *o);

/* What to write before and after coloured text; "" where there is no colour. */
const char *colour_on(const struct output *o, enum colour colour);
const char *colour_off(const struct output *o, enum colour colour);

typedef void (*text_view)(struct output *o, const json_t *answer);

/* One object: through its view, or as JSON (indented), with a newline behind. */
void output_answer(struct output *o, const json_t *answer, text_view view);
/* One object on one line, for JSON readers that take line by line. */
void output_json_line(struct output *o, const json_t *object, const char *tail);

/* The cells that UTF-8 text takes on a terminal. */
unsigned text_width(struct slice s);
/* Bytes of s that fit into `width` cells. */
size_t text_fit(struct slice s, unsigned width);

#endif
