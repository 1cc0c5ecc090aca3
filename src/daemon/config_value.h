/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_value: how the value of each kind of key is read.
 *
 * A parser sees one value and the key's bounds, and writes one field, which stays untouched when
 * the value is refused: -EINVAL where it is not what the key expects, -E2BIG where it is too much
 * of it, -ENOSYS where it names something that is not built yet.
 */
#ifndef PORTWRIGHT_DAEMON_CONFIG_VALUE_H
#define PORTWRIGHT_DAEMON_CONFIG_VALUE_H

#include "base/slice.h"

#include <stdint.h>

struct value_bounds {
	const char *const *names; /* a choice: its names in the order of the enum, then NULL */
	const char *unbuilt;	  /* a choice: the name that is known but not built yet */
	uint32_t min, max;	  /* a number: itself; a text: its bytes, the NUL counted in max */
};

typedef int value_parser(struct slice value, const struct value_bounds *bounds, void *field);

value_parser parse_choice;    /* an enum */
value_parser parse_switch;    /* bool, on or off */
value_parser parse_u16;	      /* uint16_t */
value_parser parse_u32;	      /* uint32_t */
value_parser parse_text;      /* char[max], UTF-8 without control characters */
value_parser parse_path;      /* char[max], absolute, without slashes at its end */
value_parser parse_links;     /* struct config_links */
value_parser parse_externals; /* struct config_addrs */
value_parser parse_services;  /* struct config_services */
value_parser parse_endpoint;  /* struct config_endpoint; empty: nowhere */
value_parser parse_permit;    /* struct policy_rules, to which it appends */

#endif
