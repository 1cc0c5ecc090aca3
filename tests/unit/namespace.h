/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network namespace of its own for a test program, so that it can ask the real kernel without
 * touching the machine: as root, or by way of a user namespace. Where neither is permitted the
 * tests that need it skip, and say so.
 */
#ifndef PORTWRIGHT_TESTS_NAMESPACE_H
#define PORTWRIGHT_TESTS_NAMESPACE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool namespace_entered;

/* Runs a command line; the test fails where the command does. */
__attribute__((format(printf, 1, 2))) static inline void run(const char *format, ...)
{
	char line[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (system(line) != 0)
		fail_msg("failed: %s", line);
}

static inline bool namespace_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

/* Root of a new user namespace, where one may make network namespaces. */
static inline bool namespace_of_user(void)
{
	unsigned uid = getuid(), gid = getgid();
	char map[64];

	if (unshare(CLONE_NEWUSER) < 0)
		return false;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (!namespace_write("/proc/self/setgroups", "deny") ||
	    !namespace_write("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return namespace_write("/proc/self/gid_map", map);
}

/* A group setup of cmocka: enters a new namespace with nothing but a loopback that is up. */
static inline int namespace_enter(void **state)
{
	if (unshare(CLONE_NEWNET) < 0 && (!namespace_of_user() || unshare(CLONE_NEWNET) < 0)) {
		print_message("# SKIPPING: no network namespace permitted here: %s\n",
			      strerror(errno));
		return 0;
	}
	namespace_entered = system("ip link set lo up") == 0;
	if (!namespace_entered)
		print_message("# SKIPPING: 'ip link set lo up' failed in a new namespace\n");
	return 0;
}

/* Begins every test that needs the namespace. */
#define NEEDS_NAMESPACE()               \
	do {                            \
		if (!namespace_entered) \
			skip();         \
	} while (0)

#endif
