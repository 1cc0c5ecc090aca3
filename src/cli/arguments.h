/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arguments: the grammar of `add` and `set`: words in, keys of the API's mapping out.
 *
 *     EXTERNAL  8888 | 8000-8003 | auto | ADDR:PORTS | [V6]:PORTS
 *     INTERNAL  ADDR:PORT | ADDR:PORT-PORT | [V6]:PORTS
 *
 * Only syntax is judged here; whether the addresses make sense is the daemon's to say. All
 * functions return 0, or -EINVAL with *f naming the argument, the value and what was expected.
 */
#ifndef PORTWRIGHT_CLI_ARGUMENTS_H
#define PORTWRIGHT_CLI_ARGUMENTS_H

#include "core/mapping.h"

#include <jansson.h>

struct endpoint {
	struct addr addr;	 /* unset: none was given */
	struct port_range ports; /* {0, 0}: "auto" */
};

int parse_external(struct slice s, struct endpoint *ret, struct fault *f);
/* A single port behind a range of `external` is the start of a range as wide. */
int parse_internal(struct slice s, const struct endpoint *external, struct endpoint *ret,
		   struct fault *f);
/* "8888", "203.0.113.7:8000-8003", "[2001:db8::5]:443", "auto" */
#define ENDPOINT_TEXT_MAX (ADDR_TEXT_MAX + PORT_RANGE_TEXT_MAX + 4)
char *format_endpoint(const struct endpoint *e, char buf[static ENDPOINT_TEXT_MAX]);

/* external_addr, external_port, internal_client, internal_port. */
void put_endpoints(json_t *into, const struct endpoint *external, const struct endpoint *internal);

/*
 * One key from its text, as `set KEY=VALUE` and the options of `add` give it. `label` names the
 * argument in complaints ("--rate", "rate"). A list of prefixes adds to what `into` already holds.
 */
int put_value(json_t *into, const char *label, const char *key, struct slice value,
	      struct fault *f);
/* "key=value"; a key that does not exist is answered with the nearest that does. */
int put_assignment(json_t *into, const char *word, struct fault *f);

/* All keys that can be set, for completion and for telling what a change changed; NULL at the end.
 */
const char *settable_key(size_t i);

/* An ID: "m7", or an external tuple with its protocol ("tcp/8888"). */
int check_id(const char *word, struct fault *f);

#endif
