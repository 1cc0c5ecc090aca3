/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ending: which live flows a batch of changes ends. Pure: no kernel.
 *
 * A flow belongs to a mapping when the mapping would have opened it just so: from a remote host it
 * admits, to its external tuple, on to its client and port. It ends when the `before` of a change
 * carried it so and the `after` of the same change would not.
 */
#ifndef PORTWRIGHT_PLANE_ENDING_H
#define PORTWRIGHT_PLANE_ENDING_H

#include "core/plane.h"

/* What decides about a flow; addresses as seen by the one who opened it, and where it was led. */
struct flow_tuple {
	struct addr remote, external, client; /* a pinhole's external is the client */
	uint16_t remote_port, external_port, client_port;
	uint8_t protocol; /* PROTOCOL_TCP or PROTOCOL_UDP */
	bool translated;  /* its destination was */
};

bool mapping_carries(const struct mapping_spec *s, const struct flow_tuple *flow);
/* Does `after` carry every flow that `before` carries? */
bool mapping_covers(const struct mapping_spec *after, const struct mapping_spec *before);

/* The changes of a batch that may end flows, laid out so that asking about one flow does not depend
 * on how many there are. */
struct ending;

/* 0 with *ret, which is NULL where no flow can end; or -ENOMEM. The changes must outlive it. */
int ending_new(const struct change *changes, size_t n, struct ending **ret);
void ending_free(struct ending *e);

bool ending_concerns(const struct ending *e, const struct flow_tuple *flow);

/* What all flows that can end have in common, to ask the kernel for no more than those. */
bool ending_has_mappings(const struct ending *e); /* translated ones */
bool ending_has_pinholes(const struct ending *e);
const struct addr *ending_client(const struct ending *e); /* NULL: several */

#endif
