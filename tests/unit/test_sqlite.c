/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SQLite store on real files: what comes back is what was put in, over restarts, reboots,
 * migrations and damage. What happens when the disk fails or the daemon is killed is the matter of
 * test_sqlite_failures.c.
 */
#include "sqlite_fixture.h"

#include "store/sqlite_schema.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <time.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void run_sql(const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message))
		fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static char *read_whole(const char *path, size_t *ret_len)
{
	size_t len = (size_t)size_of(path);
	char *bytes = malloc(len + 1);
	FILE *file = fopen(path, "r");

	assert_non_null(bytes);
	assert_non_null(file);
	assert_int_equal(fread(bytes, 1, len, file), len);
	fclose(file);
	*ret_len = len;
	return bytes;
}

static void write_whole(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* Puts `n` plain mappings m1..mN into a new store and closes it. */
static void fill(uint32_t n)
{
	struct store *s = open_store(BOOT);
	struct shelf none;

	load_store(s, &none);
	for (uint32_t id = 1; id <= n; id++) {
		struct mapping *m = plain_mapping(id, 1);

		assert_int_equal(write_one(s, NULL, m), 0);
		mapping_unref(m);
	}
	s->ops->close(s);
}

static void assert_filled(uint32_t n)
{
	struct store *s = open_store(BOOT);
	struct shelf shelf;

	load_store(s, &shelf);
	assert_null(sqlite_store_set_aside(s));
	assert_int_equal(shelf.n, n);
	assert_int_equal(shelf.last_id, n);
	for (uint32_t i = 0; i < n; i++) {
		struct mapping *m = plain_mapping(i + 1, 1);

		assert_same_mapping(shelf.at[i], m);
		mapping_unref(m);
	}
	clear_shelf(&shelf);
	s->ops->close(s);
}

static void test_new_folder(void **state)
{
	struct store *s;
	struct shelf shelf;
	struct fault f;
	struct stat st;
	char path[128];

	snprintf(path, sizeof(path), "%s/var/lib/portwright", folder);
	assert_int_equal(sqlite_store_open(path, BOOT, &s, &f), 0);
	load_store(s, &shelf);
	assert_int_equal(shelf.n, 0);
	assert_int_equal(shelf.last_id, 0);
	assert_null(sqlite_store_set_aside(s));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	strcat(path, "/portwright.db");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	strcat(path, ".new");
	assert_int_equal(stat(path, &st), -1);
	s->ops->close(s);
}

/* Every field, at its extremes. */
static struct mapping *extreme_mapping(uint32_t id)
{
	static char name[MAPPING_NAME_MAX + 1], app[MAPPING_APP_MAX + 1];
	static char notes[MAPPING_NOTES_MAX + 1], owner[MAPPING_OWNER_MAX + 1];
	static struct prefix remotes[MAPPING_REMOTES_MAX];
	struct mapping_spec spec = {
		.external_addr = addr_of("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe"),
		.internal_client = addr_of("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe"),
		.external = { 1, 65535 },
		.internal = { 1, 65535 },
		.protocols = PROTOCOL_BOTH,
		.when_disabled = DISABLED_REFUSE,
		.origin = ORIGIN_RTSP,
		.pending = true,
		.nonce = { 0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0xa0, 0, 0, 0, 0, 0 },
		.peer_port = 65535,
		.max_connections = UINT32_MAX,
		.rate = UINT32_MAX,
		.expires = 123456789012,
		.remote_hosts = remotes,
		.n_remote_hosts = MAPPING_REMOTES_MAX,
		.name = name,
		.app = app,
		.notes = notes,
		.owner = owner,
	};
	struct mapping *m;

	for (size_t i = 0; i < MAPPING_REMOTES_MAX; i++) {
		remotes[i].addr = addr_of("fe80:ffff:ffff:ffff:ffff:ffff:ffff:ff00");
		remotes[i].addr.in6.s6_addr[15] = (uint8_t)i;
		remotes[i].length = 128;
	}
	memset(name, 'n', MAPPING_NAME_MAX);
	memcpy(name, "T\xc3\xbcr '\"; DROP TABLE mapping", 28);
	memset(app, 'a', MAPPING_APP_MAX);
	memset(notes, '\n', MAPPING_NOTES_MAX);
	memset(owner, 'o', MAPPING_OWNER_MAX);
	m = mapping_new(&spec, id, UINT32_MAX);
	assert_non_null(m);
	m->created = 1;
	m->changed = 253402300799;
	return m;
}

static void test_round_trip(void **state)
{
	struct mapping *plain = plain_mapping(7, 3), *extreme = extreme_mapping(UINT32_MAX), *v4;
	struct mapping_spec spec = plain->spec;
	struct prefix remotes[2] = { { addr_of("0.0.0.0"), 0 }, { addr_of("203.0.113.0"), 24 } };
	struct store *s = open_store(BOOT);
	struct shelf shelf;

	spec.external_addr = addr_of("203.0.113.7");
	spec.protocols = PROTOCOL_UDP;
	spec.enabled = false;
	spec.remote_hosts = remotes;
	spec.n_remote_hosts = 2;
	spec.name = spec.app = spec.owner = "";
	v4 = mapping_new(&spec, 8, 1);
	assert_non_null(v4);

	/* In one write and in no order; what comes back has one. */
	struct change changes[] = { { NULL, extreme }, { NULL, plain }, { NULL, v4 } };
	assert_int_equal(write_store(s, changes, N(changes), UINT32_MAX, NULL), 0);
	for (int restart = 0; restart < 2; restart++) {
		load_store(s, &shelf);
		assert_int_equal(shelf.n, 3);
		assert_int_equal(shelf.last_id, UINT32_MAX);
		assert_same_mapping(shelf.at[0], plain);
		assert_same_mapping(shelf.at[1], v4);
		assert_same_mapping(shelf.at[2], extreme);
		clear_shelf(&shelf);
		s->ops->close(s);
		s = open_store(BOOT);
	}
	s->ops->close(s);
	mapping_unref(plain);
	mapping_unref(extreme);
	mapping_unref(v4);
}

static void test_change_and_delete(void **state)
{
	struct mapping *first = plain_mapping(1, 1), *second = plain_mapping(2, 1);
	struct mapping *changed = plain_mapping(1, 2), *third = plain_mapping(3, 1);
	struct store *s = open_store(BOOT);
	struct shelf shelf;

	struct change changes[] = { { NULL, first }, { NULL, second }, { first, changed },
				    { NULL, third }, { third, NULL },  { second, NULL } };
	assert_int_equal(write_store(s, changes, N(changes), 3, NULL), 0);
	s->ops->close(s);
	s = open_store(BOOT);
	load_store(s, &shelf);
	assert_int_equal(shelf.n, 1);
	assert_same_mapping(shelf.at[0], changed);
	clear_shelf(&shelf);

	/* Ids never come back, though the mappings are gone. */
	assert_int_equal(write_one(s, changed, NULL), 0);
	s->ops->close(s);
	s = open_store(BOOT);
	load_store(s, &shelf);
	assert_int_equal(shelf.n, 0);
	assert_int_equal(shelf.last_id, 3);
	s->ops->close(s);
	mapping_unref(first);
	mapping_unref(second);
	mapping_unref(third);
	mapping_unref(changed);
}

static int stop_at_two(void *arg, struct mapping *m)
{
	int *n = arg;

	mapping_unref(m);
	return ++*n == 2 ? -ECANCELED : 0;
}

static void test_visit_stops(void **state)
{
	uint32_t last_id = 77;
	struct store *s;
	struct fault f;
	int n = 0;

	fill(5);
	s = open_store(BOOT);
	assert_int_equal(s->ops->load(s, stop_at_two, &n, &last_id, &f), -ECANCELED);
	assert_int_equal(n, 2);
	assert_int_equal(last_id, 77);
	s->ops->close(s);
}

/* Deadlines. */

static clock_ms only_deadline(const char *boot_id)
{
	struct store *s = open_store(boot_id);
	struct shelf shelf;
	clock_ms expires;

	load_store(s, &shelf);
	assert_int_equal(shelf.n, 1);
	expires = shelf.at[0]->spec.expires;
	clear_shelf(&shelf);
	s->ops->close(s);
	return expires;
}

static void put_deadline(clock_ms expires, wall_s date)
{
	struct mapping *plain = plain_mapping(1, 1), *m;
	struct mapping_spec spec = plain->spec;
	struct store *s = open_store(BOOT);

	spec.expires = expires;
	spec.expires_date = date;
	m = mapping_new(&spec, 1, 1);
	assert_int_equal(write_one(s, NULL, m), 0);
	s->ops->close(s);
	mapping_unref(plain);
	mapping_unref(m);
}

static void test_lease_within_a_boot(void **state)
{
	clock_freeze(1000000, 2000000);
	put_deadline(1060500, 0);
	/* Whatever somebody does to the wall clock. */
	clock_freeze(1000000, 9);
	assert_int_equal(only_deadline(BOOT), 1060500);
	clock_freeze(2000000, 0);
	assert_int_equal(only_deadline(BOOT), 1060500);
}

static void test_lease_over_a_reboot(void **state)
{
	clock_freeze(1000000, 2000000);
	put_deadline(1060500, 0); /* 60.5 s, until 2000061 in whole seconds */
	clock_freeze(5000, 2000021);
	assert_int_equal(only_deadline(OTHER_BOOT), 45000);
	/* From then on it counts from the new boot, whatever the wall clock says. */
	clock_freeze(15000, 1000);
	assert_int_equal(only_deadline(OTHER_BOOT), 45000);
	/* Ran out while the machine was off: past, but not "never". */
	clock_freeze(3000, 3000000);
	assert_int_equal(only_deadline(BOOT), 1);
}

static void test_lease_until_a_date(void **state)
{
	clock_freeze(1000000, 2000000);
	put_deadline(1060000, 2000060);
	clock_freeze(1000000, 2000030);
	assert_int_equal(only_deadline(BOOT), 1030000);
	clock_freeze(500, 2000059);
	assert_int_equal(only_deadline(OTHER_BOOT), 1500);
	clock_freeze(500, 2000061);
	assert_int_equal(only_deadline(OTHER_BOOT), 1);
}

static void test_no_lease(void **state)
{
	clock_freeze(1000000, 2000000);
	put_deadline(0, 0);
	assert_int_equal(only_deadline(BOOT), 0);
	assert_int_equal(only_deadline(OTHER_BOOT), 0);
}

/* Schemas. */

/* What Portwright left before devices could ask for mappings. */
static void test_first_schema(void **state)
{
	struct sqlite_schema first = { sqlite_schema_today.steps, 1 };
	struct mapping *m = plain_mapping(7, 3);
	char text[64];
	struct shelf shelf;
	struct store *s;
	struct fault f;
	FILE *empty;

	empty = fopen(database, "w");
	assert_non_null(empty);
	fclose(empty);
	assert_int_equal(sqlite_schema_create(database, &first), SQLITE_OK);
	run_sql("INSERT INTO mapping VALUES (7, 3, 1763726400, 1763726403, 'tcp', '', 1031, 1031,"
		" '192.168.69.110', 80, 80, '', 1, 'drop', 0, 0, 0, 0, 0, 'operator', 'root',"
		" 'Front door, web', 'http', '');"
		"UPDATE state SET last_id = 9, boot_id = '" BOOT "'");
	for (int restart = 0; restart < 2; restart++) {
		s = open_store(BOOT);
		assert_null(sqlite_store_set_aside(s));
		load_store(s, &shelf);
		assert_int_equal(shelf.n, 1);
		assert_int_equal(shelf.last_id, 9);
		assert_same_mapping(shelf.at[0], m);
		clear_shelf(&shelf);
		assert_int_equal(s->ops->get_meta(s, "epoch", text, sizeof(text), &f), -ENOENT);
		s->ops->close(s);
	}
	mapping_unref(m);
}

static void test_migration(void **state)
{
	const char *steps[] = { sqlite_schema_today.steps[0], sqlite_schema_today.steps[1],
				"ALTER TABLE mapping ADD COLUMN planted TEXT NOT NULL DEFAULT 'x'",
				"UPDATE mapping SET planted = planted || id" };
	const char *broken[] = { steps[0], steps[1], steps[2], steps[3],
				 "DELETE FROM mapping; no such thing" };
	struct sqlite_schema newer = { steps, 4 }, wrong = { broken, 5 };
	sqlite3_stmt *ask;
	int version;
	sqlite3 *db;

	fill(2);
	assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
	assert_int_equal(sqlite_schema_version(db, &version), SQLITE_OK);
	assert_int_equal(version, sqlite_schema_today.n);
	assert_int_equal(sqlite_schema_migrate(db, &newer), SQLITE_OK);
	assert_int_equal(sqlite_schema_version(db, &version), SQLITE_OK);
	assert_int_equal(version, 4);
	/* A step that fails leaves the version before it, whole. */
	assert_int_equal(sqlite_schema_migrate(db, &wrong), SQLITE_ERROR);
	assert_int_equal(sqlite_schema_version(db, &version), SQLITE_OK);
	assert_int_equal(version, 4);
	assert_int_equal(
		sqlite3_prepare_v2(db, "SELECT planted FROM mapping ORDER BY id", -1, &ask, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(ask), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(ask, 0), "x1");
	assert_int_equal(sqlite3_step(ask), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(ask, 0), "x2");
	sqlite3_finalize(ask);
	sqlite3_close(db);
}

static void test_newer_schema(void **state)
{
	char expected[256], *before, *after;
	size_t len_before, len_after;
	struct store *s = NULL;
	struct fault f;

	fill(2);
	run_sql("PRAGMA user_version = 9");
	before = read_whole(database, &len_before);
	assert_int_equal(sqlite_store_open(folder, BOOT, &s, &f), -EPROTONOSUPPORT);
	assert_null(s);
	assert_int_equal(f.kind, FAULT_STORE);
	snprintf(
		expected, sizeof(expected),
		"state folder %s: portwright.db has schema 9; expected at most %d: it belongs to a "
		"newer Portwright, which should be started instead",
		folder, sqlite_schema_today.n);
	assert_string_equal(f.text, expected);
	after = read_whole(database, &len_after);
	assert_int_equal(len_before, len_after);
	assert_memory_equal(before, after, len_before);
	free(before);
	free(after);
	run_sql("PRAGMA user_version = 2");
	assert_filled(2);
}

static void truncate_to(off_t length)
{
	assert_int_equal(truncate(database, length), 0);
}

/* Values beside the mappings. */

static void assert_meta(struct store *s, const char *key, const char *expected)
{
	char text[64];
	struct fault f;

	assert_int_equal(s->ops->get_meta(s, key, text, sizeof(text), &f), 0);
	assert_string_equal(text, expected);
}

static void test_meta(void **state)
{
	struct store *s = open_store(BOOT);
	char text[8] = "before";
	struct fault f;

	assert_int_equal(s->ops->get_meta(s, "epoch", text, sizeof(text), &f), -ENOENT);
	assert_int_equal(s->ops->put_meta(s, "epoch", "first", &f), 0);
	assert_int_equal(s->ops->put_meta(s, "other", "it's another", &f), 0);
	assert_int_equal(s->ops->put_meta(s, "epoch", "second", &f), 0);
	assert_meta(s, "epoch", "second");
	s->ops->close(s);

	s = open_store(OTHER_BOOT);
	assert_meta(s, "epoch", "second");
	assert_meta(s, "other", "it's another");
	assert_int_equal(s->ops->get_meta(s, "other", text, sizeof(text), &f), -ENOBUFS);
	assert_string_equal(text, "before");
	s->ops->close(s);
	assert_filled(0);

	/* It is lost with the mappings. */
	truncate_to(700);
	s = open_store(BOOT);
	assert_non_null(sqlite_store_set_aside(s));
	assert_int_equal(s->ops->get_meta(s, "epoch", text, sizeof(text), &f), -ENOENT);
	s->ops->close(s);
}

/* Damage. */
static void overwrite(off_t at, size_t len, int byte)
{
	int fd = open(database, O_WRONLY);

	for (size_t i = 0; i < len; i++)
		assert_int_equal(pwrite(fd, &byte, 1, at + (off_t)i), 1);
	close(fd);
}

static void damage_empty(void)
{
	truncate_to(0);
}

static void damage_short(void)
{
	truncate_to(99);
}

static void damage_header_only(void)
{
	truncate_to(100);
}

static void damage_half(void)
{
	truncate_to(size_of(database) / 2);
}

static void damage_not_a_database(void)
{
	write_whole(database, "portwright = no database\n", 25);
}

static void damage_magic(void)
{
	overwrite(0, 4, 'x');
}

static void damage_page_size(void)
{
	overwrite(16, 2, 0);
}

static void damage_schema_page(void)
{
	overwrite(100, 3900, 0xff);
}

static void damage_every_page(void)
{
	overwrite(4096, (size_t)size_of(database) - 4096, 0xa5);
}

static void damage_foreign(void)
{
	run_sql("PRAGMA application_id = 1");
}

static void damage_version(void)
{
	run_sql("PRAGMA user_version = 0");
}

static void damage_no_table(void)
{
	run_sql("DROP TABLE mapping");
}

static void damage_no_column(void)
{
	run_sql("ALTER TABLE mapping DROP COLUMN notes");
}

static void damage_no_state(void)
{
	run_sql("DELETE FROM state");
}

static void damage_client(void)
{
	run_sql("UPDATE mapping SET internal_client = '192.168.1' WHERE id = 20");
}

static void damage_no_client(void)
{
	run_sql("UPDATE mapping SET internal_client = '' WHERE id = 20");
}

static void damage_remote_hosts(void)
{
	run_sql("UPDATE mapping SET remote_hosts = '10.0.0.0/8,,10.0.0.0/40' WHERE id = 20");
}

static void damage_utf8(void)
{
	run_sql("UPDATE mapping SET name = CAST(x'41ff42' AS TEXT) WHERE id = 20");
}

static void damage_nul(void)
{
	run_sql("UPDATE mapping SET name = CAST(x'410042' AS TEXT) WHERE id = 20");
}

static void damage_origin(void)
{
	run_sql("UPDATE mapping SET origin = 'nobody' WHERE id = 20");
}

static void damage_ports(void)
{
	run_sql("PRAGMA ignore_check_constraints = ON; UPDATE mapping SET internal_last = 90");
}

static void damage_zero_port(void)
{
	run_sql("PRAGMA ignore_check_constraints = ON; UPDATE mapping SET external_first = 0");
}

static void damage_log_without_database(void)
{
	char log[128];

	snprintf(log, sizeof(log), "%s-wal", database);
	assert_int_equal(rename(database, log), 0);
}

static const struct {
	const char *name;
	void (*damage)(void);
} damages[] = {
	{ "empty", damage_empty },
	{ "short", damage_short },
	{ "header only", damage_header_only },
	{ "half", damage_half },
	{ "not a database", damage_not_a_database },
	{ "magic", damage_magic },
	{ "page size", damage_page_size },
	{ "schema page", damage_schema_page },
	{ "every page", damage_every_page },
	{ "foreign", damage_foreign },
	{ "version", damage_version },
	{ "no table", damage_no_table },
	{ "no column", damage_no_column },
	{ "no state", damage_no_state },
	{ "client", damage_client },
	{ "no client", damage_no_client },
	{ "remote hosts", damage_remote_hosts },
	{ "UTF-8", damage_utf8 },
	{ "NUL", damage_nul },
	{ "origin", damage_origin },
	{ "ports", damage_ports },
	{ "zero port", damage_zero_port },
	{ "log without database", damage_log_without_database },
};

/* Opens a damaged database; what was there lies aside, byte for byte, and what is there works. */
static void assert_begun_anew(const char *what, const char *damaged, size_t len)
{
	struct mapping *m = plain_mapping(41, 1);
	struct store *s = open_store(BOOT);
	struct shelf shelf;
	size_t aside_len;
	char *aside;

	load_store(s, &shelf);
	if (!sqlite_store_set_aside(s))
		fail_msg("%s: not noticed", what);
	assert_int_equal(shelf.n, 0);
	if (damaged) {
		aside = read_whole(sqlite_store_set_aside(s), &aside_len);
		assert_int_equal(aside_len, len);
		assert_memory_equal(aside, damaged, len);
		free(aside);
	}
	assert_int_equal(write_one(s, NULL, m), 0);
	s->ops->close(s);
	s = open_store(BOOT);
	load_store(s, &shelf);
	assert_null(sqlite_store_set_aside(s));
	assert_int_equal(shelf.n, 1);
	assert_same_mapping(shelf.at[0], m);
	clear_shelf(&shelf);
	s->ops->close(s);
	mapping_unref(m);
}

static void test_damage(void **state)
{
	fill(40);
	size_t whole_len, len;
	char *whole = read_whole(database, &whole_len), *damaged = NULL;
	glob_t aside;
	char pattern[128];

	for (size_t i = 0; i < N(damages); i++) {
		write_whole(database, whole, whole_len);
		damages[i].damage();
		damaged = access(database, F_OK) ? NULL : read_whole(database, &len);
		assert_begun_anew(damages[i].name, damaged, len);
		free(damaged);
	}
	free(whole);
	/* All of them lie there, though several fell into one second. */
	snprintf(pattern, sizeof(pattern), "%s/portwright.db.damaged-????????T??????Z*", folder);
	assert_int_equal(glob(pattern, 0, NULL, &aside), 0);
	assert_true(aside.gl_pathc >= N(damages));
	globfree(&aside);
}

/* Cut anywhere, a database is noticed or complete, never silently less. */
static void test_truncation(void **state)
{
	fill(200);
	size_t whole_len;
	char *whole = read_whole(database, &whole_len);

	assert_true(whole_len > 16384);
	for (size_t len = 0; len < whole_len; len += len < 200 ? 23 : 1531) {
		struct store *s;
		struct shelf shelf;

		write_whole(database, whole, len);
		s = open_store(BOOT);
		load_store(s, &shelf);
		if (!sqlite_store_set_aside(s) || shelf.n)
			fail_msg("cut to %zu bytes: not noticed, %zu mappings", len, shelf.n);
		s->ops->close(s);
	}
	write_whole(database, whole, whole_len);
	free(whole);
	assert_filled(200);
}

/* The log of a daemon that died, cut anywhere: a part of what was written, in order, whole. */
static void test_truncated_log(void **state)
{
	char log[128], *log_bytes, *db_bytes;
	size_t log_len, db_len;
	struct store *s = open_store(BOOT);

	for (uint32_t id = 1; id <= 20; id++) {
		struct mapping *m = plain_mapping(id, 1);

		assert_int_equal(write_one(s, NULL, m), 0);
		mapping_unref(m);
	}
	snprintf(log, sizeof(log), "%s-wal", database);
	log_bytes = read_whole(log, &log_len);
	db_bytes = read_whole(database, &db_len);
	s->ops->close(s);
	for (size_t len = 0, least = 0; len <= log_len; len += 1201) {
		struct shelf shelf;

		write_whole(database, db_bytes, db_len);
		write_whole(log, log_bytes, len);
		s = open_store(BOOT);
		load_store(s, &shelf);
		assert_null(sqlite_store_set_aside(s));
		assert_true(shelf.n >= least);
		assert_int_equal(shelf.n, shelf.last_id);
		least = shelf.n;
		clear_shelf(&shelf);
		s->ops->close(s);
	}
	free(log_bytes);
	free(db_bytes);
}

/* The folder. */

static void test_second_daemon(void **state)
{
	struct store *s = open_store(BOOT), *other = NULL;
	char expected[128];
	struct fault f;
	int status;
	pid_t pid;

	snprintf(expected, sizeof(expected),
		 "state folder %s: in use by another portwrightd, pid %d", folder, (int)getpid());
	pid = fork();
	if (!pid) {
		int r = sqlite_store_open(folder, BOOT, &other, &f);

		_exit(r != -EBUSY || f.kind != FAULT_STORE || strcmp(f.text, expected) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(sqlite_store_open(folder, BOOT, &other, &f), -EBUSY);
	assert_string_equal(f.text, expected);
	s->ops->close(s);
	s = open_store(BOOT);
	s->ops->close(s);
}

static void test_path_is_a_file(void **state)
{
	char path[128], expected[192];
	struct store *s;
	struct fault f;

	snprintf(path, sizeof(path), "%s/file", folder);
	write_whole(path, "", 0);
	snprintf(expected, sizeof(expected), "state folder %s: Not a directory", path);
	assert_int_equal(sqlite_store_open(path, BOOT, &s, &f), -ENOTDIR);
	assert_string_equal(f.text, expected);
	strcat(path, "/sub");
	snprintf(expected, sizeof(expected), "state folder %s: cannot be made: Not a directory",
		 path);
	assert_int_equal(sqlite_store_open(path, BOOT, &s, &f), -ENOTDIR);
	assert_string_equal(f.text, expected);
}

/* What somebody without rights is told; in a child, which gives its rights up. */
static int open_as_nobody(const char *expected)
{
	struct store *s;
	struct fault f = { 0 };

	if (setgid(65534) || setuid(65534))
		return 2;
	if (!sqlite_store_open(folder, BOOT, &s, &f) || f.kind != FAULT_STORE)
		return 3;
	if (strcmp(f.text, expected) != 0)
		fprintf(stderr, "%s\n%s\n", f.text, expected);
	return strcmp(f.text, expected) != 0;
}

static void assert_refused_to_nobody(const char *expected)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(open_as_nobody(expected));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_no_permission(void **state)
{
	char expected[160], path[128];

	if (geteuid())
		skip();
	fill(1);
	snprintf(expected, sizeof(expected), "state folder %s: Permission denied", folder);
	assert_refused_to_nobody(expected);
	assert_int_equal(chmod(folder, 0755), 0);
	snprintf(expected, sizeof(expected),
		 "state folder %s: Permission denied; expected a folder to write in", folder);
	assert_refused_to_nobody(expected);
	snprintf(path, sizeof(path), "%s/lock", folder);
	assert_int_equal(chmod(folder, 0777), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(chmod(database, 0444), 0);
	strcpy(path + strlen(folder), "/portwright.db-shm"); /* what a first start would not find */
	assert_int_equal(unlink(path), 0);
	strcpy(path + strlen(folder), "/portwright.db-wal");
	assert_int_equal(unlink(path), 0);
	snprintf(expected, sizeof(expected), "state folder %s: the database cannot be written",
		 folder);
	assert_refused_to_nobody(expected);
	assert_filled(1);
}

/* Somebody sits in sqlite3(1) with a transaction open. */
static void test_locked_by_a_person(void **state)
{
	struct mapping *m = plain_mapping(1, 1);
	struct store *s = open_store(BOOT);
	struct change change = { NULL, m };
	char expected[160];
	struct fault f;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(write_store(s, &change, 1, 1, &f), -EBUSY);
	snprintf(expected, sizeof(expected),
		 "state folder %s: another program has locked the database; nothing was changed",
		 folder);
	assert_string_equal(f.text, expected);
	sqlite3_close(db);
	assert_int_equal(write_store(s, &change, 1, 1, &f), 0);
	s->ops->close(s);
	mapping_unref(m);
	assert_filled(1);
}

/* 65,000 mappings; prints how long they took, which is for people, not a limit. */

#define MANY 65000

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int count_one(void *arg, struct mapping *m)
{
	uint32_t *n = arg;

	assert_int_equal(m->id, ++*n);
	mapping_unref(m);
	return 0;
}

static void test_many(void **state)
{
	struct change *changes = calloc(MANY, sizeof(*changes));
	struct store *s = open_store(BOOT);
	uint32_t n = 0, last_id;
	double at[4];
	struct fault f;

	assert_non_null(changes);
	for (uint32_t i = 0; i < MANY; i++)
		changes[i].after = plain_mapping(i + 1, 1);
	at[0] = seconds();
	assert_int_equal(write_store(s, changes, MANY, MANY, NULL), 0);
	at[1] = seconds();
	for (uint32_t i = 0; i < MANY; i++)
		mapping_unref(changes[i].after);
	free(changes);
	s->ops->close(s);
	at[2] = seconds();
	s = open_store(BOOT);
	at[3] = seconds();
	assert_int_equal(s->ops->load(s, count_one, &n, &last_id, &f), 0);
	print_message("# %d mappings: written in %.0f ms, opened in %.0f ms, loaded in %.0f ms\n",
		      MANY, (at[1] - at[0]) * 1e3, (at[3] - at[2]) * 1e3,
		      (seconds() - at[3]) * 1e3);
	assert_int_equal(n, MANY);
	assert_int_equal(last_id, MANY);
	s->ops->close(s);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin_folder, end_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_new_folder),
		TEST(test_round_trip),
		TEST(test_change_and_delete),
		TEST(test_visit_stops),
		TEST(test_lease_within_a_boot),
		TEST(test_lease_over_a_reboot),
		TEST(test_lease_until_a_date),
		TEST(test_no_lease),
		TEST(test_first_schema),
		TEST(test_migration),
		TEST(test_newer_schema),
		TEST(test_meta),
		TEST(test_damage),
		TEST(test_truncation),
		TEST(test_truncated_log),
		TEST(test_second_daemon),
		TEST(test_path_is_a_file),
		TEST(test_no_permission),
		TEST(test_locked_by_a_person),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
