/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite: the store's hooks over one connection; a write is one transaction, and done when write()
 * returns. What can go wrong, and what then:
 *
 *     disk full, locked, read-only    the transaction is rolled back, the connection goes on, the
 *                                     next write may succeed.
 *     an I/O error                    the kernel may have dropped pages that SQLite believes
 * written (a failed fsync is told only once), so the connection is closed, and another one finds
 * out from the file what is true. damage                          found when opening or loading:
 * the database is set aside and a new one begun. Found later: the write is refused, the daemon's
 *                                     memory is right all the same, a restart sets it aside.
 *
 * A refused commit can reach the disk: its frames stand in the log when the fsync behind them
 * fails. So every transaction counts state.writes up, and a new connection that finds one more than
 * was acknowledged turns the changes round and writes them back. Where even that fails nobody can
 * know what the disk holds, and the store refuses to go on until the daemon is started again.
 */
#include "store/sqlite.h"

#include "base/log.h"
#include "store/sqlite_connection.h"
#include "store/sqlite_row.h"
#include "store/sqlite_schema.h"
#include "store/state_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_MAX 160

struct sqlite_store {
	struct store store;
	struct state_folder folder;
	char *path;	 /* of the database */
	char *set_aside; /* of the damaged one, or NULL */
	struct connection connection;
	bool in_doubt; /* a refused change may be in the file */
};

static struct sqlite_store *sqlite_store_of(struct store *s)
{
	return (struct sqlite_store *)s; /* its first member */
}

/* f says what failed, before anything is closed or rolled back. */
static int refuse(const struct sqlite_store *s, int code, struct fault *f)
{
	fault_set(f, (code & 0xff) == SQLITE_NOMEM ? FAULT_MEMORY : FAULT_STORE, "",
		  "state folder %s: %s", s->folder.path, connection_explain(&s->connection, code));
	return connection_errno(code);
}

static int refuse_errno(const struct sqlite_store *s, int error, struct fault *f)
{
	fault_set(f, error == -ENOMEM ? FAULT_MEMORY : FAULT_STORE, "", "state folder %s: %s",
		  s->folder.path, strerror(-error));
	return error;
}

/* Makes an empty database and connects to it. 0, or a negative errno with *f. */
static int begin(struct sqlite_store *s, struct fault *f)
{
	char *path = state_folder_path(&s->folder, DATABASE_NEW_NAME);
	int code, r = path ? state_folder_begin_new(&s->folder) : -ENOMEM;

	if (r) {
		free(path);
		return refuse_errno(s, r, f);
	}
	code = sqlite_schema_create(path, &sqlite_schema_today);
	free(path);
	if (code != SQLITE_OK)
		return refuse(s, code, f);
	r = state_folder_adopt_new(&s->folder);
	if (r)
		return refuse_errno(s, r, f);
	code = connection_open(&s->connection, s->path);
	if (code == SQLITE_OK)
		code = connection_prepare(&s->connection);
	return code == SQLITE_OK ? 0 : refuse(s, code, f);
}

/* Sets the damaged database aside and begins another one. */
static int begin_anew(struct sqlite_store *s, const char *why, struct fault *f)
{
	char name[STATE_NAME_MAX];
	int r;

	connection_leave_files(&s->connection);
	connection_close(&s->connection);
	r = state_folder_set_aside(&s->folder, name);
	if (r)
		return refuse_errno(s, r, f);
	free(s->set_aside);
	s->set_aside = state_folder_path(&s->folder, name);
	if (!s->set_aside)
		return refuse_errno(s, -ENOMEM, f);
	log_error("store: %s is damaged (%s): it was set aside as %s, and mappings begin anew",
		  s->path, why, s->set_aside);
	return begin(s, f);
}

static int refuse_newer(struct sqlite_store *s, int version, struct fault *f)
{
	connection_leave_files(&s->connection);
	fault_set(f, FAULT_STORE, "",
		  "state folder %s: %s has schema %d; expected at most %d: it belongs to a newer "
		  "Portwright, which should be started instead",
		  s->folder.path, DATABASE_NAME, version, sqlite_schema_today.n);
	return -EPROTONOSUPPORT;
}

/* Opens the database that is there. 0; -EBADMSG: it is damaged, as ret_why says; or another
 * negative errno with *f. */
static int open_existing(struct sqlite_store *s, char ret_why[static WHY_MAX], struct fault *f)
{
	struct connection *c = &s->connection;
	int version = 0, code = connection_open(c, s->path);

	if (code == SQLITE_OK)
		code = sqlite_schema_version(c->db, &version);
	if (code == SQLITE_OK && version > sqlite_schema_today.n)
		return refuse_newer(s, version, f);
	if (code == SQLITE_OK)
		code = connection_check(c, ret_why, WHY_MAX);
	if (code == SQLITE_OK && version < 1)
		code = SQLITE_CORRUPT; /* we never left one like this */
	if (code == SQLITE_OK)
		code = sqlite_schema_migrate(c->db, &sqlite_schema_today);
	if (code == SQLITE_OK)
		code = connection_prepare(c);
	if (code == SQLITE_OK)
		return 0;
	if (!connection_is_damage(code))
		return refuse(s, code, f);
	if (!*ret_why || !strcmp(ret_why, "ok"))
		snprintf(ret_why, WHY_MAX, "%s", sqlite3_errstr(code));
	return -EBADMSG;
}

static int open_database(struct sqlite_store *s, struct fault *f)
{
	const char *found = NULL;
	char why[WHY_MAX] = "";
	int r = state_folder_probe(&s->folder, SQLITE_SCHEMA_APPLICATION, &found);

	if (r == 0)
		return begin(s, f);
	if (r == -EBADMSG)
		return begin_anew(s, found, f);
	if (r < 0)
		return refuse_errno(s, r, f);
	r = open_existing(s, why, f);
	return r == -EBADMSG ? begin_anew(s, why, f) : r;
}

/* Moves the deadlines over to this boot. On a full disk they stay as they are, since the daemon
 * shall start all the same; the next write tries again. 0, or a negative errno with *f. */
static int follow_boot(struct sqlite_store *s, struct fault *f)
{
	struct connection *c = &s->connection;
	int r = 0, code = SQLITE_OK;

	if (!c->same_boot)
		code = connection_write(c, NULL, 0, c->last_id, false);
	if ((code & 0xff) == SQLITE_IOERR)
		r = refuse(s, code, f);
	else if (code != SQLITE_OK)
		log_warning("store: deadlines in %s still count from another boot: %s", s->path,
			    connection_explain(c, code));
	connection_rollback(c);
	return r;
}

/* Loading. All mappings are read before the first is handed over, since damage may show late. */

struct loaded {
	struct mapping **at;
	size_t n, capacity;
};

static int keep(struct loaded *l, struct mapping *m)
{
	if (l->n == l->capacity) {
		size_t capacity = l->capacity ? 2 * l->capacity : 1024;
		struct mapping **at = reallocarray(l->at, capacity, sizeof(struct mapping *));

		if (!at)
			return -ENOMEM;
		l->at = at;
		l->capacity = capacity;
	}
	l->at[l->n++] = m;
	return 0;
}

static void drop(struct loaded *l, size_t from)
{
	for (size_t i = from; i < l->n; i++)
		mapping_unref(l->at[i]);
	free(l->at);
	*l = (struct loaded){ 0 };
}

/* 0; -EBADMSG with ret_why; -ENOMEM. */
static int keep_row(sqlite3_stmt *list, const struct row_time *at, struct loaded *l,
		    char ret_why[static WHY_MAX])
{
	const char *column;
	struct mapping *m;
	int r = sqlite_row_read(list, at, &m, &column);

	if (r == -EBADMSG)
		snprintf(ret_why, WHY_MAX, "%s of mapping m%lld is no such thing", column,
			 (long long)sqlite3_column_int64(list, 0));
	if (r)
		return r;
	r = keep(l, m);
	if (r)
		mapping_unref(m);
	return r;
}

/* 0; -EBADMSG with ret_why; or another negative errno with *f. */
static int read_rows(struct sqlite_store *s, struct loaded *l, char ret_why[static WHY_MAX],
		     struct fault *f)
{
	struct connection *c = &s->connection;
	struct row_time at = { clock_now(), clock_wall(), c->same_boot };
	sqlite3_stmt *list = NULL;
	int r = 0, code = sqlite3_prepare_v2(c->db, sqlite_row_list, -1, &list, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(list);
	for (; code == SQLITE_ROW && !r; code = sqlite3_step(list))
		r = keep_row(list, &at, l, ret_why);
	if (r == -ENOMEM) {
		refuse_errno(s, r, f);
	} else if (!r && connection_is_damage(code)) {
		snprintf(ret_why, WHY_MAX, "%s", sqlite3_errstr(code));
		r = -EBADMSG;
	} else if (!r && code != SQLITE_DONE) {
		r = refuse(s, code, f);
	}
	sqlite3_finalize(list);
	return r;
}

static int sqlite_load(struct store *store, int (*visit)(void *arg, struct mapping *m), void *arg,
		       uint32_t *ret_last_id, struct fault *f)
{
	struct sqlite_store *s = sqlite_store_of(store);
	uint32_t last_id = s->connection.last_id;
	struct loaded l = { 0 };
	char why[WHY_MAX];
	size_t i = 0;
	int r = read_rows(s, &l, why, f);

	if (r) {
		drop(&l, 0);
		if (r == -EBADMSG)
			r = begin_anew(s, why, f);
		if (r)
			return r;
	}
	if (l.n && l.at[l.n - 1]->id > last_id)
		last_id = l.at[l.n - 1]->id;
	while (i < l.n && !r)
		r = visit(arg, l.at[i++]);
	drop(&l, i);
	if (!r)
		*ret_last_id = last_id;
	return r;
}

/* Writing. */

/* Connects again behind an I/O error. `changes` is what was refused (NULL: no longer known), to be
 * undone where it got through. */
static int reconnect(struct sqlite_store *s, const struct change *changes, size_t n)
{
	struct connection *c = &s->connection;
	int64_t acknowledged = c->writes;
	int code;

	connection_close(c);
	code = connection_open(c, s->path);
	if (code == SQLITE_OK)
		code = connection_prepare(c);
	if (code == SQLITE_OK && c->writes != acknowledged) {
		s->in_doubt = true;
		if (changes && c->writes == acknowledged + 1)
			code = connection_write(c, changes, n, 0, true);
		if (changes && code == SQLITE_OK)
			s->in_doubt = false;
	}
	if (code != SQLITE_OK) {
		connection_close(c);
		c->writes = acknowledged;
	}
	return code;
}

static int refuse_doubt(const struct sqlite_store *s, struct fault *f)
{
	fault_set(f, FAULT_STORE, "",
		  "state folder %s: the disk failed, and what was refused may be on it; expected "
		  "portwrightd to be started again",
		  s->folder.path);
	return -EIO;
}

/* 0, or a negative errno with *f. */
static int write_changes(struct sqlite_store *s, const struct change *changes, size_t n,
			 uint32_t last_id, struct fault *f)
{
	struct connection *c = &s->connection;
	int code = c->db ? SQLITE_OK : reconnect(s, NULL, 0);

	if (s->in_doubt)
		return refuse_doubt(s, f);
	if (code == SQLITE_OK)
		code = connection_write(c, changes, n, last_id, false);
	if (code == SQLITE_OK)
		return 0;
	fault_set(f, FAULT_STORE, "", "state folder %s: %s; nothing was changed", s->folder.path,
		  connection_explain(c, code));
	connection_rollback(c);
	if (c->db && (code & 0xff) == SQLITE_IOERR)
		reconnect(s, changes, n);
	return s->in_doubt ? refuse_doubt(s, f) : connection_errno(code);
}

static void sqlite_write(struct store *store, const struct change *changes, size_t n,
			 uint32_t last_id, store_done done, void *arg)
{
	struct fault f;
	int r = write_changes(sqlite_store_of(store), changes, n, last_id, &f);

	done(arg, r, r ? &f : NULL);
}

/* Values beside the mappings. */

static int sqlite_get_meta(struct store *store, const char *key, char *buf, size_t cap,
			   struct fault *f)
{
	struct sqlite_store *s = sqlite_store_of(store);
	char *value = NULL;
	int code = s->connection.db ? SQLITE_OK : reconnect(s, NULL, 0);
	size_t size;

	if (code == SQLITE_OK)
		code = connection_get_meta(&s->connection, key, &value);
	if (code == SQLITE_NOTFOUND)
		return -ENOENT;
	if (code != SQLITE_OK)
		return refuse(s, code, f);
	size = strlen(value) + 1;
	if (size <= cap)
		memcpy(buf, value, size);
	free(value);
	return size <= cap ? 0 : -ENOBUFS;
}

static int sqlite_put_meta(struct store *store, const char *key, const char *value, struct fault *f)
{
	struct sqlite_store *s = sqlite_store_of(store);
	int r, code = s->connection.db ? SQLITE_OK : reconnect(s, NULL, 0);

	if (code == SQLITE_OK)
		code = connection_put_meta(&s->connection, key, value);
	if (code == SQLITE_OK)
		return 0;
	r = refuse(s, code, f);
	if (s->connection.db && (code & 0xff) == SQLITE_IOERR)
		reconnect(s, NULL, 0);
	return r;
}

static void sqlite_close(struct store *store)
{
	struct sqlite_store *s = sqlite_store_of(store);

	connection_close(&s->connection);
	state_folder_close(&s->folder);
	free(s->set_aside);
	free(s->path);
	free(s);
}

static const struct store_ops sqlite_ops = {
	.name = "sqlite",
	.load = sqlite_load,
	.write = sqlite_write,
	.get_meta = sqlite_get_meta,
	.put_meta = sqlite_put_meta,
	.close = sqlite_close,
};

int sqlite_store_open(const char *state_dir, const char *boot_id, struct store **ret,
		      struct fault *f)
{
	struct sqlite_store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	s->store.ops = &sqlite_ops;
	snprintf(s->connection.boot_id, sizeof(s->connection.boot_id), "%s", boot_id);
	r = state_folder_open(state_dir, &s->folder, f);
	if (r) {
		free(s);
		return r;
	}
	s->path = state_folder_path(&s->folder, DATABASE_NAME);
	r = s->path ? open_database(s, f) : refuse_errno(s, -ENOMEM, f);
	if (!r)
		r = follow_boot(s, f);
	if (r) {
		sqlite_close(&s->store);
		return r;
	}
	*ret = &s->store;
	return 0;
}

const char *sqlite_store_set_aside(const struct store *s)
{
	return ((const struct sqlite_store *)s)->set_aside;
}
