/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SQLite store while the disk fails, memory runs out, or the daemon is killed.
 *
 * SQLite sees the disk through a VFS; here stands one in front of the real one that fails the Nth
 * call of a kind, for every N until a whole script of writes passes without reaching it. Whatever
 * fails, what was acknowledged must be there afterwards and what was refused must not.
 */
#include "sqlite_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* The disk. */

enum call {
	CALL_READ,
	CALL_WRITE,
	CALL_SYNC,
	CALL_TRUNCATE,
	CALL_SHM,
	CALL_DELETE,
	CALL_OPEN,
	N_CALLS
};

struct failure {
	const char *name;
	int codes[N_CALLS]; /* what each kind of call fails with; 0: it does not */
	bool lasting;	    /* every call behind the Nth fails as well */
};

static struct {
	const struct failure *failure; /* NULL: the disk is well */
	int nth, calls;
	bool happened;
} disk;

static int fails(enum call call)
{
	if (!disk.failure || !disk.failure->codes[call])
		return SQLITE_OK;
	disk.calls++;
	if (disk.calls < disk.nth || (disk.calls > disk.nth && !disk.failure->lasting))
		return SQLITE_OK;
	disk.happened = true;
	return disk.failure->codes[call];
}

static void disk_fails(const struct failure *failure, int nth)
{
	disk.failure = failure;
	disk.nth = nth;
	disk.calls = 0;
	disk.happened = false;
}

static void disk_is_well(void)
{
	disk.failure = NULL;
}

struct shim {
	sqlite3_file base;
	sqlite3_file real[]; /* as large as the real VFS says */
};

static sqlite3_vfs *real_vfs, shim_vfs;

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct shim *)file)->real;
}

static int shim_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *buf, int n, sqlite3_int64 at)
{
	int r = fails(CALL_READ);

	return r ? r : real_of(file)->pMethods->xRead(real_of(file), buf, n, at);
}

/* A write that fails may have been done in part. */
static int shim_write(sqlite3_file *file, const void *buf, int n, sqlite3_int64 at)
{
	int failure = fails(CALL_WRITE);
	int r = real_of(file)->pMethods->xWrite(real_of(file), buf, failure ? n / 2 : n, at);

	return failure ? failure : r;
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int r = fails(CALL_TRUNCATE);

	return r ? r : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

/* A sync that fails says nothing of what reached the disk; here all of it did. */
static int shim_sync(sqlite3_file *file, int flags)
{
	int r = real_of(file)->pMethods->xSync(real_of(file), flags);
	int failure = fails(CALL_SYNC);

	return failure ? failure : r;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int shim_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *ret)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int shim_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int shim_sector_size(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_characteristics(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
	int r = extend ? fails(CALL_SHM) : SQLITE_OK;

	return r ? r : real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int delete)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static const sqlite3_io_methods shim_methods = {
	.iVersion = 2,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_check_lock,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector_size,
	.xDeviceCharacteristics = shim_characteristics,
	.xShmMap = shim_shm_map,
	.xShmLock = shim_shm_lock,
	.xShmBarrier = shim_shm_barrier,
	.xShmUnmap = shim_shm_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret)
{
	int r = fails(CALL_OPEN);

	file->pMethods = NULL;
	if (r == SQLITE_OK)
		r = real_vfs->xOpen(real_vfs, name, real_of(file), flags, ret);
	if (r == SQLITE_OK)
		file->pMethods = &shim_methods;
	return r;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	int r = fails(CALL_DELETE);

	return r ? r : real_vfs->xDelete(real_vfs, name, sync);
}

static const struct failure failures[] = {
	{ "full once", { [CALL_WRITE] = SQLITE_FULL }, false },
	{ "full", { [CALL_WRITE] = SQLITE_FULL, [CALL_SHM] = SQLITE_FULL }, true },
	{ "one write", { [CALL_WRITE] = SQLITE_IOERR_WRITE }, false },
	{ "writes", { [CALL_WRITE] = SQLITE_IOERR_WRITE }, true },
	{ "one sync", { [CALL_SYNC] = SQLITE_IOERR_FSYNC }, false },
	{ "syncs", { [CALL_SYNC] = SQLITE_IOERR_FSYNC }, true },
	{ "one read", { [CALL_READ] = SQLITE_IOERR_READ }, false },
	{ "reads", { [CALL_READ] = SQLITE_IOERR_READ }, true },
	{ "one call",
	  { SQLITE_IOERR_READ, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE,
	    SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_DELETE, SQLITE_CANTOPEN },
	  false },
	{ "all calls",
	  { SQLITE_IOERR_READ, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE,
	    SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_DELETE, SQLITE_CANTOPEN },
	  true },
};

/* Memory, as SQLite asks for it. */

static sqlite3_mem_methods real_memory, shim_memory;
static int memory_left = -1; /* requests until one fails; -1: none will */
static bool memory_failed;

static bool memory_fails(void)
{
	if (memory_left < 0 || memory_left-- > 0)
		return false;
	memory_failed = true;
	return true;
}

static void *shim_malloc(int n)
{
	return memory_fails() ? NULL : real_memory.xMalloc(n);
}

static void *shim_realloc(void *at, int n)
{
	return memory_fails() ? NULL : real_memory.xRealloc(at, n);
}

static int begin(void **state)
{
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
	shim_memory = real_memory;
	shim_memory.xMalloc = shim_malloc;
	shim_memory.xRealloc = shim_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &shim_memory), SQLITE_OK);
	real_vfs = sqlite3_vfs_find(NULL);
	shim_vfs = *real_vfs;
	shim_vfs.zName = "shim";
	shim_vfs.szOsFile += (int)sizeof(struct shim);
	shim_vfs.pNext = NULL;
	shim_vfs.xOpen = shim_open;
	shim_vfs.xDelete = shim_delete;
	return sqlite3_vfs_register(&shim_vfs, 1) != SQLITE_OK;
}

/* The script, and what should be there behind it. */

#define IDS 8

/* The version of each mapping by its id; 0: there is none. */
struct model {
	uint32_t versions[IDS];
};

static const struct {
	struct {
		uint32_t id, from, to;
	} changes[4];
} script[] = {
	{ { { 1, 0, 1 }, { 2, 0, 1 }, { 3, 0, 1 } } },
	{ { { 1, 1, 2 } } },
	{ { { 2, 1, 0 } } },
	{ { { 4, 0, 1 }, { 3, 1, 2 } } },
	{ { { 1, 2, 0 }, { 3, 2, 0 }, { 5, 0, 1 }, { 5, 1, 2 } } },
	{ { { 6, 0, 1 } } },
};

static struct mapping *version_of(uint32_t id, uint32_t version)
{
	return version ? plain_mapping(id, version) : NULL;
}

/* One write of the script, from `model` as it is. Changes that do not start from there (an earlier
 * write was refused) start from what is. */
static int write_step(struct store *s, size_t step, const struct model *model, struct model *ret,
		      struct fault *f)
{
	struct change changes[4];
	struct model next = *model;
	size_t n = 0;
	int r;

	for (; n < 4 && script[step].changes[n].id; n++) {
		uint32_t id = script[step].changes[n].id;

		changes[n].before = version_of(id, next.versions[id]);
		next.versions[id] = script[step].changes[n].to;
		changes[n].after = version_of(id, next.versions[id]);
		if (!changes[n].before && !changes[n].after)
			changes[n].after = version_of(id, next.versions[id] = 1);
	}
	r = write_store(s, changes, n, IDS, f);
	for (size_t i = 0; i < n; i++) {
		mapping_unref(changes[i].before);
		mapping_unref(changes[i].after);
	}
	*ret = next;
	return r;
}

static void read_model(struct store *s, struct model *ret)
{
	struct shelf shelf;

	*ret = (struct model){ 0 };
	load_store(s, &shelf);
	for (size_t i = 0; i < shelf.n; i++) {
		struct mapping *m = plain_mapping(shelf.at[i]->id, shelf.at[i]->version);

		assert_true(m->id < IDS);
		assert_same_mapping(shelf.at[i], m);
		ret->versions[m->id] = m->version;
		mapping_unref(m);
	}
	clear_shelf(&shelf);
}

static bool same_model(const struct model *a, const struct model *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Runs the script with the Nth call failing; returns whether it happened. */
static bool run_script(const struct failure *failure, int nth)
{
	struct store *s = open_store(BOOT);
	struct model model = { 0 }, next, doubtful = { 0 }, found;
	bool refused = false, in_doubt = false;
	struct fault f;

	disk_fails(failure, nth);
	for (size_t step = 0; step < N(script); step++) {
		int r = write_step(s, step, &model, &next, &f);

		if (!r) {
			assert_false(in_doubt);
			model = next;
			continue;
		}
		assert_true(disk.happened);
		if (!refused) /* the only one that came as far as the disk */
			doubtful = next;
		refused = true;
		in_doubt = in_doubt || strstr(f.text, "started again");
		assert_true(in_doubt || strstr(f.text, "; nothing was changed"));
	}
	disk_is_well();
	/* All is well again: the store goes on, unless it cannot know what the disk holds. */
	if (write_step(s, 0, &model, &next, &f)) {
		assert_true(failure->lasting);
		assert_non_null(strstr(f.text, "started again"));
		in_doubt = true;
	} else {
		assert_false(in_doubt);
		model = next;
	}
	s->ops->close(s);
	s = open_store(BOOT);
	assert_null(sqlite_store_set_aside(s));
	read_model(s, &found);
	if (!same_model(&found, &model) && !(in_doubt && same_model(&found, &doubtful)))
		fail_msg("%s, call %d: what was acknowledged and what is there differ",
			 failure->name, nth);
	s->ops->close(s);
	return disk.happened;
}

static void test_writing(void **state)
{
	for (size_t i = 0; i < N(failures); i++) {
		int nth = 0;

		do {
			remove_folder();
		} while (run_script(&failures[i], ++nth));
		print_message("# %s: %d places\n", failures[i].name, nth - 1);
		assert_true(nth > 3 || failures[i].codes[CALL_READ]); /* it reads from its cache */
	}
}

/* A value beside the mappings: kept where that was acknowledged, and whatever becomes of it, no
 * write behind it is in doubt. */

static bool put_once(const struct failure *failure, int nth)
{
	struct store *s = open_store(BOOT);
	struct model model = { 0 }, found;
	struct fault f = { 0 };
	char text[8];
	int r;

	assert_int_equal(s->ops->put_meta(s, "epoch", "old", &f), 0);
	assert_int_equal(write_step(s, 0, &model, &model, &f), 0);
	disk_fails(failure, nth);
	r = s->ops->put_meta(s, "epoch", "new", &f);
	assert_true(!r || (disk.happened && f.kind == FAULT_STORE));
	disk_is_well();
	assert_int_equal(write_step(s, 1, &model, &model, &f), 0);
	s->ops->close(s);
	s = open_store(BOOT);
	assert_null(sqlite_store_set_aside(s));
	read_model(s, &found);
	assert_true(same_model(&found, &model));
	assert_int_equal(s->ops->get_meta(s, "epoch", text, sizeof(text), &f), 0);
	assert_true(!strcmp(text, "new") || (r && !strcmp(text, "old")));
	assert_int_equal(s->ops->put_meta(s, "epoch", "newer", &f), 0);
	s->ops->close(s);
	return disk.happened;
}

static void test_meta(void **state)
{
	for (size_t i = 0; i < N(failures); i++) {
		int nth = 0;

		do {
			remove_folder();
		} while (put_once(&failures[i], ++nth));
	}
}

/* Opening, in a new boot: it works or says why; nothing is lost or set aside. */

static bool open_once(const struct failure *failure, int nth, const struct model *model)
{
	struct model found = { 0 };
	struct store *s = NULL;
	struct fault f = { 0 };

	disk_fails(failure, nth);
	if (sqlite_store_open(folder, nth % 2 ? BOOT : OTHER_BOOT, &s, &f)) {
		assert_null(s);
		assert_int_equal(f.kind, FAULT_STORE);
		assert_memory_equal(f.text, "state folder ", 13);
	} else {
		assert_null(sqlite_store_set_aside(s));
		disk_is_well();
		read_model(s, &found);
		assert_true(same_model(&found, model));
		s->ops->close(s);
	}
	disk_is_well();
	return disk.happened;
}

static void assert_model(const struct model *model)
{
	struct store *s = open_store(BOOT);
	struct model found;

	assert_null(sqlite_store_set_aside(s));
	read_model(s, &found);
	assert_true(same_model(&found, model));
	s->ops->close(s);
}

static void test_opening(void **state)
{
	struct model model = { 0 }, none = { 0 };
	struct fault f;

	for (size_t i = 0; i < N(failures); i++) {
		struct store *s;
		int nth = 0;

		do {
			remove_folder();
		} while (open_once(&failures[i], ++nth, &none));
		s = open_store(BOOT);
		model = none;
		for (size_t step = 0; step < N(script); step++)
			assert_int_equal(write_step(s, step, &model, &model, &f), 0);
		s->ops->close(s);
		nth = 0;
		do {
			assert_model(&model);
		} while (open_once(&failures[i], ++nth, &model));
		assert_model(&model);
	}
}

/* Memory runs out at each request in turn: nothing is lost, and it is never taken for damage. */
static void test_no_memory(void **state)
{
	struct model model = { 0 };
	struct store *s = open_store(BOOT);
	struct fault f;
	int nth = 0;

	assert_int_equal(write_step(s, 0, &model, &model, &f), 0);
	s->ops->close(s);
	do {
		struct shelf shelf = { 0 };
		struct model next;

		memory_failed = false;
		memory_left = nth++;
		if (!sqlite_store_open(folder, nth % 2 ? BOOT : OTHER_BOOT, &s, &f)) {
			s->ops->load(s, put_on_shelf, &shelf, &shelf.last_id, &f);
			clear_shelf(&shelf);
			if (!write_step(s, 1 + (size_t)nth % (N(script) - 1), &model, &next, &f))
				model = next;
			assert_null(sqlite_store_set_aside(s));
			s->ops->close(s);
		}
		memory_left = -1;
		assert_model(&model);
	} while (memory_failed);
	print_message("# memory: %d places\n", nth - 1);
	assert_true(nth > 100);
}

/* A disk that is really full. */

static void fill_disk(const char *name)
{
	static const char block[4096];
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

/* In a mount namespace of its own. Returns the line of the first thing that is wrong. */
#define EXPECT(condition)                           \
	do {                                        \
		if (!(condition))                   \
			return __LINE__ % 200 + 10; \
	} while (0)

static int on_a_full_disk(void)
{
	struct model model = { 0 }, next, found;
	char expected[160], path[128];
	struct store *s;
	struct fault f;

	EXPECT(!mount("portwright", folder, "tmpfs", 0, "size=1m,mode=0700"));
	s = open_store(BOOT);
	EXPECT(!write_step(s, 0, &model, &model, &f));
	fill_disk("ballast");
	snprintf(expected, sizeof(expected),
		 "state folder %s: No space left on device; nothing was changed", folder);
	/* The log has room of its own for a while. */
	while (!write_step(s, 1, &model, &next, &f))
		model = next;
	EXPECT(!strcmp(f.text, expected));
	/* A daemon that starts here still knows what it knew. */
	s->ops->close(s);
	fill_disk("more");
	s = open_store(OTHER_BOOT);
	EXPECT(!sqlite_store_set_aside(s));
	read_model(s, &found);
	EXPECT(same_model(&found, &model));
	EXPECT(write_step(s, 2, &model, &next, &f) == -ENOSPC);
	EXPECT(!strcmp(f.text, expected));
	/* Space returns. */
	snprintf(path, sizeof(path), "%s/ballast", folder);
	EXPECT(!unlink(path));
	EXPECT(!write_step(s, 2, &model, &model, &f));
	s->ops->close(s);
	assert_model(&model);
	return 0;
}

static void test_full_disk(void **state)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
			_exit(1);
		_exit(on_a_full_disk());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status == 1 << 8)
		skip(); /* no right to mount */
	assert_int_equal(status, 0);
}

/* kill -9, at 30 random moments of one life. */

#define KILLS 30

struct acknowledged {
	uint32_t id, version; /* 0: deleted */
};

static void write_until_killed(int out, uint32_t first)
{
	struct store *s = open_store(BOOT);
	struct shelf shelf;

	load_store(s, &shelf);
	clear_shelf(&shelf);
	for (uint32_t id = first; id < first + 6; id++) {
		struct mapping *m = plain_mapping(id, 1);

		if (write_one(s, NULL, m))
			_exit(1);
		if (write(out, &(struct acknowledged){ id, 1 }, sizeof(struct acknowledged)) < 0)
			_exit(1);
		if (id % 3 == 0) {
			if (write_one(s, m, NULL))
				_exit(1);
			if (write(out, &(struct acknowledged){ id, 0 },
				  sizeof(struct acknowledged)) < 0)
				_exit(1);
		}
		mapping_unref(m);
	}
	for (;;)
		pause();
}

/* After a kill: what is there differs from what was acknowledged by no more than the write that was
 * under way. Takes what is there over into `known`. */
static void compare_with(bool known[static SHELF_MAX])
{
	struct store *s = open_store(BOOT);
	bool there[SHELF_MAX] = { 0 };
	size_t differences = 0;
	struct shelf shelf;

	assert_null(sqlite_store_set_aside(s));
	load_store(s, &shelf);
	for (size_t i = 0; i < shelf.n; i++)
		there[shelf.at[i]->id] = true;
	clear_shelf(&shelf);
	s->ops->close(s);
	for (size_t id = 0; id < SHELF_MAX; id++)
		differences += there[id] != known[id];
	assert_true(differences <= 1);
	memcpy(known, there, sizeof(there));
}

static void test_kill(void **state)
{
	bool known[SHELF_MAX] = { 0 };
	unsigned int seed = (unsigned int)time(NULL);

	print_message("# seed %u\n", seed);
	for (uint32_t i = 0; i < KILLS; i++) {
		struct acknowledged a;
		struct timespec moment = { 0, rand_r(&seed) % 12000000 };
		int ends[2], status;
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		pid = fork();
		if (!pid)
			write_until_killed(ends[1], 1 + 6 * i);
		close(ends[1]);
		nanosleep(&moment, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WTERMSIG(status), SIGKILL);
		while (read(ends[0], &a, sizeof(a)) == sizeof(a))
			known[a.id] = a.version;
		close(ends[0]);
		compare_with(known);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin_folder, end_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_writing), TEST(test_opening),	  TEST(test_no_memory), TEST(test_meta),
		TEST(test_opening), TEST(test_no_memory), TEST(test_full_disk), TEST(test_kill),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
