/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log: a line is put together in a buffer on the stack and leaves in one write(2), so that lines of
 * several processes or threads never mix and nothing is lost in a stdio buffer when the process
 * dies.
 *
 * The whole line passes format_printable() once more at the end: even a caller who forgot it cannot
 * let a device's name start a second line or move somebody's cursor.
 *
 * The two settings below are the only state of this room; they are written once, by log_open(),
 * before anything runs.
 */
#include "base/log.h"

#include "base/slice.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_TEXT_MAX 1024

static struct {
	bool debug;
	bool journal;
} settings;

/* syslog(3) priorities, as sd-daemon(3) wants them in front of a line. */
static const char priorities[] = {
	[LOG_LEVEL_ERROR] = '3',
	[LOG_LEVEL_WARNING] = '4',
	[LOG_LEVEL_NOTICE] = '5',
	[LOG_LEVEL_DEBUG] = '7',
};

/* systemd.exec(5): the variable holds device and inode of the stream to the journal. It is
 * inherited by children whose standard error was sent elsewhere, hence the comparison. */
static bool writes_to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[48];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, own) == 0;
}

void log_open(int debug)
{
	settings.debug = debug != 0;
	settings.journal = writes_to_journal();
}

static void write_all(const char *at, size_t len)
{
	while (len) {
		ssize_t n = write(STDERR_FILENO, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return; /* nobody is left to tell */
		at += n;
		len -= (size_t)n;
	}
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[LOG_TEXT_MAX], line[3 + LOG_TEXT_MAX + 1];
	int saved = errno;
	size_t len = 0;
	va_list args;
	int n;

	if (level == LOG_LEVEL_DEBUG && !settings.debug)
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n >= 0) {
		if (settings.journal) {
			line[len++] = '<';
			line[len++] = priorities[level];
			line[len++] = '>';
		}
		format_printable(line + len, LOG_TEXT_MAX, slice_of(text));
		len += strlen(line + len);
		line[len++] = '\n';
		write_all(line, len);
	}
	errno = saved;
}
