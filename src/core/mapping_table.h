/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping_table: all mappings, by id, external tuple, internal endpoint and owner.
 *
 * Tuples are held as intervals of ports on "lines": one line for each external address (and one for
 * "every address") and one for each internal client, each an interval tree a protocol. So a range
 * costs what a single port costs, and every question is O(log n).
 *
 * Two mappings conflict when one packet could match both: a common external address, protocol and
 * port, and a remote host both would admit. Disabled ones keep their place.
 *
 * The table also decides who holds an internal endpoint's *source*: outbound packets of a mapped
 * endpoint leave from the mapped external port, and where several mappings lead to one endpoint
 * (8888 and 8080 to one camera) only one of them can be that port. The first to come holds it; when it
 * goes, those waiting follow by lowest internal port, then by lowest id. Each such hand-over is
 * written down as a source_move for the plane.
 */
#ifndef PORTWRIGHT_CORE_MAPPING_TABLE_H
#define PORTWRIGHT_CORE_MAPPING_TABLE_H

#include "core/mapping.h"

struct mapping_table;

/* `mapping` gained (held) or lost the source of its internal endpoint for one protocol. */
struct source_move {
	const struct mapping *mapping;
	uint8_t protocol; /* PROTOCOL_TCP or PROTOCOL_UDP */
	bool held;
};

struct source_moves {
	struct source_move *at;
	size_t n, capacity;
};
void source_moves_free(struct source_moves *moves); /* empties it; the struct stays the caller's */

int mapping_table_new(struct mapping_table **ret);
void mapping_table_free(struct mapping_table *t);
size_t mapping_table_count(const struct mapping_table *t);

/*
 * The one change there is: `before` (in the table, or NULL) leaves and `after` (or NULL) comes, with
 * conflicts already excluded by the caller. The table takes a reference to `after` and drops its own
 * to `before`. Hand-overs of sources are appended to *moves (which may be NULL: nobody asks);
 * they name `before` too, so the caller keeps a reference to it while they are used.
 * 0, or -ENOMEM with the table as it was.
 */
int mapping_table_replace(struct mapping_table *t, struct mapping *before, struct mapping *after,
			  struct source_moves *moves);

struct mapping *mapping_table_by_id(const struct mapping_table *t, uint32_t id);

/* The mapping, if any, that a packet to this external tuple belongs to, whether enabled or not.
 * `remote` may be NULL: any that covers the tuple. For a pinhole `external` is the client. An unset
 * `external` stands for "any public address". */
struct mapping *mapping_table_by_external(const struct mapping_table *t, uint8_t protocol,
					  const struct addr *external, uint16_t port,
					  const struct addr *remote);

/*
 * The mappings and pinholes that lead to port `port` of `client` by this one protocol, enabled or
 * not, one by one in the order of (first internal port, id): `after` is the one before, NULL at
 * first. It need not be in the table any more, so that a walk may delete as it goes.
 */
struct mapping *mapping_table_by_internal(const struct mapping_table *t, uint8_t protocol,
					  const struct addr *client, uint16_t port,
					  const struct mapping *after);
/* The same for whatever leads to the client, at any port. */
struct mapping *mapping_table_by_client(const struct mapping_table *t, uint8_t protocol,
					const struct addr *client, const struct mapping *after);

/* The first mapping that conflicts with s, leaving out the one with id `except` (0: none). */
struct mapping *mapping_table_conflict(const struct mapping_table *t, const struct mapping_spec *s,
				       uint32_t except);

/* Does m hold the source of its internal endpoint for this one protocol? */
bool mapping_holds_source(const struct mapping *m, uint8_t protocol);

size_t mapping_table_count_by_owner(const struct mapping_table *t, const char *owner);
size_t mapping_table_count_by_client(const struct mapping_table *t, const struct addr *client);
/* Those that devices made, whatever became of them. */
size_t mapping_table_count_by_devices(const struct mapping_table *t);

/* All mappings by rising id; the array (NULL where empty) is the caller's to free(), the mappings
 * are not. */
int mapping_table_list(const struct mapping_table *t, struct mapping ***ret, size_t *ret_n);
/* Calls visit for each, in no order, until it returns non-zero, which is returned. The table must
 * not change meanwhile. */
int mapping_table_each(const struct mapping_table *t,
		       int (*visit)(void *arg, struct mapping *m), void *arg);

#endif
