/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soap_response: what an action answers (UPnP Device Architecture 1.1, sections 3.2.2 and 3.2.5).
 *
 * A response is begun, gets its out arguments in the order of the service's description, and is
 * ended, all into one writer, whose writer_finish() tells whether it fitted. Everything is escaped
 * here; a value that is XML itself (PortListing) is given as it is and comes out escaped, as the
 * specification wants it.
 */
#ifndef PORTWRIGHT_WIRE_SOAP_RESPONSE_H
#define PORTWRIGHT_WIRE_SOAP_RESPONSE_H

#include "base/cursor.h"

/* `service` as the caller named it, so that it gets back its own version. */
void soap_response_begin(struct writer *w, struct slice service, const char *action);
void soap_response_text(struct writer *w, const char *name, struct slice value);
void soap_response_number(struct writer *w, const char *name, uint64_t value);
void soap_response_end(struct writer *w, const char *action);

/* A fault that carries a UPnPError, for an HTTP response with status 500. `description` may be
 * NULL, then it is soap_code_name(). Returns its length, or -EMSGSIZE where it does not fit into
 * cap. */
ssize_t format_soap_fault(uint16_t code, const char *description, void *buf, size_t cap);

#endif
