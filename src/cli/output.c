/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/output.h"

#include "cli/complain.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

static const char *const colour_codes[] = {
	[COLOUR_NONE] = "",	    [COLOUR_BOLD] = "\033[1m",	[COLOUR_DIM] = "\033[2m",
	[COLOUR_GOOD] = "\033[32m", [COLOUR_WARN] = "\033[33m", [COLOUR_BAD] = "\033[31m",
};

void output_open(struct output *o, FILE *to, bool json)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	*o = (struct output){ .to = to, .json = json, .terminal = isatty(fileno(to)) };
	/* https://no-color.org: set and not empty. */
	o->colour = o->terminal && !json && !(no_colour && *no_colour) && term &&
		    strcmp(term, "dumb");
	output_measure(o);
}

void output_measure(struct output *o)
{
	struct winsize size;

	if (!o->terminal)
		return;
	o->width = 80;
	o->height = 24;
	if (ioctl(fileno(o->to), TIOCGWINSZ, &size))
		return;
	/* A serial console knows no size and says 0. */
	if (size.ws_col)
		o->width = size.ws_col;
	if (size.ws_row)
		o->height = size.ws_row;
}

int output_close(struct output *o)
{
	errno = 0;
	if (fflush(o->to) || ferror(o->to))
		return errno ? -errno : -EIO;
	return 0;
}

const char *colour_on(const struct output *o, enum colour colour)
{
	return o->colour ? colour_codes[colour] : "";
}

const char *colour_off(const struct output *o, enum colour colour)
{
	return o->colour && colour != COLOUR_NONE ? "\033[0m" : "";
}

/* U+007F-9F (DEL and C1), and what turns the direction of writing: legal in JSON, harmful on a
 * terminal. Returns the bytes that such a character takes at `at`, 0 where it is another. */
static size_t harmful(const unsigned char *at, size_t len, unsigned *ret_code)
{
	if (at[0] == 0x7f) {
		*ret_code = at[0];
		return 1;
	}
	if (len >= 2 && ((at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xd8 && at[1] == 0x9c))) {
		*ret_code = (at[0] & 0x1fU) << 6 | (at[1] & 0x3fU);
		return 2;
	}
	if (len >= 3 && at[0] == 0xe2 && (at[1] == 0x80 || at[1] == 0x81)) {
		unsigned code = 0x2000 | (at[1] & 0x3fU) << 6 | (at[2] & 0x3fU);

		*ret_code = code;
		if (code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
		    (code >= 0x2066 && code <= 0x2069))
			return 3;
	}
	return 0;
}

/* json_dump_callback_t: writes JSON text on, with harmful characters (which can only stand within
 * strings) as \uXXXX. jansson hands over whole characters. */
static int write_json(const char *text, size_t len, void *arg)
{
	const unsigned char *at = (const unsigned char *)text;
	struct output *o = arg;
	size_t start = 0;

	for (size_t i = 0; i < len;) {
		unsigned code = 0;
		size_t n = at[i] < 0x7f ? 0 : harmful(at + i, len - i, &code);

		if (n) {
			fwrite(text + start, 1, i - start, o->to);
			fprintf(o->to, "\\u%04x", code);
			start = i + n;
		}
		i += n ? n : 1;
	}
	fwrite(text + start, 1, len - start, o->to);
	return 0;
}

void output_answer(struct output *o, const json_t *answer, text_view view)
{
	if (!o->json) {
		view(o, answer);
		return;
	}
	if (json_dump_callback(answer, write_json, o, JSON_INDENT(2)))
		must(NULL);
	fputc('\n', o->to);
}

void output_json_line(struct output *o, const json_t *object, const char *tail)
{
	if (json_dump_callback(object, write_json, o, 0))
		must(NULL);
	fputs(tail, o->to);
}

/* The next character: its bytes in *ret_bytes, its cells as the result. What is not UTF-8 counts as
 * one cell a byte, which is what terminals make of it. */
static unsigned next_width(struct slice s, mbstate_t *state, size_t *ret_bytes)
{
	wchar_t wide;
	size_t n;
	int width;

	*ret_bytes = 1;
	if ((unsigned char)s.at[0] < 0x80)
		return 1;
	n = mbrtowc(&wide, s.at, s.len, state);
	if (n == 0 || n > s.len) {
		*state = (mbstate_t){ 0 };
		return 1;
	}
	*ret_bytes = n;
	width = wcwidth(wide);
	return width < 0 ? 1 : (unsigned)width;
}

unsigned text_width(struct slice s)
{
	mbstate_t state = { 0 };
	unsigned width = 0;
	size_t n;

	for (; s.len; s = (struct slice){ s.at + n, s.len - n })
		width += next_width(s, &state, &n);
	return width;
}

size_t text_fit(struct slice s, unsigned width)
{
	mbstate_t state = { 0 };
	size_t fits = 0, n;

	while (fits < s.len) {
		struct slice rest = { s.at + fits, s.len - fits };
		unsigned more = next_width(rest, &state, &n);

		if (more > width)
			break;
		width -= more;
		fits += n;
	}
	return fits;
}
