"""user-service as its team would write it: Flask, and what docs/sidecar.md says of hooks and the door."""

import os
import threading
import urllib.request

from flask import Flask, request

app = Flask(__name__)
state = {"version": "1.0.0", "in_flight": 1}


@app.get("/version")
def version():
    return {"version": state["version"]}


@app.get("/readyz")
def ready():
    return ("ready", 200) if state["version"] else ("starting", 503)


@app.post("/upgrade")
def upgrade():
    """Takes the order and tells the result when it is there."""
    event = request.get_json()
    assert event["type"] == "io.pavane.lifecycle.v1.Ready", event
    url, token = request.headers["pavane-callback"], request.headers["pavane-callback-token"]

    def work():
        tell(os.environ["PAVANE_URL"] + "/v1/progress", {"part": "pull", "detail": "3 of 3 layers"})
        state["version"] = event["pavaneversion"]
        tell(url, {"status": "SUCCESS"}, token)

    threading.Thread(target=work).start()
    return {"status": "IN_PROGRESS", "callbackDelaySeconds": 3600}, 202


@app.post("/drain")
def drain():
    state["in_flight"] -= 1
    if state["in_flight"] >= 0:
        return {"status": "IN_PROGRESS", "callbackDelaySeconds": 0.1}, 202
    return "", 204


def tell(url, body, token=""):
    import json

    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    call = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(call, timeout=10) as answer:
        return answer.status


if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]))
