/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite_schema: the tables, and how an older database becomes one of today's.
 *
 * A schema is a list of steps; step n makes version n + 1 out of version n, in one transaction. A
 * step that was released never changes: what is new comes as a step behind it.
 */
#ifndef PORTWRIGHT_STORE_SQLITE_SCHEMA_H
#define PORTWRIGHT_STORE_SQLITE_SCHEMA_H

#include <sqlite3.h>

#define SQLITE_SCHEMA_APPLICATION 0x50575254 /* "PWRT": what file(1) sees in the header */

struct sqlite_schema {
	const char *const *steps;
	int n;
};

extern const struct sqlite_schema sqlite_schema_today;

/* Which version db has. An SQLite result code. */
int sqlite_schema_version(sqlite3 *db, int *ret);

/* Takes the steps that lie behind db. An SQLite result code; what was done before a failing step
 * stays done. */
int sqlite_schema_migrate(sqlite3 *db, const struct sqlite_schema *schema);

/* Fills the empty file at `path`. An SQLite result code. */
int sqlite_schema_create(const char *path, const struct sqlite_schema *schema);

#endif
