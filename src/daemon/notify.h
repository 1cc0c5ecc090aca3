/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify: tells the service manager how the daemon is doing (sd_notify(3), $NOTIFY_SOCKET).
 *
 * One datagram with lines of KEY=VALUE. A library for that would cost more than it says.
 */
#ifndef PORTWRIGHT_DAEMON_NOTIFY_H
#define PORTWRIGHT_DAEMON_NOTIFY_H

/* Without a service manager nothing happens; a failure concerns nobody. */
void notify_manager(const char *state);
/* RELOADING=1 with the time stamp that Type=notify-reload asks for. */
void notify_reloading(void);

#endif
