/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite_connection: a database that is open, with its statements, and the one transaction there
 * is.
 *
 * Functions return SQLite's result codes, extended ones.
 */
#ifndef PORTWRIGHT_STORE_SQLITE_CONNECTION_H
#define PORTWRIGHT_STORE_SQLITE_CONNECTION_H

#include "core/mapping.h"
#include "core/plane.h"

#include <sqlite3.h>
#include <stdbool.h>

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_PUT,
	STATEMENT_DELETE,
	STATEMENT_REBASE,
	STATEMENT_STATE,
	STATEMENT_SET_STATE,
	STATEMENT_META,
	STATEMENT_SET_META,
	N_STATEMENTS,
};

struct connection {
	sqlite3 *db; /* NULL: closed */
	sqlite3_stmt *statements[N_STATEMENTS];
	char boot_id[BOOT_ID_MAX]; /* this boot's; the rest is what the file said */
	bool same_boot;		   /* deadlines in the file count from this boot */
	uint32_t last_id;
	int64_t writes; /* transactions so far */
};

/* Opens the file for reading its version; nothing of it changes. */
int connection_open(struct connection *c, const char *path);
/* Makes ready for writing and reads the table `state`. SQLITE_CORRUPT where the tables are not what
 * they should be. */
int connection_prepare(struct connection *c);
void connection_close(struct connection *c);
/* The close to come shall not move the log into the database: it is damaged, or not for us. */
void connection_leave_files(struct connection *c);

/* Makes the changes durable, or (undo) brings back what was before them. On failure nothing was
 * kept, unless it is SQLITE_IOERR: then only another connection can tell. The transaction stays
 * open, so that the caller can still ask what was wrong; then connection_rollback(). */
int connection_write(struct connection *c, const struct change *changes, size_t n, uint32_t last_id,
		     bool undo);
void connection_rollback(struct connection *c);

/* Reads a value of the table `meta`: SQLITE_OK with *ret, which is the caller's to free();
 * SQLITE_NOTFOUND. */
int connection_get_meta(struct connection *c, const char *key, char **ret);
/* Writes one, durably, in a transaction of its own that does not count: whether one that failed is
 * in the file matters to nobody, since it is put again. */
int connection_put_meta(struct connection *c, const char *key, const char *value);

/* Looks for damage; SQLITE_CORRUPT with a sentence in ret_why. */
int connection_check(struct connection *c, char *ret_why, size_t cap);

bool connection_is_damage(int code);
/* What went wrong, in words for people. */
const char *connection_explain(const struct connection *c, int code);
int connection_errno(int code);

#endif
