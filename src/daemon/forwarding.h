/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forwarding: does this machine carry packets from one link to another (net.ipv4.ip_forward)?
 */
#ifndef PORTWRIGHT_DAEMON_FORWARDING_H
#define PORTWRIGHT_DAEMON_FORWARDING_H

#include <stdbool.h>

#define FORWARDING_KEY_V4 "net.ipv4.ip_forward"
#define FORWARDING_KEY_V6 "net.ipv6.conf.all.forwarding"

/* Of the network namespace of this process. True where the kernel does not say. */
bool forwarding_is_on(bool v6);
/* IPv4's. 0, or a negative errno. */
int forwarding_enable(void);

#endif
