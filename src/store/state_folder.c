/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state_folder: what must be true of the files around SQLite, so that nothing is lost silently.
 *
 * SQLite takes an empty file for a new database, and an empty database for a reason to delete the
 * write-ahead log beside it. So a file that somebody truncated would simply be begun anew. Here a
 * database is made under another name and renamed when it is whole; whatever else stands under the
 * database's name, an empty file included, is damage, and a log without its database is what
 * remains of one.
 */
#include "store/state_folder.h"

#include "base/clock.h"
#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_NAME "lock"

/* SQLite's file format, section 1.3: the magic string, and the application id at offset 68. */
#define HEADER_SIZE	      100
#define HEADER_MAGIC	      "SQLite format 3"
#define HEADER_APPLICATION_ID 68

/* The order counts. A database without its log looks whole though it lacks what the log holds; a
 * log without its database is noticed. So the database goes first, should we die in between. */
static const char *const suffixes[] = { "", "-wal", "-shm" };
#define N_SUFFIXES (sizeof(suffixes) / sizeof(suffixes[0]))

static int make_parents(const char *path)
{
	char parent[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(parent))
		return -ENAMETOOLONG;
	for (size_t i = 1; i < len; i++) {
		if (path[i] != '/')
			continue;
		memcpy(parent, path, i);
		parent[i] = '\0';
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int make_folder(const char *path)
{
	int r;

	if (!mkdir(path, 0700) || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	r = make_parents(path);
	if (r)
		return r;
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static uint32_t read_pid(int lock)
{
	char buf[16];
	ssize_t n = pread(lock, buf, sizeof(buf), 0);
	struct slice text = { buf, n > 0 ? (size_t)n : 0 };
	uint32_t pid;

	return read_number(&text, INT32_MAX, &pid) ? pid : 0;
}

/* For whoever is refused, and for people. A full disk must not keep a daemon from starting, so
 * nobody minds when it cannot be written. */
static void write_pid(int lock)
{
	char buf[16];
	int n = snprintf(buf, sizeof(buf), "%d\n", (int)getpid());

	if (ftruncate(lock, 0) < 0 || pwrite(lock, buf, (size_t)n, 0) < 0)
		return;
}

static int take_lock(struct state_folder *d, struct fault *f)
{
	uint32_t pid;
	int r;

	d->lock = openat(d->fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock < 0) {
		r = -errno;
		fault_set(f, FAULT_STORE, "", "state folder %s: %s; expected a folder to write in",
			  d->path, strerror(-r));
		return r;
	}
	if (!flock(d->lock, LOCK_EX | LOCK_NB)) {
		write_pid(d->lock);
		return 0;
	}
	r = errno == EWOULDBLOCK ? -EBUSY : -errno;
	pid = read_pid(d->lock);
	if (r != -EBUSY)
		fault_set(f, FAULT_STORE, "", "state folder %s: cannot be locked: %s", d->path,
			  strerror(-r));
	else if (pid)
		fault_set(f, FAULT_STORE, "",
			  "state folder %s: in use by another portwrightd, pid %u", d->path, pid);
	else
		fault_set(f, FAULT_STORE, "", "state folder %s: in use by another portwrightd",
			  d->path);
	return r;
}

int state_folder_open(const char *path, struct state_folder *ret, struct fault *f)
{
	struct state_folder d = { .fd = -1, .lock = -1 };
	int r;

	d.path = strdup(path);
	if (!d.path)
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	r = make_folder(path);
	if (r) {
		fault_set(f, FAULT_STORE, "", "state folder %s: cannot be made: %s", path,
			  strerror(-r));
		goto fail;
	}
	d.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d.fd < 0) {
		r = -errno;
		fault_set(f, FAULT_STORE, "", "state folder %s: %s", path, strerror(-r));
		goto fail;
	}
	r = take_lock(&d, f);
	if (r)
		goto fail;
	*ret = d;
	return 0;

fail:
	state_folder_close(&d);
	return r;
}

void state_folder_close(struct state_folder *d)
{
	if (d->lock >= 0)
		close(d->lock);
	if (d->fd >= 0)
		close(d->fd);
	free(d->path);
	*d = (struct state_folder){ .fd = -1, .lock = -1 };
}

char *state_folder_path(const struct state_folder *d, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", d->path, name) < 0 ? NULL : path;
}

/* 1 with *ret_size, 0 where there is no such file, or a negative errno. */
static int find_file(const struct state_folder *d, const char *base, const char *suffix,
		     off_t *ret_size)
{
	char name[STATE_NAME_MAX];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", base, suffix);
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	*ret_size = st.st_size;
	return 1;
}

static int probe_header(int fd, uint32_t application_id, const char **ret_why)
{
	uint8_t header[HEADER_SIZE];
	ssize_t n = pread(fd, header, sizeof(header), 0);
	const uint8_t *id = header + HEADER_APPLICATION_ID;

	if (n < 0)
		return -errno;
	if (n < HEADER_SIZE)
		*ret_why = n ? "it is cut short" : "it is empty";
	else if (memcmp(header, HEADER_MAGIC, sizeof(HEADER_MAGIC)) != 0)
		*ret_why = "it is not a database";
	else if (((uint32_t)id[0] << 24 | id[1] << 16 | id[2] << 8 | id[3]) != application_id)
		*ret_why = "it is not a database of Portwright's";
	else
		return 1;
	return -EBADMSG;
}

int state_folder_probe(const struct state_folder *d, uint32_t application_id, const char **ret_why)
{
	off_t log_size;
	int fd, r;

	fd = openat(d->fd, DATABASE_NAME, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		r = probe_header(fd, application_id, ret_why);
		close(fd);
		return r;
	}
	if (errno != ENOENT)
		return -errno;
	r = find_file(d, DATABASE_NAME, "-wal", &log_size);
	if (r <= 0 || !log_size)
		return r < 0 ? r : 0;
	*ret_why = "its log is there, but the database is gone";
	return -EBADMSG;
}

/* A name for the damaged database that nothing in the folder has. */
static int free_name(const struct state_folder *d, char name[static STATE_NAME_MAX])
{
	time_t now = clock_wall();
	char date[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
	for (int attempt = 1; attempt < 1000; attempt++) {
		int taken = 0;
		off_t size;

		snprintf(name, STATE_NAME_MAX, "%s.damaged-%s", DATABASE_NAME, date);
		if (attempt > 1)
			snprintf(name + strlen(name), STATE_NAME_MAX - strlen(name), ".%d",
				 attempt);
		for (size_t i = 0; i < N_SUFFIXES && !taken; i++)
			taken = find_file(d, name, suffixes[i], &size);
		if (taken <= 0)
			return taken;
	}
	return -EEXIST;
}

int state_folder_set_aside(const struct state_folder *d, char ret_name[static STATE_NAME_MAX])
{
	char to[STATE_NAME_MAX], from_file[STATE_NAME_MAX], to_file[STATE_NAME_MAX + 8];
	int r = free_name(d, to);

	if (r)
		return r;
	for (size_t i = 0; i < N_SUFFIXES; i++) {
		snprintf(from_file, sizeof(from_file), "%s%s", DATABASE_NAME, suffixes[i]);
		snprintf(to_file, sizeof(to_file), "%s%s", to, suffixes[i]);
		if (renameat(d->fd, from_file, d->fd, to_file) < 0 && errno != ENOENT)
			return -errno;
	}
	if (fsync(d->fd) < 0)
		return -errno;
	memcpy(ret_name, to, sizeof(to));
	return 0;
}

int state_folder_begin_new(const struct state_folder *d)
{
	static const char *const leftovers[] = { DATABASE_NEW_NAME, DATABASE_NEW_NAME "-journal",
						 DATABASE_NEW_NAME "-wal",
						 DATABASE_NEW_NAME "-shm" };
	int fd;

	for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
		if (unlinkat(d->fd, leftovers[i], 0) < 0 && errno != ENOENT)
			return -errno;
	}
	fd = openat(d->fd, DATABASE_NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int state_folder_adopt_new(const struct state_folder *d)
{
	if (renameat(d->fd, DATABASE_NEW_NAME, d->fd, DATABASE_NAME) < 0 || fsync(d->fd) < 0)
		return -errno;
	return 0;
}
