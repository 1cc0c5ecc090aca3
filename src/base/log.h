/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log: one line an event, to standard error, or with priority prefixes under the journal.
 *
 * The first word names the room ("nft: ..."). User text enters only through format_printable().
 */
#ifndef PORTWRIGHT_BASE_LOG_H
#define PORTWRIGHT_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_DEBUG };

/* Picks the form: under the journal (JOURNAL_STREAM) "<3>room: text", else "room: text". Debug
 * lines are dropped unless `debug`. */
void log_open(int debug);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
