// user-db as its team would write it: Node without a framework, and what docs/sidecar.md says of the door.
import { createServer } from "node:http";

const door = `${process.env.PAVANE_URL}/v1/events`;

// Says that the schema is there: a CloudEvent with an id of its own, which may be said again.
async function say(rollout, version) {
  const event = {
    specversion: "1.0",
    id: `schema-${rollout}`,
    source: "/user-db/migrations",
    type: "Ready",
    correlationid: rollout,
    pavaneversion: version,
    data: { prerequisite: "schema-v2", detail: "42 migrations" },
  };
  const headers = { "content-type": "application/cloudevents+json" };
  const answer = await fetch(door, { method: "POST", headers, body: JSON.stringify(event) });
  return { status: answer.status, ...(await answer.json()) };
}

const server = createServer(async (request, response) => {
  if (request.url === "/version") return response.end("2.0.0\n");
  if (request.method === "POST" && request.url.startsWith("/migrated/")) {
    const rollout = request.url.slice("/migrated/".length);
    const answers = [await say(rollout, "2.0.0"), await say(rollout, "2.0.0")];
    response.setHeader("content-type", "application/json");
    return response.end(JSON.stringify(answers));
  }
  response.statusCode = 404;
  response.end();
});
server.listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
