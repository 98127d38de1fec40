"""Receives notifications with programs that know nothing of us.

    receivers.py verify FILE
    receivers.py smtp   --folder FOLDER --user NAME --password TEXT
    receivers.py https  --folder FOLDER

`verify` reads a JSON list of deliveries, each with `secret`, `headers` and `body` (base64), and checks every one with the
reference library of Standard Webhooks; also that another secret and a changed body are refused. It ends with 1 where one
is not as it should be.

`smtp` runs a mail server on loopback that takes letters only over STARTTLS and only from who gives that name and password.
Its certificate is signed by an authority of its own, `FOLDER/ca.pem`. Once it listens it writes its port to
`FOLDER/smtp.json`; each letter becomes a line of JSON in `FOLDER/letters.jsonl`. The first letter is refused for the moment
(451), so that whoever sends must come again.

`https` takes POSTs on loopback behind four certificates: `good` for localhost, one of an `other-name`, one that is `expired`, and one
of a `stranger` whom no authority vouches for. Once it listens it writes the ports by name to `FOLDER/https.json`; each request becomes a line
in `FOLDER/taken.jsonl`.

Needs standardwebhooks, aiosmtpd and trustme.
"""

import argparse
import base64
import datetime
import email
import email.policy
import http.server
import json
import os
import pathlib
import socket
import ssl
import sys
import threading

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

OTHER = "whsec_" + base64.b64encode(b"the secret of somebody else entirely").decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("verify").add_argument("file", type=pathlib.Path)
    smtp_mode = modes.add_parser("smtp")
    smtp_mode.add_argument("--folder", type=pathlib.Path, required=True)
    for name in ("--user", "--password"):
        smtp_mode.add_argument(name, required=True)
    modes.add_parser("https").add_argument("--folder", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    sys.exit({"verify": verify, "smtp": smtp, "https": https}[arguments.mode](arguments))


def verify(arguments):
    wrong = []
    deliveries = json.loads(arguments.file.read_text())
    for number, delivery in enumerate(deliveries):
        body, headers = base64.b64decode(delivery["body"]), delivery["headers"]
        for what, secret, sent, should in (
            ("its secret", delivery["secret"], body, True),
            ("another secret", OTHER, body, False),
            ("a changed body", delivery["secret"], body + b" ", False),
        ):
            if verifies(secret, sent, headers) != should:
                wrong.append(f"delivery {number}: with {what} it should be {'taken' if should else 'refused'}")
    print(json.dumps({"verified": len(deliveries), "wrong": wrong}))
    return 1 if wrong or not deliveries else 0


def verifies(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def smtp(arguments):
    folder = arguments.folder
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    def authenticate(server, session, envelope, mechanism, data):
        given = isinstance(data, LoginPassword) and (data.login, data.password)
        expected = (arguments.user.encode(), arguments.password.encode())
        return AuthResult(success=given == expected)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(
        Letters(folder / "letters.jsonl"),
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    controller.start()
    tell(folder / "smtp.json", {"port": port})
    threading.Event().wait()


def tell(path, what):
    """Writes a file that is there whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(what))
    os.replace(partial, path)


def https(arguments):
    folder = arguments.folder
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    before = past - datetime.timedelta(days=30)
    certificates = {
        "good": authority.issue_cert("localhost"),
        "other-name": authority.issue_cert("elsewhere.example"),
        "expired": authority.issue_cert("localhost", not_before=before, not_after=past),
        "stranger": stranger.issue_cert("localhost"),
    }
    ports = {name: behind(name, certificate, folder) for name, certificate in certificates.items()}
    tell(folder / "https.json", ports)
    threading.Event().wait()


def behind(name, certificate, folder):
    """Takes requests behind a certificate; gives back the port."""

    class Taker(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            with (folder / "taken.jsonl").open("a") as file:
                file.write(json.dumps({"by": name}) + "\n")
            self.send_response(204)
            self.end_headers()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


class Letters:
    """Refuses the first letter for the moment, and keeps the others."""

    def __init__(self, path):
        self.path = path
        self.refused = False

    async def handle_DATA(self, server, session, envelope):
        if not self.refused:
            self.refused = True
            return "451 come again"
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        line = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "encrypted": session.ssl is not None,
            "authenticated": session.authenticated,
            "headers": {name.lower(): str(value) for name, value in letter.items()},
            "text": letter.get_content(),
        }
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return "250 taken"


if __name__ == "__main__":
    main()
