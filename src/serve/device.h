/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device: what the protocols by which devices map themselves tell about mappings, in common.
 */
#ifndef PORTWRIGHT_SERVE_DEVICE_H
#define PORTWRIGHT_SERVE_DEVICE_H

#include "core/gateway.h"

#define DEVICE_FOREVER UINT32_MAX

/* The public address that devices are told, be it private or shared itself; unset: none is known.
 */
struct addr device_external_addr(const struct gateway *g);

/* Where port `internal` of m's client is reached from outside. */
uint16_t device_external_port(const struct mapping *m, uint16_t internal);

/* The seconds that m has left, a started one in full; DEVICE_FOREVER where it does not end. */
uint32_t device_seconds_left(const struct mapping *m);

/* The deadline of a mapping that lives for so many seconds from now. */
clock_ms device_deadline(uint32_t seconds);

/* Did this very device make m, by one of those protocols? */
bool device_owns(const struct caller *who, const struct mapping *m);

#endif
