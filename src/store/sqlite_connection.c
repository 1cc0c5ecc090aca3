/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite_connection: WAL with synchronous=FULL, so that a commit is one fsync of the log and what
 * was acknowledged survives anything but the disk.
 *
 * Deadlines in the file count from the boot that state.boot_id names (see sqlite_row.c). The first
 * transaction of a new boot moves all of them over to it.
 */
#include "store/sqlite_connection.h"

#include "store/sqlite_row.h"

#include <errno.h>
#include <string.h>

/* Nothing that a person does with sqlite3(1) should lock the database longer; the loop waits. */
#define BUSY_MS 1000

/* The cache holds what a write touches, not the table: memory is for mappings. */
static const char reading[] = "PRAGMA cache_size = -384; PRAGMA temp_store = MEMORY;"
			      "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF";
/* A long log (after an import) is cut back when it is begun anew. */
static const char writing[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			      "PRAGMA journal_size_limit = 1048576";

static const char *const statement_texts[N_STATEMENTS] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_PUT] = sqlite_row_put,
	[STATEMENT_DELETE] = "DELETE FROM mapping WHERE id = ?",
	/* What deadline_from_wall() of sqlite_row.c says, for all. */
	[STATEMENT_REBASE] = "UPDATE mapping SET expires = max(1, ?1 + (expires_wall - ?2) * 1000)"
			     " WHERE expires <> 0",
	[STATEMENT_STATE] = "SELECT last_id, boot_id, writes FROM state",
	[STATEMENT_SET_STATE] = "UPDATE state SET last_id = max(last_id, ?1), boot_id = ?2,"
				" writes = ?3",
	[STATEMENT_META] = "SELECT value FROM meta WHERE key = ?",
	[STATEMENT_SET_META] = "INSERT OR REPLACE INTO meta VALUES (?, ?)",
};

int connection_open(struct connection *c, const char *path)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int keep_log = 1; /* and its index: a full disk may have no room to make them again */
	int r = sqlite3_open_v2(path, &c->db, flags, NULL);

	if (r != SQLITE_OK)
		return r;
	r = sqlite3_busy_timeout(c->db, BUSY_MS);
	if (r == SQLITE_OK)
		r = sqlite3_file_control(c->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_log);
	if (r == SQLITE_OK)
		r = sqlite3_exec(c->db, reading, NULL, NULL, NULL);
	return r;
}

static int read_state(struct connection *c)
{
	sqlite3_stmt *state = c->statements[STATEMENT_STATE];
	int r = sqlite3_step(state);

	if (r == SQLITE_ROW) {
		const char *boot_id = (const char *)sqlite3_column_text(state, 1);

		c->last_id = (uint32_t)sqlite3_column_int64(state, 0);
		c->same_boot = boot_id && !strcmp(boot_id, c->boot_id);
		c->writes = sqlite3_column_int64(state, 2);
	}
	sqlite3_reset(state);
	if (r == SQLITE_DONE) /* the row is gone */
		return SQLITE_CORRUPT;
	return r == SQLITE_ROW ? SQLITE_OK : r;
}

int connection_prepare(struct connection *c)
{
	int r = sqlite3_exec(c->db, writing, NULL, NULL, NULL);

	if (r == SQLITE_OK && sqlite3_db_readonly(c->db, "main") == 1)
		r = SQLITE_READONLY;
	for (int i = 0; i < N_STATEMENTS && r == SQLITE_OK; i++) {
		r = sqlite3_prepare_v3(c->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &c->statements[i], NULL);
		if (r == SQLITE_ERROR) /* no such table, no such column */
			r = SQLITE_CORRUPT;
	}
	return r == SQLITE_OK ? read_state(c) : r;
}

void connection_leave_files(struct connection *c)
{
	if (c->db)
		sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

void connection_close(struct connection *c)
{
	for (int i = 0; i < N_STATEMENTS; i++) {
		sqlite3_finalize(c->statements[i]);
		c->statements[i] = NULL;
	}
	sqlite3_close(c->db);
	c->db = NULL;
}

static int run(struct connection *c, enum statement which)
{
	int r = sqlite3_step(c->statements[which]);

	sqlite3_reset(c->statements[which]);
	return r == SQLITE_DONE ? SQLITE_OK : r;
}

static int rebase(struct connection *c, const struct row_time *at)
{
	sqlite3_stmt *st = c->statements[STATEMENT_REBASE];
	int r = sqlite3_bind_int64(st, 1, at->now);

	if (r == SQLITE_OK)
		r = sqlite3_bind_int64(st, 2, at->wall);
	return r == SQLITE_OK ? run(c, STATEMENT_REBASE) : r;
}

static int set_state(struct connection *c, uint32_t last_id)
{
	sqlite3_stmt *st = c->statements[STATEMENT_SET_STATE];
	int r = sqlite3_bind_int64(st, 1, last_id);

	if (r == SQLITE_OK)
		r = sqlite3_bind_text(st, 2, c->boot_id, -1, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_bind_int64(st, 3, c->writes + 1);
	return r == SQLITE_OK ? run(c, STATEMENT_SET_STATE) : r;
}

/* Makes the row of `from` that of `to`; either may be NULL: there was none, there shall be none. */
static int set_row(struct connection *c, const struct mapping *from, const struct mapping *to,
		   const struct row_time *at)
{
	int r;

	if (to) {
		r = sqlite_row_bind(c->statements[STATEMENT_PUT], to, at);
		return r == SQLITE_OK ? run(c, STATEMENT_PUT) : r;
	}
	r = sqlite3_bind_int64(c->statements[STATEMENT_DELETE], 1, from->id);
	return r == SQLITE_OK ? run(c, STATEMENT_DELETE) : r;
}

int connection_write(struct connection *c, const struct change *changes, size_t n, uint32_t last_id,
		     bool undo)
{
	struct row_time at = { clock_now(), clock_wall(), true };
	int r = run(c, STATEMENT_BEGIN);

	if (r == SQLITE_OK && !c->same_boot)
		r = rebase(c, &at);
	for (size_t i = 0; i < n && r == SQLITE_OK; i++) {
		const struct change *change = &changes[undo ? n - 1 - i : i];

		r = undo ? set_row(c, change->after, change->before, &at)
			 : set_row(c, change->before, change->after, &at);
	}
	if (r == SQLITE_OK)
		r = set_state(c, last_id);
	if (r == SQLITE_OK)
		r = run(c, STATEMENT_COMMIT);
	if (r != SQLITE_OK)
		return r;
	c->same_boot = true;
	c->writes++;
	if (last_id > c->last_id)
		c->last_id = last_id;
	return SQLITE_OK;
}

void connection_rollback(struct connection *c)
{
	if (c->db && !sqlite3_get_autocommit(c->db))
		run(c, STATEMENT_ROLLBACK);
}

int connection_get_meta(struct connection *c, const char *key, char **ret)
{
	sqlite3_stmt *ask = c->statements[STATEMENT_META];
	const char *value;
	int r = sqlite3_bind_text(ask, 1, key, -1, SQLITE_STATIC);

	if (r == SQLITE_OK)
		r = sqlite3_step(ask);
	if (r == SQLITE_ROW) {
		value = (const char *)sqlite3_column_text(ask, 0);
		*ret = value ? strdup(value) : NULL;
		r = *ret ? SQLITE_OK : SQLITE_NOMEM;
	} else if (r == SQLITE_DONE) {
		r = SQLITE_NOTFOUND;
	}
	sqlite3_reset(ask);
	return r;
}

int connection_put_meta(struct connection *c, const char *key, const char *value)
{
	sqlite3_stmt *put = c->statements[STATEMENT_SET_META];
	int r = sqlite3_bind_text(put, 1, key, -1, SQLITE_STATIC);

	if (r == SQLITE_OK)
		r = sqlite3_bind_text(put, 2, value, -1, SQLITE_STATIC);
	return r == SQLITE_OK ? run(c, STATEMENT_SET_META) : r;
}

static int quick_check(struct connection *c, char *ret_why, size_t cap)
{
	sqlite3_stmt *check;
	int r = sqlite3_prepare_v2(c->db, "PRAGMA quick_check(1)", -1, &check, NULL);

	if (r != SQLITE_OK)
		return r;
	r = sqlite3_step(check);
	if (r == SQLITE_ROW) {
		struct slice said = slice_of((const char *)sqlite3_column_text(check, 0)), line;

		r = slice_eq(said, "ok") ? SQLITE_OK : SQLITE_CORRUPT;
		while (slice_split(&said, '\n', &line)) /* a heading, then the finding */
			format_printable(ret_why, cap, line);
	}
	sqlite3_finalize(check);
	return r;
}

/* Can all of this file be read? */
static int read_through(struct connection *c, int which)
{
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	char block[4096];
	int r = sqlite3_file_control(c->db, "main", which, &file);

	if (r != SQLITE_OK || !file || !file->pMethods)
		return r;
	r = file->pMethods->xFileSize(file, &size);
	for (sqlite3_int64 at = 0; at < size && r == SQLITE_OK; at += (int)sizeof(block))
		r = file->pMethods->xRead(file, block, sizeof(block), at);
	return r == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : r; /* the last block */
}

/* The check takes a page that could not be read, or no memory, for a finding like any other. So
 * what it finds counts only where both files can be read and it finds it again. */
int connection_check(struct connection *c, char *ret_why, size_t cap)
{
	int r = quick_check(c, ret_why, cap);

	if (r != SQLITE_CORRUPT)
		return r;
	r = read_through(c, SQLITE_FCNTL_FILE_POINTER);
	if (r == SQLITE_OK)
		r = read_through(c, SQLITE_FCNTL_JOURNAL_POINTER);
	return r == SQLITE_OK ? quick_check(c, ret_why, cap) : r;
}

bool connection_is_damage(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

const char *connection_explain(const struct connection *c, int code)
{
	int error = c->db ? sqlite3_system_errno(c->db) : 0;

	switch (code & 0xff) {
	case SQLITE_FULL:
		return strerror(ENOSPC);
	case SQLITE_BUSY:
		return "another program has locked the database";
	case SQLITE_READONLY:
		return "the database cannot be written";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "the database is damaged; a restart sets it aside";
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return error ? strerror(error) : sqlite3_errstr(code);
	default:
		return sqlite3_errstr(code);
	}
}

int connection_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}
