/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve/device.h"

#include <string.h>

struct addr device_external_addr(const struct gateway *g)
{
	const struct site *site = gateway_site(g);

	return site->n_external ? site->external[0] : (struct addr){ 0 };
}

uint16_t device_external_port(const struct mapping *m, uint16_t internal)
{
	return (uint16_t)(m->spec.external.first + (internal - m->spec.internal.first));
}

uint32_t device_seconds_left(const struct mapping *m)
{
	clock_ms left = m->spec.expires - clock_now();

	if (!m->spec.expires)
		return DEVICE_FOREVER;
	if (left <= 0)
		return 0;
	left = (left + 999) / 1000;
	return left < DEVICE_FOREVER ? (uint32_t)left : DEVICE_FOREVER - 1;
}

clock_ms device_deadline(uint32_t seconds)
{
	return clock_now() + (clock_ms)seconds * 1000;
}

bool device_owns(const struct caller *who, const struct mapping *m)
{
	return origin_is_device(m->spec.origin) && !strcmp(m->spec.owner, who->owner);
}
