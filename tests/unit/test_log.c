/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Standard error is sent through a pipe of packets: one read(2) gets what one write(2) wrote. */
#include "base/log.h"

#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int saved_stderr, read_end;

static int redirect(void **state)
{
	int ends[2];

	unsetenv("JOURNAL_STREAM");
	if (pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	saved_stderr = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	read_end = ends[0];
	return 0;
}

static int restore(void **state)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(read_end);
	unsetenv("JOURNAL_STREAM");
	return 0;
}

/* What the next write(2) wrote; "" where there was none. */
static const char *next_write(void)
{
	static char buf[8192];
	ssize_t n = read(read_end, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void test_plain(void **state)
{
	log_open(0);
	errno = ENOENT;
	log_error("nft: %s", "refused");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(next_write(), "nft: refused\n");
	log_debug("nft: detail");
	assert_string_equal(next_write(), "");
	log_open(1);
	log_debug("nft: detail");
	assert_string_equal(next_write(), "nft: detail\n");
}

static void test_journal(void **state)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(1);
	log_error("a");
	assert_string_equal(next_write(), "<3>a\n");
	log_warning("b");
	assert_string_equal(next_write(), "<4>b\n");
	log_notice("c");
	assert_string_equal(next_write(), "<5>c\n");
	log_debug("d");
	assert_string_equal(next_write(), "<7>d\n");
}

/* Inherited from a parent that spoke to the journal, while our standard error goes elsewhere. */
static void test_somebody_elses_journal(void **state)
{
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open(0);
	log_notice("a");
	assert_string_equal(next_write(), "a\n");
}

static void test_control_bytes_never_pass(void **state)
{
	char all[256];
	const char *line;

	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	log_open(0);
	log_notice("igd: %s", all);
	line = next_write();
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_false(slice_has_control((struct slice){ line, strlen(line) - 1 }, NULL));
	log_notice("igd: a\n<3>forged: line\r\n");
	assert_string_equal(next_write(), "igd: a\\x0a<3>forged: line\\x0d\\x0a\n");
	assert_string_equal(next_write(), "");
}

static void test_long_lines_are_cut(void **state)
{
	char text[5000];
	const char *line;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_open(0);
	log_notice("%s", text);
	line = next_write();
	assert_true(strlen(line) > 500 && strlen(line) < 2000);
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_string_equal(next_write(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain, redirect, restore),
		cmocka_unit_test_setup_teardown(test_journal, redirect, restore),
		cmocka_unit_test_setup_teardown(test_somebody_elses_journal, redirect, restore),
		cmocka_unit_test_setup_teardown(test_control_bytes_never_pass, redirect, restore),
		cmocka_unit_test_setup_teardown(test_long_lines_are_cut, redirect, restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
