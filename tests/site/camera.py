#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
camera: an RTSP server as cameras have it, built on GStreamer's.

    camera.py ADDRESS PORT NAME [WIDTH HEIGHT RATE]

Serves rtsp://ADDRESS:PORT/stream: a moving test picture with a clock and the camera's name in it,
in H.264, and a tone in G.711 A-law, by whichever transport the client asks for. It says READY=1 to
NOTIFY_SOCKET once it listens.
"""
import os
import socket
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 (after require_version)

# zerolatency: every frame leaves at once, as a camera's encoder does it. A key frame a second, so
# that a client sees a picture within one. (jpegenc refuses this picture on some machines.)
PIPELINE = """
    ( videotestsrc is-live=true pattern=smpte
      ! video/x-raw,format=I420,width={width},height={height},framerate={rate}/1
      ! textoverlay text="{name}" valignment=bottom font-desc="Sans 20"
      ! clockoverlay time-format="%Y-%m-%d %H:%M:%S" font-desc="Sans 20"
      ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=512 key-int-max={rate}
      ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1
      audiotestsrc is-live=true wave=sine freq=440 volume=0.1
      ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8 )
"""


def announce_ready():
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", path)


def main():
    address, port, name = sys.argv[1:4]
    width, height, rate = sys.argv[4:7] if len(sys.argv) > 4 else ("640", "360", "15")
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(address)
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE.format(name=name, width=width, height=height, rate=rate))
    factory.set_shared(True)
    server.get_mount_points().add_factory("/stream", factory)
    if not server.attach(None):
        sys.exit(f"camera: cannot listen on {address} port {port}")
    announce_ready()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
