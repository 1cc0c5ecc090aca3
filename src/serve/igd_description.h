/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_description: what control points read about the gateway device and its services (UPnP Device
 * Architecture 1.1, sections 2.3 and 2.5), written from the services' tables.
 *
 * There are two faces: a gateway of version 1, and one of version 2. Some control points look away
 * when they see anything they do not know, so the face of version 1 shows nothing of version 2.
 */
#ifndef PORTWRIGHT_SERVE_IGD_DESCRIPTION_H
#define PORTWRIGHT_SERVE_IGD_DESCRIPTION_H

#include "serve/igd_identity.h"
#include "serve/igd_service.h"

#define IGD_DESCRIPTION_MAX 16384 /* enough for each */
#define IGD_DEVICE_PATH	    "/igd.xml"
#define IGD_FACES	    2

/* Return the length, or -EMSGSIZE. */
ssize_t format_igd_device(const struct igd_identity *id, const char *friendly_name, unsigned face,
			  void *buf, size_t cap);
ssize_t format_igd_service(const struct igd_service *s, unsigned face, void *buf, size_t cap);

enum igd_resource {
	IGD_NOTHING,
	IGD_DEVICE_DESCRIPTION,
	IGD_SERVICE_DESCRIPTION,
	IGD_CONTROL,
	IGD_EVENTS,
};

/* What is at this path, in any case; *ret_face and *ret_service tell which, where it is a
 * service's. */
enum igd_resource find_igd_resource(struct slice path, const struct igd_identity *id,
				    unsigned *ret_face, const struct igd_service **ret_service);

/* Is this a control point that wants a gateway of version 1? */
bool igd_wants_version_1(struct slice user_agent);

#endif
