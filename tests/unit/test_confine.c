/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says of a process that confined itself. Each test is a child, since there is no
 * way back.
 */
#include "daemon/confine.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BIT(cap) (UINT64_C(1) << (cap))
#define KEPT	 (BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH))

/* A line of /proc/self/status, "CapEff:\t00..."; UINT64_MAX where there is none. */
static uint64_t status_of(const char *name)
{
	FILE *file = fopen("/proc/self/status", "r");
	uint64_t value = UINT64_MAX;
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ":%" SCNx64, &value);
	}
	if (file)
		fclose(file);
	return value;
}

/* Exit status of `child` in a process of its own. */
static int run_child(int (*child)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int confine_and_look(void)
{
	uint64_t had = status_of("CapPrm"), kept = had & KEPT;
	struct fault f;

	if (confine_drop_privileges(&f))
		return 1;
	if (status_of("CapPrm") != kept || status_of("CapEff") != kept)
		return 2;
	if (had & BIT(CAP_SETPCAP) && status_of("CapBnd") != kept)
		return 3;
	if (status_of("CapInh") || status_of("CapAmb"))
		return 4;
	if (status_of("NoNewPrivs") != 1)
		return 5;
	return confine_drop_privileges(&f) ? 6 : 0; /* nothing left to give up */
}

static void test_with_the_rights_there_are(void **state)
{
	assert_int_equal(run_child(confine_and_look), 0);
}

static int confine_as_nobody(void)
{
	if (setgid(65534) || setuid(65534))
		return 0; /* somebody without rights already: the test above was this one */
	return confine_and_look();
}

static void test_without_rights(void **state)
{
	assert_int_equal(run_child(confine_as_nobody), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_the_rights_there_are),
		cmocka_unit_test(test_without_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
