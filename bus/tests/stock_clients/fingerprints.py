"""Prints the fingerprints of all schemas as fastavro computes them: the content of ../wire/fingerprints.txt.

An independent reading of the same schemas: when it and the Rust side differ, one of the two is not Avro.
"""

import hashlib
import json
import pathlib
import re

import fastavro
from fastavro.schema import parse_schema, to_parsing_canonical_form

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCHEMAS = ROOT / "schemas"


def files():
    """The embedded schemas in their order, a service's own one, and one that only the test has."""
    source = (SCHEMAS / "src" / "lib.rs").read_text()
    for namespace, folder, events in re.findall(r'"([\w.]+)" in "([\w/]+)":([^;]*);', source):
        for event in re.findall(r'"(\w+)"', events):
            yield SCHEMAS / folder / f"{event}.avsc"
    yield SCHEMAS / "services" / "matchmaking" / "Ready.avsc"
    yield ROOT / "bus" / "tests" / "wire" / "dressed.avsc"


def main():
    version = ".".join(fastavro.__version__.split(".")[:2])
    print(f"# SHA-256 of the parsing canonical form as fastavro {version} computes it, and the subject.")
    for file in files():
        schema = json.loads(file.read_text())
        form = to_parsing_canonical_form(parse_schema(schema))
        print(hashlib.sha256(form.encode()).hexdigest(), f"{schema['namespace']}.{schema['name']}")


if __name__ == "__main__":
    main()
