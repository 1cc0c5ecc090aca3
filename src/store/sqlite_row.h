/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite_row: one mapping as one row of the table `mapping`, and back.
 */
#ifndef PORTWRIGHT_STORE_SQLITE_ROW_H
#define PORTWRIGHT_STORE_SQLITE_ROW_H

#include "core/mapping.h"

#include <sqlite3.h>

/* The statements that the two functions below belong to. */
extern const char sqlite_row_put[];  /* adds the row, or replaces the one with its id */
extern const char sqlite_row_list[]; /* all rows by rising id */

/* The moment at which rows are written or read, on both clocks. */
struct row_time {
	clock_ms now;
	wall_s wall;
	bool same_boot; /* when reading: `expires` counts from this boot */
};

/* Binds m to sqlite_row_put; m must stay until the statement was reset. An SQLite result code. */
int sqlite_row_bind(sqlite3_stmt *put, const struct mapping *m, const struct row_time *at);

/* The mapping in the present row of sqlite_row_list; the reference is the caller's. 0, -ENOMEM, or
 * -EBADMSG: the row is not a mapping, and *ret_column names the column by which one can tell. */
int sqlite_row_read(sqlite3_stmt *list, const struct row_time *at, struct mapping **ret,
		    const char **ret_column);

#endif
