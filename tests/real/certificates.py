"""Makes an authority and what it vouches for: a broker, the same with a certificate that has expired, and a sentinel."""

import datetime
import pathlib
import sys

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

folder = pathlib.Path(sys.argv[1])
now = datetime.datetime.now(datetime.timezone.utc)
authority = trustme.CA()


def key(issued):
    """The key in the form that Kafka reads."""
    loaded = load_pem_private_key(issued.private_key_pem.bytes(), None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def chain(issued):
    return b"".join(blob.bytes() for blob in issued.cert_chain_pems)


authority.cert_pem.write_to_path(str(folder / "authority.pem"))
for name, days in (("broker", 300), ("expired", -1)):
    issued = authority.issue_cert("127.0.0.1", not_after=now + datetime.timedelta(days=days))
    (folder / f"{name}.pem").write_bytes(key(issued) + chain(issued))
sentinel = authority.issue_cert(
    "sentinel.example", common_name="sentinel", not_after=now + datetime.timedelta(days=5, hours=-12)
)
(folder / "sentinel.pem").write_bytes(chain(sentinel))
(folder / "sentinel.key").write_bytes(key(sentinel))
