/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table: rows of cells, printed in aligned columns that never leave the terminal's width.
 *
 * All rows are gathered before the first is printed, since the widest cell sets the column. Texts
 * lie one behind the other in one block, so 65,000 rows cost little more than their text.
 */
#ifndef PORTWRIGHT_CLI_TABLE_H
#define PORTWRIGHT_CLI_TABLE_H

#include "cli/output.h"

struct column {
	const char *title;
	bool right;	    /* figures stand flush right */
	uint8_t shrinks_to; /* may be cut down to this many cells; 0: is never cut */
	uint8_t leaves;	    /* where cutting is not enough, columns leave in this order; 0: stays */
};

struct table;

struct table *table_new(const struct column *columns, size_t n_columns);
void table_free(struct table *t);
/* Cells are given from left to right, row after row. The text is copied, made printable. */
void table_cell(struct table *t, enum colour colour, struct slice text);
void table_cellf(struct table *t, enum colour colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
size_t table_rows(const struct table *t);
/* Prints the titles and at most `most` rows. */
void table_print(const struct table *t, struct output *o, size_t most);

#endif
