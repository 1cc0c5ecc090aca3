/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soap_response: what an action answers.
 */
#include "wire/soap_response.h"

#include "wire/soap_argument.h"
#include "wire/xml.h"

static const char envelope[] =
	"<?xml version=\"1.0\"?>\n"
	"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""
	" s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>";
static const char envelope_end[] = "</s:Body></s:Envelope>\n";
static const char fault[] = "<s:Fault><faultcode>s:Client</faultcode>"
			    "<faultstring>UPnPError</faultstring><detail>"
			    "<UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\">";
static const char fault_end[] = "</UPnPError></detail></s:Fault>";

static void write_tag(struct writer *w, const char *start, const char *name)
{
	writer_text(w, start);
	writer_text(w, name);
	writer_text(w, ">");
}

void soap_response_begin(struct writer *w, struct slice service, const char *action)
{
	writer_text(w, envelope);
	writer_text(w, "<u:");
	writer_text(w, action);
	writer_text(w, "Response xmlns:u=\"");
	writer_xml(w, service);
	writer_text(w, "\">");
}

void soap_response_text(struct writer *w, const char *name, struct slice value)
{
	write_tag(w, "<", name);
	writer_xml(w, value);
	write_tag(w, "</", name);
}

void soap_response_number(struct writer *w, const char *name, uint64_t value)
{
	write_tag(w, "<", name);
	writer_number(w, value);
	write_tag(w, "</", name);
}

void soap_response_end(struct writer *w, const char *action)
{
	writer_text(w, "</u:");
	writer_text(w, action);
	writer_text(w, "Response>");
	writer_text(w, envelope_end);
}

ssize_t format_soap_fault(uint16_t code, const char *description, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	writer_text(&w, envelope);
	writer_text(&w, fault);
	soap_response_number(&w, "errorCode", code);
	soap_response_text(&w, "errorDescription",
			   slice_of(description ? description : soap_code_name(code)));
	writer_text(&w, fault_end);
	writer_text(&w, envelope_end);
	return writer_finish(&w);
}
