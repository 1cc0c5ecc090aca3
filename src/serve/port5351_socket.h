/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port5351_socket: UDP port 5351 of one link and family. Private to port5351.
 *
 * Datagrams are read up to LISTENER_BATCH at a time, straight into exchanges, and answers leave in
 * batches too: what is sent waits in the outbox until it is full or flushed.
 */
#ifndef PORTWRIGHT_SERVE_PORT5351_SOCKET_H
#define PORTWRIGHT_SERVE_PORT5351_SOCKET_H

#include "serve/exchange.h"

#include <netinet/in.h>

#define LISTENER_BATCH 32

struct listener;

/* `family` is AF_INET or AF_INET6. 0, or a negative errno. */
int listener_open(int link, int family, struct listener **ret);
void listener_close(struct listener *l); /* what is in the outbox is lost; NULL is fine */
int listener_fd(const struct listener *l);

/* Fills up to n exchanges (at most LISTENER_BATCH) with the datagrams that wait: path, len and
 * bytes. Returns how many it read, those that were longer than an exchange cut; *ret_usable[i]
 * tells whether exchange i is fit to be looked at. */
size_t listener_read(struct listener *l, struct exchange *const *exchanges, size_t n,
		     bool *ret_usable);
/* Copies. A multicast address in path->client is fine. */
void listener_send(struct listener *l, const struct exchange_path *path, const void *bytes,
		   size_t len);
void listener_flush(struct listener *l);

#endif
