/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * auth: who is at the other end of a unix socket, and what they may do.
 *
 * The kernel says it (SO_PEERCRED, SO_PEERGROUPS), as it was when the peer connected: there is no
 * password and nothing to forge. Root and the members of the group `portwright` administer,
 * everyone else on the machine may read.
 */
#ifndef PORTWRIGHT_SERVE_AUTH_H
#define PORTWRIGHT_SERVE_AUTH_H

#include "core/mapping.h"

#include <stdbool.h>
#include <sys/types.h>

#define AUTH_GROUP "portwright"

struct peer {
	uid_t uid;
	char owner[MAPPING_OWNER_MAX + 1]; /* the user's name, or the number where there is none */
	bool may_change;
};

/* 0, or a negative errno: fd is no connected unix socket. */
int auth_peer(int fd, struct peer *ret);

#endif
