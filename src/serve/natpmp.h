/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * natpmp: the NAT Port Mapping Protocol (RFC 6886), as a gateway speaks it to devices.
 */
#ifndef PORTWRIGHT_SERVE_NATPMP_H
#define PORTWRIGHT_SERVE_NATPMP_H

#include "serve/exchange.h"

/* Serves the request in x, which is version 0 and came by IPv4. */
void natpmp_serve(struct exchange *x);

/* What is announced when the external address or the table changed (3.2.1), as of now; as the
 * formatters of wire/natpmp.h. */
ssize_t natpmp_announcement(const struct gateway *g, void *buf, size_t cap);

#endif
