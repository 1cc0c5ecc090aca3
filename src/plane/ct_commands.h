/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ct_commands: tells the kernel to end flows, many in one datagram.
 *
 * Deleting a flow's entry is not enough. The device may be the one who sends (a camera's picture):
 * its next packet finds no entry, is taken for the start of a flow that the device opens, which it
 * may, and leaves from the same port as before. Where the external port equals the internal one,
 * and through any pinhole, the stream would simply go on. So the way back is barred, by an entry of
 * our own in the place of the old one (ct_put_bar()): both ends learn that the connection is over.
 */
#ifndef PORTWRIGHT_PLANE_CT_COMMANDS_H
#define PORTWRIGHT_PLANE_CT_COMMANDS_H

#include "plane/ct_message.h"
#include "plane/netlink.h"

/* As much as goes into one datagram: the errors that come back, should every command fail, still
 * fit into the socket's receive buffer. */
#define CT_COMMANDS_SIZE 16384

/* All zero to begin with but for the first three. */
struct ct_commands {
	struct netlink *nl;			/* its own: no dump goes on there */
	struct addr answer_from4, answer_from6; /* the gateway's own addresses; unset where none */
	size_t ended;				/* entries that went */
	int error;				/* the first that was not to be expected */
	struct nlmsghdr *last;			/* in buf; NULL while that is empty */
	size_t used, waiting;			/* waiting: deletions among what is in buf */
	char buf[CT_COMMANDS_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* Ends the flow of that entry, soon: at the latest with the next flush. */
void ct_commands_end(struct ct_commands *c, const struct nlmsghdr *message,
		     const struct ct_entry *entry);
void ct_commands_flush(struct ct_commands *c);

#endif
