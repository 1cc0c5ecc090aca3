/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntrack: the kernel's table of live flows: which belong to which mapping, and ending those
 * whose mapping no longer carries them.
 *
 * A change of the ruleset decides about new connections only: netfilter translates a flow by what
 * it decided at the first packet. So whoever deletes a mapping and wants the stream to stop has to
 * delete the flow's entry too; its next packet is then judged by the rules as they are.
 *
 * Blocking, used only from the control thread; the kernel answers at once.
 */
#ifndef PORTWRIGHT_PLANE_CONNTRACK_H
#define PORTWRIGHT_PLANE_CONNTRACK_H

#include "base/fault.h"
#include "core/mapping_table.h"
#include "core/plane.h"
#include "core/site.h"

struct conntrack;

int conntrack_open(struct conntrack **ret, struct fault *f);
void conntrack_close(struct conntrack *ct);

/*
 * Call when a batch is in force: deletes the entries of flows that a change's `before` carried and
 * that its `after` would not carry in the same way (deleted, disabled, moved to another external
 * tuple or client, remote no longer admitted). Changes that cannot end a flow cost nothing;
 * otherwise the table is dumped once, whatever n is. Flows that the client itself opened stay.
 *
 * The client cannot carry on from its side either: what it still sends on such a flow is answered
 * by the gateway, with a TCP reset or an ICMP port unreachable (ct_commands.h says why and how).
 *
 * 0, or a negative errno when not all of them could be ended (the rest was still tried).
 * *ret_ended (may be NULL) counts the entries that went, on failure too.
 */
int conntrack_end_changed(struct conntrack *ct, const struct site *site,
			  const struct change *changes, size_t n, size_t *ret_ended);

/*
 * Ends flows that nothing will set right as long as they go on, for the next packet to be judged
 * anew (stranded.h says which, and why). 0, or a negative errno as above.
 */
/* Call when a batch is in force, with its changes. */
int conntrack_end_stranded(struct conntrack *ct, const struct site *site,
			   const struct change *changes, size_t n, size_t *ret_ended);
/* Call when the rules hold for another site than before; `was` is NULL where they came or changed
 * as a whole. */
int conntrack_follow(struct conntrack *ct, const struct site *was, const struct site *is,
		     size_t *ret_ended);

/* Live flows of t's mappings, or of `only`. The flow is visit's to read while it runs; non-zero
 * from visit stops and is returned. `site` tells LAN peers from others. */
int conntrack_flows(struct conntrack *ct, const struct mapping_table *t, const struct site *site,
		    const struct mapping *only, int (*visit)(void *arg, const struct flow *flow),
		    void *arg);

/* How many entries the kernel tracks now, and how many it would. 0, or -ENOENT where the kernel
 * tracks nothing (the module is not loaded). */
int conntrack_count(uint32_t *ret_count, uint32_t *ret_max);

#endif
