/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine: gives up, for good, the rights that the daemon never needs.
 */
#ifndef PORTWRIGHT_DAEMON_CONFINE_H
#define PORTWRIGHT_DAEMON_CONFINE_H

#include "base/fault.h"

/* Of this process and of all it will ever start; before the first thread. 0, or a negative errno
 * with *f. Rights that it did not have are not missed: the data plane will say so. */
int confine_drop_privileges(struct fault *f);

#endif
