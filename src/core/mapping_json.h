/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping_json: a mapping as the API, the CLI, export and import write it (docs/api.md).
 */
#ifndef PORTWRIGHT_CORE_MAPPING_JSON_H
#define PORTWRIGHT_CORE_MAPPING_JSON_H

#include "core/mapping.h"

#include <jansson.h>

/* A spec under construction, with room for its prefix list. Its texts are borrowed from the JSON
 * that filled it (or from the mapping it was copied from). */
struct mapping_draft {
	struct mapping_spec spec;
	struct prefix remotes[MAPPING_REMOTES_MAX];
};

/* The defaults of a new mapping: tcp, enabled, drop, any port, from anyone, for ever. */
void mapping_draft_init(struct mapping_draft *draft);
/* What `m` says now, to be changed by mapping_draft_read(). */
void mapping_draft_from(struct mapping_draft *draft, const struct mapping_spec *s);

/*
 * Reads the keys present in `json` into *draft (RFC 7396: null brings a key's default back); absent
 * keys stay. Keys that only the gateway sets (id, origin, owner, created, changed, counters,
 * last_check) are accepted and ignored, so that what the API gave can be given back; unknown ones
 * are refused. `pending` is the gateway's as well, but that the operator may take it away. The end
 * of a mapping is one of `lifetime` and `expires`, never both. Where several texts mean one thing
 * *draft holds the plainest: prefixes are normalised, a list of just 0.0.0.0/0 (or
 * ::/0) is no list, and a pinhole's external address is unset. 0, or a negative errno with *f
 * naming the key, the value and what was expected; *draft is then unspecified.
 */
int mapping_draft_read(struct mapping_draft *draft, const json_t *json, struct fault *f);

/* The whole object of contract.md; NULL when out of memory. New reference. A mapping that ends has
 * either `expires` (a person gave a date) or `lifetime` (seconds left), the other is null.
 * `pending` is there only where it is true; a nonce is never shown. */
json_t *mapping_to_json(const struct mapping *m);
/* Only what a person would have to say to make it again (no id, no counters, no defaults): the form
 * of `export`. The end, if any, is always a date. */
json_t *mapping_to_export_json(const struct mapping *m);

#endif
