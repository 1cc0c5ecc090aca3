/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop: the daemon while it runs. One thread, one loop, and everything that may stir it.
 */
#ifndef PORTWRIGHT_DAEMON_LOOP_H
#define PORTWRIGHT_DAEMON_LOOP_H

#include "daemon/config.h"

/* Runs until SIGTERM or SIGINT; mappings stay in force. config_path is read again on SIGHUP (NULL:
 * the default one). 0, or a negative errno with *f where it could not start. */
int daemon_run(const struct config *config, const char *config_path, struct fault *f);

#endif
