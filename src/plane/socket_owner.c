/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plane/socket_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_NAME "portwrightd"

/* Does the process whose folder is `process` hold a descriptor that reads as `link`? */
static bool holds(int proc, const char *process, const char *link)
{
	char path[NAME_MAX + 8], target[64];
	const struct dirent *e;
	bool found = false;
	DIR *fds;
	int fd;

	snprintf(path, sizeof(path), "%s/fd", process);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false; /* gone meanwhile, or not ours to look at */
	fds = fdopendir(fd);
	if (!fds) {
		close(fd);
		return false;
	}
	while (!found && (e = readdir(fds))) {
		ssize_t len = readlinkat(fd, e->d_name, target, sizeof(target) - 1);

		if (len <= 0)
			continue;
		target[len] = 0;
		found = strcmp(target, link) == 0;
	}
	closedir(fds);
	return found;
}

static void read_name(int proc, const char *process, char *ret, size_t cap)
{
	char path[NAME_MAX + 8], name[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/comm", process);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	len = read(fd, name, sizeof(name) - 1);
	close(fd);
	if (len <= 0)
		return;
	name[len] = 0;
	name[strcspn(name, "\n")] = 0;
	snprintf(ret, cap, "%s", name);
}

void socket_owner(uint32_t inode, char *ret, size_t cap)
{
	const struct dirent *e;
	char link[32];
	DIR *proc;

	ret[0] = 0;
	if (!inode) /* an orphan: closed, not yet gone */
		return;
	snprintf(link, sizeof(link), "socket:[%u]", inode);
	proc = opendir("/proc");
	if (!proc)
		return;
	if (holds(dirfd(proc), "self", link)) {
		snprintf(ret, cap, "%s", OWN_NAME);
		closedir(proc);
		return;
	}
	while ((e = readdir(proc))) {
		if (!isdigit((unsigned char)e->d_name[0]) || !holds(dirfd(proc), e->d_name, link))
			continue;
		read_name(dirfd(proc), e->d_name, ret, cap);
		break;
	}
	closedir(proc);
}
