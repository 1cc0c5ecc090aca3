/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verdict: what a parser of datagrams says about one.
 *
 * The datagram protocols tell three things apart: a request to act upon, one that must be answered
 * with an error the parser already knows, and one that must not be answered at all.
 */
#ifndef PORTWRIGHT_WIRE_VERDICT_H
#define PORTWRIGHT_WIRE_VERDICT_H

enum wire_verdict { WIRE_ACCEPT, WIRE_REFUSE, WIRE_DROP };

#endif
