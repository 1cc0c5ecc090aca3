/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping_text: the API's mapping object in the words of a terminal.
 *
 * Everything comes from JSON that another process wrote, so a key that is missing or of another
 * type reads as "" or 0 rather than as a crash.
 */
#ifndef PORTWRIGHT_CLI_MAPPING_TEXT_H
#define PORTWRIGHT_CLI_MAPPING_TEXT_H

#include "base/clock.h"
#include "cli/output.h"
#include "cli/table.h"

/* Never NULL. */
const char *text_of(const json_t *object, const char *key);
uint64_t number_of(const json_t *object, const char *key);

#define COUNT_TEXT_MAX 32
/* "65,000" */
char *format_count(uint64_t n, char buf[static COUNT_TEXT_MAX]);
/* "512 B", "1.2 MiB" */
char *format_bytes(uint64_t n, char buf[static COUNT_TEXT_MAX]);

#define TUPLE_TEXT_MAX 128
/* "192.168.69.110:80", "[2001:db8::5]:443"; only the port where addr is "". */
char *format_socket(const char *addr, const char *port, char buf[static TUPLE_TEXT_MAX]);
/* "tcp/8888", "tcp/203.0.113.7:443" */
char *format_mapping_external(const json_t *mapping, char buf[static TUPLE_TEXT_MAX]);
/* "on", "off" (silent), "refused", "pending" (a device asked for it and awaits approval) */
const char *mapping_state(const json_t *mapping, enum colour *ret);
/* When it ends: "in 2h30m", "2026-12-31 18:00"; "" for never. */
char *format_mapping_end(const json_t *mapping, char buf[static TUPLE_TEXT_MAX]);

/* "m7  tcp/8888 -> 192.168.69.110:80  Front door, web", with what is remarkable about it behind,
 * and a newline. */
void print_mapping_line(struct output *o, const json_t *mapping);

/* The table of `list`. */
struct table *list_table_new(void);
void list_table_row(struct table *t, const json_t *mapping);

#endif
