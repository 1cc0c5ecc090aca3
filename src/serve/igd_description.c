/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_description: the gateway device and its services, as XML.
 *
 *     /igd.xml                      the device, of the face that suits who asks
 *     /FACE/SERVICE.xml             a service
 *     /TOKEN/FACE/SERVICE/control   where requests go
 *     /TOKEN/FACE/SERVICE/event     where subscriptions go
 *
 * The description of a service says what an igd_service's rows say, in their order. The version of
 * the device architecture is 1.0 or 1.1, never more: there are control points that stop at 2.0.
 */
#include "serve/igd_description.h"

#include "wire/xml.h"

#define MANUFACTURER	"Portwright"
#define MODEL		"Portwright"
#define MODEL_EXPLAINED "Port-mapping gateway"

static const char prologue[] = "<?xml version=\"1.0\"?>\n";

static void begin(struct writer *w, const char *name)
{
	writer_text(w, "<");
	writer_text(w, name);
	writer_text(w, ">");
}

static void end(struct writer *w, const char *name)
{
	writer_text(w, "</");
	writer_text(w, name);
	writer_text(w, ">\n");
}

static void element(struct writer *w, const char *name, const char *text)
{
	begin(w, name);
	writer_xml(w, slice_of(text));
	end(w, name);
}

static void number(struct writer *w, const char *name, uint32_t value)
{
	begin(w, name);
	writer_number(w, value);
	end(w, name);
}

/* A type and its version behind a colon. */
static void versioned(struct writer *w, const char *name, const char *type, unsigned version)
{
	begin(w, name);
	writer_text(w, type);
	writer_text(w, ":");
	writer_number(w, version);
	end(w, name);
}

static void spec_version(struct writer *w, unsigned face)
{
	begin(w, "specVersion");
	number(w, "major", 1);
	number(w, "minor", face > 1);
	end(w, "specVersion");
}

/*
 * The device.
 */
struct subject {
	const struct igd_identity *id;
	const char *friendly_name;
	unsigned face;
};

static void face_path(struct writer *w, const struct subject *of, const struct igd_service *s)
{
	writer_text(w, "/");
	writer_number(w, of->face);
	writer_text(w, "/");
	writer_text(w, s->name);
}

static void service_url(struct writer *w, const struct subject *of, const struct igd_service *s,
			const char *name, const char *what)
{
	begin(w, name);
	writer_text(w, "/");
	writer_text(w, of->id->token);
	face_path(w, of, s);
	writer_text(w, what);
	end(w, name);
}

static void service(struct writer *w, const struct subject *of, const struct igd_service *s)
{
	begin(w, "service");
	versioned(w, "serviceType", s->type, igd_service_version(s, of->face));
	element(w, "serviceId", s->id);
	begin(w, "SCPDURL");
	face_path(w, of, s);
	writer_text(w, ".xml");
	end(w, "SCPDURL");
	service_url(w, of, s, "controlURL", "/control");
	service_url(w, of, s, "eventSubURL", "/event");
	end(w, "service");
}

static void services(struct writer *w, const struct subject *of, enum igd_device of_device)
{
	begin(w, "serviceList");
	for (size_t i = 0; i < IGD_SERVICES; i++)
		if (igd_services[i]->device == of_device &&
		    igd_service_version(igd_services[i], of->face))
			service(w, of, igd_services[i]);
	end(w, "serviceList");
}

/* What stands in front of a device's services; the order is the architecture's (2.3). */
static void device_head(struct writer *w, const struct subject *of, enum igd_device which)
{
	static const char *const names[IGD_DEVICES] = {
		[IGD_WAN_DEVICE] = "Uplink",
		[IGD_CONNECTION_DEVICE] = "Connection",
	};

	versioned(w, "deviceType", igd_device_types[which], of->face);
	element(w, "friendlyName", names[which] ? names[which] : of->friendly_name);
	element(w, "manufacturer", MANUFACTURER);
	element(w, "modelDescription", MODEL_EXPLAINED);
	element(w, "modelName", MODEL);
	element(w, "modelNumber", PORTWRIGHT_VERSION);
	begin(w, "UDN");
	writer_text(w, "uuid:");
	writer_text(w, of->id->uuids[which]);
	end(w, "UDN");
}

ssize_t format_igd_device(const struct igd_identity *id, const char *friendly_name, unsigned face,
			  void *buf, size_t cap)
{
	const struct subject of = { id, friendly_name, face };
	struct writer w = writer_of(buf, cap);

	writer_text(&w, prologue);
	writer_text(&w, "<root xmlns=\"urn:schemas-upnp-org:device-1-0\">\n");
	spec_version(&w, face);
	for (enum igd_device d = IGD_ROOT_DEVICE; d < IGD_DEVICES; d++) {
		if (d > IGD_ROOT_DEVICE)
			begin(&w, "deviceList");
		begin(&w, "device");
		device_head(&w, &of, d);
		services(&w, &of, d);
	}
	for (enum igd_device d = IGD_DEVICES; d-- > IGD_ROOT_DEVICE;) {
		end(&w, "device");
		if (d > IGD_ROOT_DEVICE)
			end(&w, "deviceList");
	}
	end(&w, "root");
	return writer_finish(&w);
}

/*
 * A service.
 */
static const char *const type_names[] = {
	[IGD_STRING] = "string",
	[IGD_UI2] = "ui2",
	[IGD_UI4] = "ui4",
	[IGD_BOOLEAN] = "boolean",
};

static void arguments(struct writer *w, const struct igd_service *s, const struct igd_argument *a,
		      size_t n, const char *direction)
{
	for (size_t i = 0; i < n; i++) {
		begin(w, "argument");
		element(w, "name", a[i].name);
		element(w, "direction", direction);
		element(w, "relatedStateVariable", s->variables[a[i].variable].name);
		end(w, "argument");
	}
}

static void action(struct writer *w, const struct igd_service *s, const struct igd_action *a)
{
	begin(w, "action");
	element(w, "name", a->name);
	if (a->n_in + a->n_out) {
		begin(w, "argumentList");
		arguments(w, s, a->in, a->n_in, "in");
		arguments(w, s, a->out, a->n_out, "out");
		end(w, "argumentList");
	}
	end(w, "action");
}

static void variable(struct writer *w, const struct igd_variable *v, uint8_t version_bit)
{
	writer_text(w, v->value ? "<stateVariable sendEvents=\"yes\">\n"
				: "<stateVariable sendEvents=\"no\">\n");
	element(w, "name", v->name);
	element(w, "dataType", type_names[v->type]);
	if (v->allowed) {
		begin(w, "allowedValueList");
		for (const char *const *allowed = v->allowed; *allowed; allowed++)
			element(w, "allowedValue", *allowed);
		end(w, "allowedValueList");
	}
	if (v->limited & version_bit) {
		begin(w, "allowedValueRange");
		number(w, "minimum", v->min);
		number(w, "maximum", v->max);
		end(w, "allowedValueRange");
	}
	end(w, "stateVariable");
}

ssize_t format_igd_service(const struct igd_service *s, unsigned face, void *buf, size_t cap)
{
	uint8_t version_bit = (uint8_t)(1u << (igd_service_version(s, face) - 1));
	struct writer w = writer_of(buf, cap);

	writer_text(&w, prologue);
	writer_text(&w, "<scpd xmlns=\"urn:schemas-upnp-org:service-1-0\">\n");
	spec_version(&w, face);
	begin(&w, "actionList");
	for (size_t i = 0; i < s->n_actions; i++)
		if (s->actions[i].versions & version_bit)
			action(&w, s, &s->actions[i]);
	end(&w, "actionList");
	begin(&w, "serviceStateTable");
	for (size_t i = 0; i < s->n_variables; i++)
		if (s->variables[i].versions & version_bit)
			variable(&w, &s->variables[i], version_bit);
	end(&w, "serviceStateTable");
	end(&w, "scpd");
	return writer_finish(&w);
}

/*
 * The way back: from a path to what it names.
 */
static const struct igd_service *find_service(struct slice name, unsigned face)
{
	for (size_t i = 0; i < IGD_SERVICES; i++)
		if (igd_service_version(igd_services[i], face) &&
		    slice_eq_nocase(name, igd_services[i]->name))
			return igd_services[i];
	return NULL;
}

static bool read_face(struct slice *path, unsigned *ret)
{
	uint32_t face;

	if (!read_number(path, IGD_FACES, &face) || !face || !read_char(path, '/'))
		return false;
	*ret = face;
	return true;
}

/* FACE/SERVICE.xml */
static enum igd_resource find_description(struct slice path, unsigned *ret_face,
					  const struct igd_service **ret_service)
{
	static const char ending[] = ".xml";
	size_t len = sizeof(ending) - 1;

	if (!read_face(&path, ret_face) || path.len < len ||
	    !slice_eq_nocase((struct slice){ path.at + path.len - len, len }, ending))
		return IGD_NOTHING;
	path.len -= len;
	*ret_service = find_service(path, *ret_face);
	return *ret_service ? IGD_SERVICE_DESCRIPTION : IGD_NOTHING;
}

/* FACE/SERVICE/control, FACE/SERVICE/event */
static enum igd_resource find_endpoint(struct slice path, unsigned *ret_face,
				       const struct igd_service **ret_service)
{
	struct slice name;

	if (!read_face(&path, ret_face) || !slice_split(&path, '/', &name))
		return IGD_NOTHING;
	*ret_service = find_service(name, *ret_face);
	if (!*ret_service)
		return IGD_NOTHING;
	if (slice_eq_nocase(path, "control"))
		return IGD_CONTROL;
	return slice_eq_nocase(path, "event") ? IGD_EVENTS : IGD_NOTHING;
}

enum igd_resource find_igd_resource(struct slice path, const struct igd_identity *id,
				    unsigned *ret_face, const struct igd_service **ret_service)
{
	struct slice rest = path, first;

	if (slice_eq_nocase(path, IGD_DEVICE_PATH))
		return IGD_DEVICE_DESCRIPTION;
	if (!read_char(&rest, '/'))
		return IGD_NOTHING;
	path = rest;
	if (slice_split(&rest, '/', &first) && slice_eq_nocase(first, id->token))
		return find_endpoint(rest, ret_face, ret_service);
	return find_description(path, ret_face, ret_service);
}

static bool contains_nocase(struct slice s, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i + len <= s.len; i++)
		if (slice_eq_nocase((struct slice){ s.at + i, len }, text))
			return true;
	return false;
}

bool igd_wants_version_1(struct slice user_agent)
{
	return contains_nocase(user_agent, "microsoft") || contains_nocase(user_agent, "fdssdp");
}
