/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite_schema: what the database looks like, for the programs and for a person with sqlite3(1).
 *
 * Values stand as people write them (addresses, "tcp", "refuse"), so that the file explains itself
 * and does not depend on the numbers of our enums. The list of remote hosts is one text of prefixes
 * with commas: it is always read and written with its mapping and never searched by SQL, so a table
 * of its own would only double the statements and pages of every change. The checks keep a hand
 * that edits the file from leaving what the daemon would have to take for damage.
 */
#include "store/sqlite_schema.h"

#include <stdio.h>

static const char step_1[] =
	"CREATE TABLE mapping ("
	" id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4294967295),"
	" version INTEGER NOT NULL CHECK (version BETWEEN 1 AND 4294967295),"
	" created INTEGER NOT NULL," /* seconds since 1970, as `changed` */
	" changed INTEGER NOT NULL,"
	" protocol TEXT NOT NULL CHECK (protocol IN ('tcp', 'udp', 'both')),"
	" external_addr TEXT NOT NULL," /* '': every public address */
	" external_first INTEGER NOT NULL CHECK (external_first BETWEEN 1 AND external_last),"
	" external_last INTEGER NOT NULL CHECK (external_last <= 65535),"
	" internal_client TEXT NOT NULL,"
	" internal_first INTEGER NOT NULL CHECK (internal_first BETWEEN 1 AND internal_last),"
	" internal_last INTEGER NOT NULL CHECK (internal_last <= 65535),"
	" remote_hosts TEXT NOT NULL," /* '': anyone */
	" enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),"
	" when_disabled TEXT NOT NULL CHECK (when_disabled IN ('drop', 'refuse')),"
	" max_connections INTEGER NOT NULL CHECK (max_connections BETWEEN 0 AND 4294967295),"
	" rate INTEGER NOT NULL CHECK (rate BETWEEN 0 AND 4294967295),"
	" expires INTEGER NOT NULL,"	  /* 0: never; else CLOCK_BOOTTIME ms of state.boot_id */
	" expires_wall INTEGER NOT NULL," /* the same moment in seconds since 1970 */
	" expires_date INTEGER NOT NULL," /* 0, or the date that a person gave */
	" origin TEXT NOT NULL,"
	" owner TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" app TEXT NOT NULL,"
	" notes TEXT NOT NULL,"
	" CHECK (external_last - external_first = internal_last - internal_first)"
	") STRICT;"
	"CREATE TABLE state ("
	" one INTEGER PRIMARY KEY CHECK (one = 1)," /* there is one row */
	" last_id INTEGER NOT NULL,"		    /* the highest id ever given out */
	" boot_id TEXT NOT NULL,"		    /* the boot that mapping.expires counts from */
	" writes INTEGER NOT NULL"		    /* how many transactions there were */
	") STRICT;"
	"INSERT INTO state VALUES (1, 0, '', 0);";

/* What devices ask for: a PCP mapping's nonce, the port of the peer that it is for, and whether it
 * waits for the operator's approval. */
static const char step_2[] =
	"ALTER TABLE mapping ADD COLUMN nonce TEXT NOT NULL DEFAULT ''" /* '': none; else hex */
	" CHECK (length(nonce) IN (0, 24));"
	"ALTER TABLE mapping ADD COLUMN peer_port INTEGER NOT NULL DEFAULT 0" /* 0: none */
	" CHECK (peer_port BETWEEN 0 AND 65535);"
	"ALTER TABLE mapping ADD COLUMN pending INTEGER NOT NULL DEFAULT 0"
	" CHECK (pending = 0 OR (pending = 1 AND enabled = 0));"
	"CREATE TABLE meta (" /* small values that last beside the mappings: 'epoch' */
	" key TEXT PRIMARY KEY,"
	" value TEXT NOT NULL"
	") STRICT, WITHOUT ROWID;";

static const char *const steps[] = { step_1, step_2 };

const struct sqlite_schema sqlite_schema_today = { steps, sizeof(steps) / sizeof(steps[0]) };

int sqlite_schema_version(sqlite3 *db, int *ret)
{
	sqlite3_stmt *ask;
	int r = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &ask, NULL);

	if (r != SQLITE_OK)
		return r;
	r = sqlite3_step(ask);
	if (r == SQLITE_ROW)
		*ret = sqlite3_column_int(ask, 0);
	sqlite3_finalize(ask);
	return r == SQLITE_ROW ? SQLITE_OK : r;
}

static int take_step(sqlite3 *db, const char *step, int version)
{
	char mark[48];
	int r;

	snprintf(mark, sizeof(mark), "PRAGMA user_version = %d; COMMIT", version);
	r = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_exec(db, step, NULL, NULL, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_exec(db, mark, NULL, NULL, NULL);
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

int sqlite_schema_migrate(sqlite3 *db, const struct sqlite_schema *schema)
{
	int version, r = sqlite_schema_version(db, &version);

	for (; r == SQLITE_OK && version < schema->n; version++)
		r = take_step(db, schema->steps[version], version + 1);
	return r;
}

int sqlite_schema_create(const char *path, const struct sqlite_schema *schema)
{
	char setup[96];
	sqlite3 *db;
	int r;

	snprintf(setup, sizeof(setup), "PRAGMA synchronous = FULL; PRAGMA application_id = %d",
		 SQLITE_SCHEMA_APPLICATION);
	r = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_exec(db, setup, NULL, NULL, NULL);
	if (r == SQLITE_OK)
		r = sqlite_schema_migrate(db, schema);
	if (r == SQLITE_OK)
		r = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
	sqlite3_close(db); /* of what failed to open, too */
	return r;
}
