/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group is looked up for each connection of a peer other than root, so that one made after the
 * daemon started counts at once; root's own connections ask no name service at all.
 */
#include "serve/auth.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define NAME_SERVICE_BUFFER 16384

static bool find_group(gid_t *ret)
{
	struct group entry, *found = NULL;
	char buffer[NAME_SERVICE_BUFFER];

	if (getgrnam_r(AUTH_GROUP, &entry, buffer, sizeof(buffer), &found) || !found)
		return false;
	*ret = found->gr_gid;
	return true;
}

/* The groups the peer had when it connected. */
static bool peer_has_group(int fd, gid_t group)
{
	socklen_t size = 0;
	gid_t *groups;
	bool found = false;

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size))
		return false; /* it has none */
	if (errno != ERANGE)
		return false;
	groups = malloc(size);
	if (!groups)
		return false;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		for (size_t i = 0; i < size / sizeof(*groups) && !found; i++)
			found = groups[i] == group;
	free(groups);
	return found;
}

static void name_user(uid_t uid, char *ret, size_t cap)
{
	struct passwd entry, *found = NULL;
	char buffer[NAME_SERVICE_BUFFER];

	if (uid == 0)
		snprintf(ret, cap, "root");
	else if (!getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) && found)
		snprintf(ret, cap, "%s", found->pw_name);
	else
		snprintf(ret, cap, "%u", (unsigned)uid);
}

int auth_peer(int fd, struct peer *ret)
{
	struct ucred ucred;
	socklen_t size = sizeof(ucred);
	gid_t group;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &size) < 0)
		return -errno;
	if (size != sizeof(ucred) || ucred.uid == (uid_t)-1)
		return -ENOTCONN;
	ret->uid = ucred.uid;
	ret->may_change = ucred.uid == 0 ||
			  (find_group(&group) && (ucred.gid == group || peer_has_group(fd, group)));
	name_user(ucred.uid, ret->owner, sizeof(ret->owner));
	return 0;
}
