/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine: three capabilities remain, and no program that is started can have more.
 *
 *     CAP_NET_ADMIN         nftables, conntrack, the net.* settings
 *     CAP_SYS_PTRACE        to read whose socket it is that holds a port ("tcp/22 is used by
 * sshd"): the links in /proc/PID/fd. systemd's filter takes ptrace itself away CAP_DAC_READ_SEARCH
 * to open that folder where it is another user's
 *
 * So root without CAP_DAC_OVERRIDE writes only where a folder is root's: the state and runtime
 * folders must be its own.
 */
#include "daemon/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>

static const unsigned int kept[] = { CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH };

/* 0 or a negative errno; libcap-ng tells of failure, but not of which. */
static int keep_only(void)
{
	bool bounds, had[sizeof(kept) / sizeof(kept[0])];
	int everywhere = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET;

	if (capng_get_caps_process() < 0)
		return -EPERM;
	bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (had[i] && capng_update(CAPNG_ADD, (capng_type_t)everywhere, kept[i]) < 0)
			return -EPERM;
	}
	return capng_apply(bounds ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

int confine_drop_privileges(struct fault *f)
{
	int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : keep_only();

	if (r < 0)
		fault_set(f, FAULT_FORBIDDEN, "",
			  "rights that are not needed cannot be given up: %s", strerror(-r));
	return r;
}
