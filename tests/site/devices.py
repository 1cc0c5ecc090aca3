# SPDX-License-Identifier: GPL-2.0-or-later
"""
devices: real servers for the site's devices: nginx with a page of its own, and the RTSP camera.

Each start_* returns once its server accepts connections.
"""
import contextlib
import html
import os
import pathlib
import socket

from namespaces import wait_until

HERE = pathlib.Path(__file__).resolve().parent

NGINX_CONF = """
daemon off;
master_process off;
pid {directory}/pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log {access_log};
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    default_type text/html;
    keepalive_timeout 5;
    server {{
        listen {address}:{port} backlog=4096;
        root {directory}/www;
        location = /whoami {{ return 200 "$remote_addr $server_addr:$server_port\\n"; }}
    }}
}}
"""

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<h1>{title}</h1>
<p>This page is served at {address}, port {port}, on a private network.</p>
</html>
"""


def accepts(host, address, port):
    """Does somebody listen there? Asked from the host itself."""
    with host.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def start_nginx(host, directory, address, port, title, access_log="off"):
    """A web server whose page says `title`; /whoami answers with the address it saw."""
    directory = pathlib.Path(directory) / f"nginx-{address}-{port}"
    (directory / "www").mkdir(parents=True)
    directory.chmod(0o755)
    (directory / "www" / "index.html").write_text(
        PAGE.format(title=html.escape(title), address=address, port=port))
    config = directory / "nginx.conf"
    config.write_text(NGINX_CONF.format(directory=directory, address=address, port=port,
                                        access_log=access_log))
    with (directory / "log").open("wb") as log:
        process = host.start("/usr/sbin/nginx", "-p", directory, "-e", "stderr", "-c", config,
                             stderr=log)
    wait_until(f"nginx on {address}:{port}", lambda: accepts(host, address, port), timeout=10)
    return process


@contextlib.contextmanager
def readiness(directory):
    """A socket for sd_notify: yields (environment, wait), where wait() returns at READY=1."""
    path = pathlib.Path(directory) / f"notify-{os.urandom(4).hex()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        notify.bind(str(path))

        def wait(timeout=20):
            notify.settimeout(timeout)
            while b"READY=1" not in notify.recv(4096).split(b"\n"):
                pass

        yield {**os.environ, "NOTIFY_SOCKET": str(path)}, wait
    path.unlink()


def start_camera(host, directory, address, port=554, name="camera"):
    """The RTSP server of camera.py, at rtsp://ADDRESS:PORT/stream."""
    directory = pathlib.Path(directory)
    with readiness(directory) as (environment, wait), (directory / "camera.log").open("wb") as log:
        process = host.start("/usr/bin/python3", HERE / "camera.py", address, port, name,
                             stderr=log, stdout=log, env={**environment, "HOME": str(directory)})
        wait()
    return process


def count_frames(host, url, frames=30, transport="tcp", timeout=30):
    """Plays `url` with ffmpeg on `host` and returns (decoded frames, ffmpeg's own words)."""
    result = host.run("timeout", timeout, "ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error",
                      "-rtsp_transport", transport, "-i", url, "-map", "0:v",
                      "-frames:v", frames, "-f", "framecrc", "-", check=False, timeout=timeout + 5)
    lines = [line for line in result.stdout.splitlines() if line and not line.startswith("#")]
    return len(lines), result.stderr.strip()


def stream_kinds(host, url, transport="tcp", timeout=30):
    """The codecs ffprobe sees at `url`, e.g. ["h264", "pcm_alaw"]."""
    result = host.run("timeout", timeout, "ffprobe", "-v", "error", "-rtsp_transport", transport,
                      "-show_entries", "stream=codec_name", "-of", "csv=p=0", url,
                      check=False, timeout=timeout + 5)
    return result.stdout.split()
