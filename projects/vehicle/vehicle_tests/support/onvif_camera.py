"""A PTZ camera that speaks ONVIF over HTTP; it has a clock of its own."""

import base64
import calendar
import hashlib
import http.server
import re
import threading
import time
from email.utils import formatdate
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np

from hotpath_vehicle.onvif import _seconds_of as seconds_of
from tests.support.ports import ThreadingHTTPServer

AHEAD_S = 3600.0  # of the camera's clock
STARTED_S = time.time() - time.monotonic()
SIZE = (320, 180)  # of a frame
DEVICE, MEDIA, PTZ = (
    f"http://www.onvif.org/{name}/wsdl" for name in ("ver10/device", "ver10/media", "ver20/ptz")
)
FAULT = (
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{0}</s:Value></s:Subcode>"
    '</s:Code><s:Reason><s:Text xml:lang="en">{1}</s:Text></s:Reason></s:Fault>'
)
ENVELOPE = (
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error">'
    "<s:Body>{}</s:Body></s:Envelope>"
)
GENERIC = "VelocityGenericSpace"
SPACE = (
    "<tt:{0}><tt:URI>http://www.onvif.org/ver10/tptz/PanTiltSpaces/{1}</tt:URI><tt:XRange>"
    "<tt:Min>-{2}</tt:Min><tt:Max>{2}</tt:Max></tt:XRange><tt:YRange><tt:Min>-{3}</tt:Min>"
    "<tt:Max>{3}</tt:Max></tt:YRange></tt:{0}>"
)


def part(element, name):
    """The first part of an XML element with that name, in any namespace; None: there is none."""
    return next((one for one in element.iter() if one.tag.endswith("}" + name)), None)


class FakeOnvifCamera:
    """The camera. Its class's attributes say what it can do; ``changed`` replaces some."""

    digest = False  # it asks for HTTP's digest in place of a token
    has_ptz = True
    turns = ((GENERIC, 1.0, 0.5),)  # its spaces: end of the URI, fastest turn across and up
    takes_uris = True  # else it refuses the attribute ``space``
    zones_s = (0, 0, 0)  # seconds by which UTC and local time are off in an answer, and HTTP's time
    timeout = "PT1S"  # the least that it takes; None: it knows no timeout

    def __init__(self, login=None, port=0, **changed):
        vars(self).update(changed)
        self.login, self.ahead_s = login, AHEAD_S
        self.asked, self.refused_logins = [], 0
        self.velocity = (0.0, 0.0)
        self.refuses = {}  # name of a request -> why
        self.may_answer, self.changed = threading.Event(), threading.Condition()
        self.may_answer.set()
        self._nonces = set()
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code, text, more = camera.answer(self.path, body, self.headers)
                data = text if isinstance(text, bytes) else text.encode()
                self.send_response(code)
                for name, value in more:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def date_time_string(self, timestamp=None):
                return formatdate(camera.now() + camera.zones_s[2], usegmt=True)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path, data, headers):
        """(HTTP's code, text, more headers) for a request."""
        root = ElementTree.fromstring(data)
        body = part(root, "Body")[0]
        service, _, name = body.tag[1:].partition("}")
        assert path.endswith({DEVICE: "device_service", MEDIA: "Media", PTZ: "PTZ"}[service])
        if self.login and name != "GetSystemDateAndTime":
            if self.digest and not self._knows(headers.get("Authorization", "")):
                self.refused_logins += "Authorization" in headers
                asks = 'Digest realm="camera", nonce="abc", qop="auth", algorithm=MD5'
                return 401, "", [("WWW-Authenticate", asks)]
            if not self.digest and not self._signed(root):
                self.refused_logins += 1
                return 400, ENVELOPE.format(FAULT.format("ter:NotAuthorized", "Who?")), []
        if name in ("ContinuousMove", "Stop"):
            self.may_answer.wait(20)
        if name in self.refuses:
            return 500, ENVELOPE.format(FAULT.format("ter:Action", escape(self.refuses[name]))), []
        fault = self._fault(body)
        if fault:
            return 400, ENVELOPE.format(FAULT.format("ter:InvalidArgVal", fault)), []
        text = getattr(self, "_" + name)(body)
        with self.changed:
            self.asked.append(body)
            self.changed.notify_all()
        wrapped = f'<{name}Response xmlns="{service}">{text}</{name}Response>'
        return 200, ENVELOPE.format(wrapped), []

    def _fault(self, body):
        """What a request has that the camera does not take, or None."""
        given, turn = part(body, "Timeout"), part(body, "PanTilt")
        if given is not None and self.timeout is None:
            return "timeout is an unsupported field"
        if given is not None and not seconds_of(self.timeout) <= seconds_of(given.text) <= 60:
            return "The specified timeout argument is not within the supported timeout range"
        if turn is not None and "space" in turn.keys() and not self.takes_uris:
            return "space is an unsupported field"

    def now(self):
        """Seconds of the camera's own clock, which nobody sets with this computer's."""
        return STARTED_S + time.monotonic() + self.ahead_s

    def _signed(self, root):
        """Whether the UsernameToken is right, of now, and new."""
        token = part(root, "UsernameToken")
        if token is None:
            return False
        user, secret, nonce, made = (
            part(token, name).text for name in ("Username", "Password", "Nonce", "Created")
        )
        raw = base64.b64decode(nonce) + made.encode() + self.login[1].encode()
        wanted = base64.b64encode(hashlib.sha1(raw).digest()).decode()
        made_s = calendar.timegm(time.strptime(made[:19], "%Y-%m-%dT%H:%M:%S"))
        is_new = nonce not in self._nonces and abs(self.now() - made_s) < 60
        self._nonces.add(nonce)
        return is_new and (user, secret) == (self.login[0], wanted)

    def _knows(self, header):
        """Whether an Authorization of HTTP's digest is right."""
        found = dict(re.findall(r'(\w+)="?([^",]+)', header))
        one = ":".join((self.login[0], "camera", self.login[1]))
        two = "POST:" + found.get("uri", "")
        parts = [hashlib.md5(one.encode()).hexdigest()]
        parts += [found.get(n, "") for n in ("nonce", "nc", "cnonce", "qop")]
        parts.append(hashlib.md5(two.encode()).hexdigest())
        return found.get("response") == hashlib.md5(":".join(parts).encode()).hexdigest()

    def _GetSystemDateAndTime(self, _):
        form = "<tt:Time><tt:Hour>{3}</tt:Hour><tt:Minute>{4}</tt:Minute><tt:Second>{5}"
        form += "</tt:Second></tt:Time><tt:Date><tt:Year>{0}</tt:Year><tt:Month>{1}</tt:Month>"
        form += "<tt:Day>{2}</tt:Day></tt:Date>"
        utc, local = (form.format(*time.gmtime(self.now() + by_s)) for by_s in self.zones_s[:2])
        return (
            "<SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false"
            f"</tt:DaylightSavings><tt:UTCDateTime>{utc}</tt:UTCDateTime><tt:LocalDateTime>{local}"
            "</tt:LocalDateTime></SystemDateAndTime>"
        )

    def _GetCapabilities(self, _):
        # cameras behind a router tell an address of their own network
        address = "<tt:{0}><tt:XAddr>http://192.0.2.7/onvif?of={0}</tt:XAddr>{1}</tt:{0}>"
        streaming = "<tt:StreamingCapabilities/>"
        text = address.format("Media", streaming)
        text += address.format("PTZ", "") if self.has_ptz else ""
        return f"<Capabilities>{text}</Capabilities>"

    def _GetProfiles(self, _):
        ptz = '<tt:PTZConfiguration token="c&amp;1"><tt:Name>c</tt:Name><tt:UseCount>1'
        ptz += "</tt:UseCount><tt:NodeToken>n</tt:NodeToken></tt:PTZConfiguration>"
        return (
            '<Profiles token="p0"><tt:Name>fixed</tt:Name></Profiles>'
            f'<Profiles token="p&lt;1"><tt:Name>main</tt:Name>{ptz}</Profiles>'
        )

    def _GetConfigurationOptions(self, body):
        assert part(body, "ConfigurationToken").text == "c&1"
        tag = "ContinuousPanTiltVelocitySpace"
        spaces = "".join(SPACE.format(tag, *space) for space in self.turns)
        least = self.timeout or "PT1S"
        limits = f"<tt:PTZTimeout><tt:Min>{least}</tt:Min><tt:Max>PT60S</tt:Max></tt:PTZTimeout>"
        text = f"<tt:Spaces>{spaces}</tt:Spaces>{limits}"
        return f"<PTZConfigurationOptions>{text}</PTZConfigurationOptions>"

    def _ContinuousMove(self, body):
        assert part(body, "ProfileToken").text == "p<1"
        turn, spaces = part(body, "PanTilt"), {uri: most for uri, *most in self.turns}
        usual = GENERIC if GENERIC in spaces else next(iter(spaces))
        most = spaces[turn.get("space", usual).rpartition("/")[2]]
        shares = np.divide([float(turn.get(axis)) for axis in "xy"], most)
        self.velocity = tuple(np.clip(shares, -1.0, 1.0).tolist())
        return ""

    def _Stop(self, _):
        self.velocity = (0.0, 0.0)
        return ""

    def names(self):
        return [body.tag.rpartition("}")[2] for body in self.asked]

    def wait_for(self, condition):
        """Wait until the camera was asked for something; fails after a minute."""
        with self.changed:
            assert self.changed.wait_for(condition, 60), (self.velocity, self.names()[-5:])
