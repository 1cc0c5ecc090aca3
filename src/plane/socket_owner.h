/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket_owner: which program holds a socket.
 *
 * sock_diag tells a socket's inode, not its process; that one is found the way ss and lsof do it,
 * by looking through every process's descriptors. That takes milliseconds, so ask for the one
 * socket that somebody will read about.
 */
#ifndef PORTWRIGHT_PLANE_SOCKET_OWNER_H
#define PORTWRIGHT_PLANE_SOCKET_OWNER_H

#include <stddef.h>
#include <stdint.h>

/* Writes the program's name as the kernel knows it (comm: any bytes, at most 15), "portwrightd" for
 * a socket of this process, or "" where no process holds the socket or none may be looked at. */
void socket_owner(uint32_t inode, char *ret, size_t cap);

#endif
