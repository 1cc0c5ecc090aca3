/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/table.h"

#include "cli/complain.h"

#include <stdarg.h>
#include <stdlib.h>

#define GAP	    2 /* blanks between columns */
#define COLUMNS_MAX 16

struct cell {
	size_t at; /* in text */
	uint32_t len;
	uint16_t width;
	uint8_t colour;
};

struct table {
	const struct column *columns;
	size_t n_columns;
	struct cell *cells;
	size_t n_cells, cells_capacity;
	char *text;
	size_t text_len, text_capacity;
};

struct table *table_new(const struct column *columns, size_t n_columns)
{
	struct table *t = must(calloc(1, sizeof(*t)));

	t->columns = columns;
	t->n_columns = n_columns < COLUMNS_MAX ? n_columns : COLUMNS_MAX;
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->cells);
	free(t->text);
	free(t);
}

size_t table_rows(const struct table *t)
{
	return t->n_cells / t->n_columns;
}

static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < ' ' || s.at[i] > '~')
			return false;
	}
	return true;
}

void table_cell(struct table *t, enum colour colour, struct slice text)
{
	size_t cap = text.len * 4 + 4; /* the longest form of a byte is \xNN */
	bool plain = is_plain(text);
	struct cell *cell;
	char *at;

	if (t->n_cells == t->cells_capacity) {
		t->cells_capacity = t->cells_capacity * 2 + 64;
		t->cells = must(reallocarray(t->cells, t->cells_capacity, sizeof(*t->cells)));
	}
	if (t->text_len + cap > t->text_capacity) {
		t->text_capacity = (t->text_len + cap) * 2;
		t->text = must(realloc(t->text, t->text_capacity));
	}
	at = t->text + t->text_len;
	if (plain) {
		memcpy(at, text.at, text.len);
	} else {
		format_printable(at, cap, text);
		text.len = strlen(at);
	}
	text.at = at;
	cell = &t->cells[t->n_cells++];
	*cell = (struct cell){ t->text_len, (uint32_t)text.len, 0, colour };
	cell->width = (uint16_t)(plain ? text.len : text_width(text));
	t->text_len += text.len;
}

void table_cellf(struct table *t, enum colour colour, const char *format, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	table_cell(t, colour, (struct slice){ text, (size_t)n });
}

/* What each column gets; 0 for one that is left out. */
struct layout {
	unsigned width[COLUMNS_MAX];
	size_t last; /* the last column shown: nothing is padded behind it */
};

static unsigned layout_total(const struct layout *l, size_t n)
{
	unsigned total = 0;

	for (size_t i = 0; i < n; i++)
		total += l->width[i] ? l->width[i] + (total ? GAP : 0) : 0;
	return total;
}

/* Takes `excess` cells from columns that may be cut, the rightmost of them first. */
static void layout_cut(const struct table *t, struct layout *l, unsigned excess)
{
	for (size_t i = t->n_columns; i-- > 0 && excess;) {
		unsigned least = t->columns[i].shrinks_to, spare;

		if (!least || l->width[i] <= least)
			continue;
		spare = l->width[i] - least;
		if (spare > excess)
			spare = excess;
		l->width[i] -= spare;
		excess -= spare;
	}
}

/* Takes out the column that leaves next; false where all that remain stay. */
static bool layout_leave(const struct table *t, struct layout *l)
{
	size_t next = t->n_columns;

	for (size_t i = 0; i < t->n_columns; i++) {
		if (!l->width[i] || !t->columns[i].leaves)
			continue;
		if (next == t->n_columns || t->columns[i].leaves < t->columns[next].leaves)
			next = i;
	}
	if (next == t->n_columns)
		return false;
	l->width[next] = 0;
	return true;
}

static void layout_fill(const struct table *t, const struct output *o, size_t rows,
			struct layout *ret)
{
	struct layout whole = { 0 }, l;

	for (size_t i = 0; i < t->n_columns; i++)
		whole.width[i] = (unsigned)strlen(t->columns[i].title);
	for (size_t i = 0; i < rows * t->n_columns; i++) {
		unsigned *width = &whole.width[i % t->n_columns];

		if (t->cells[i].width > *width)
			*width = t->cells[i].width;
	}
	for (;;) {
		unsigned total;

		l = whole;
		total = layout_total(&l, t->n_columns);
		if (!o->width || total <= o->width)
			break;
		layout_cut(t, &l, total - o->width);
		if (layout_total(&l, t->n_columns) <= o->width || !layout_leave(t, &whole))
			break;
	}
	for (size_t i = 0; i < t->n_columns; i++) {
		if (l.width[i])
			l.last = i;
	}
	*ret = l;
}

static void blanks(struct output *o, unsigned n)
{
	static const char many[] = "                                ";

	for (; n > sizeof(many) - 1; n -= sizeof(many) - 1)
		fwrite(many, 1, sizeof(many) - 1, o->to);
	fwrite(many, 1, n, o->to);
}

/* Prints `text`, which is `width` cells wide, into a column, cut where it is too wide for it. */
static void print_cell(struct output *o, struct slice text, unsigned width, enum colour colour,
		       unsigned column, bool right, bool pad)
{
	const char *mark = "";

	if (width > column) {
		text.len = column ? text_fit(text, column - 1) : 0;
		width = text_width(text) + 1;
		mark = "…";
	}
	if (right)
		blanks(o, column - width);
	fputs(colour_on(o, colour), o->to);
	fwrite(text.at, 1, text.len, o->to);
	fputs(mark, o->to);
	fputs(colour_off(o, colour), o->to);
	if (!right && pad)
		blanks(o, column - width);
}

/* One line; `cells` NULL prints the titles. */
static void print_row(const struct table *t, struct output *o, const struct layout *l,
		      const struct cell *cells)
{
	unsigned left = o->width ? o->width : UINT32_MAX;
	bool first = true;

	for (size_t i = 0; i < t->n_columns; i++) {
		struct slice text = slice_of(t->columns[i].title);
		enum colour colour = COLOUR_BOLD;
		unsigned width = (unsigned)text.len, column = l->width[i];

		if (!column || (!first && left <= GAP))
			continue;
		if (cells) {
			text = (struct slice){ t->text + cells[i].at, cells[i].len };
			width = cells[i].width;
			colour = cells[i].colour;
		}
		if (!first) {
			blanks(o, GAP);
			left -= GAP;
		}
		/* Only a terminal too narrow for what must stay gets here with less. */
		if (column > left)
			column = left;
		print_cell(o, text, width, colour, column, t->columns[i].right, i != l->last);
		left -= column;
		first = false;
	}
	fputc('\n', o->to);
}

void table_print(const struct table *t, struct output *o, size_t most)
{
	size_t rows = table_rows(t);
	struct layout layout;

	if (rows > most)
		rows = most;
	layout_fill(t, o, rows, &layout);
	print_row(t, o, &layout, NULL);
	for (size_t i = 0; i < rows; i++)
		print_row(t, o, &layout, t->cells + i * t->n_columns);
}
