#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
gupnp_client: GNOME's control point libraries (gssdp, gupnp, gupnp-igd), as they are, on a device of the
site. Orders come on standard input and news go to standard output, a JSON object a line:

    {"do": "find", "target": TYPE}                          -> {"found": TYPE, "services": [TYPE, ...]}
                                                               and {"lost": TYPE} when it says goodbye
    {"do": "call", "service": TYPE, "action": NAME,
     "in": {NAME: text}, "out": [NAME, ...]}                -> {"returned": {NAME: text}} | {"fault": code}
    {"do": "subscribe", "service": TYPE, "variables": {NAME: "text"|"number"}}
                                                            -> {"event": NAME, "value": value}, each time
    {"do": "map", "protocol", "external", "client",
     "internal", "lease", "name"}      (gupnp-igd)          -> {"mapped": port, "address": text}
    {"do": "unmap", "protocol", "external"}                 -> nothing; watch the gateway

Anything that a library calls an error is {"error": text}. It ends with standard input.
"""
import json
import os
import sys

import gi

gi.require_version("GUPnP", "1.6")
gi.require_version("GUPnPIgd", max(gi.Repository.get_default().enumerate_versions("GUPnPIgd")))
from gi.repository import GLib, GObject, GUPnP, GUPnPIgd  # noqa: E402

TYPES = {"text": GObject.TYPE_STRING, "number": GObject.TYPE_UINT}


def say(**news):
    print(json.dumps(news), flush=True)


class Client:
    def __init__(self, interface):
        self.context = GUPnP.Context.new(interface, 0)
        self.points = []
        self.proxies = {}
        self.igd = None

    def obey(self, order):
        try:
            getattr(self, "do_" + order.pop("do"))(**order)
        except GLib.Error as error:
            say(error=error.message)

    def do_find(self, target):
        point = GUPnP.ControlPoint.new(self.context, target)
        point.connect("device-proxy-available", self._device_found)
        point.connect("device-proxy-unavailable", lambda _, device: say(
            lost=device.get_device_type()))
        point.set_active(True)
        self.points.append(point)

    def _device_found(self, _, device):
        found = self._services_of(device)
        self.proxies.update(found)
        say(found=device.get_device_type(), services=sorted(found))

    def _services_of(self, device):
        found = {service.get_service_type(): service for service in device.list_services()}
        for child in device.list_devices():
            found.update(self._services_of(child))
        return found

    def do_call(self, service, action, out=(), **arguments):
        given = arguments.get("in", {})
        request = GUPnP.ServiceProxyAction.new_from_list(action, list(given), list(given.values()))
        try:
            self.proxies[service].call_action(request, None)
            _, values = request.get_result_list(list(out), [GObject.TYPE_STRING] * len(out))
        except GLib.Error as error:
            if not error.matches(GUPnP.ControlError.quark(), error.code):
                raise
            say(fault=error.code)
            return
        say(returned=dict(zip(out, values)))

    def do_subscribe(self, service, variables):
        proxy = self.proxies[service]
        for variable, kind in variables.items():
            proxy.add_notify(variable, TYPES[kind], lambda _, name, value, __: say(
                event=name, value=value), None)
        proxy.connect("subscription-lost", lambda _, reason: say(error=reason.message))
        proxy.set_subscribed(True)

    def do_map(self, protocol, external, client, internal, lease, name):
        if self.igd is None:
            self.igd = GUPnPIgd.SimpleIgd.new()
            self.igd.connect("mapped-external-port", self._mapped)
            self.igd.connect("error-mapping-port", lambda _, error, *__: say(error=error.message))
        self.igd.add_port(protocol, external, client, internal, lease, name)

    @staticmethod
    def _mapped(_, __, address, ___, external, *____):
        say(mapped=external, address=address)

    def do_unmap(self, protocol, external):
        self.igd.remove_port(protocol, external)


def main():
    loop = GLib.MainLoop()
    client = Client(sys.argv[1])

    received = b""

    def readable(descriptor, _):
        nonlocal received
        more = os.read(descriptor, 65536)
        if not more:
            loop.quit()
            return False
        *lines, received = (received + more).split(b"\n")
        for line in lines:
            client.obey(json.loads(line))
        return True

    GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, sys.stdin.fileno(),
                          GLib.IOCondition.IN | GLib.IOCondition.HUP, readable)
    loop.run()


main()
