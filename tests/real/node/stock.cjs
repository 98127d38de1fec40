// Reads records as they stood on Kafka, makes one that is written there, and speaks to a sidecar's door, with the
// CloudEvents SDK and its bindings.
//
//   stock.cjs read REGISTRY FILE                 binary mode: a JSON object a line with key, headers and value
//   stock.cjs message REGISTRY DOMAIN ROLLOUT    prints such an object
//   stock.cjs say DOOR DOMAIN ROLLOUT            HTTP, structured and binary
//
// Prints one JSON object a line. Ends with 1 when a record is no CloudEvent or the door refuses one.

const { readFileSync } = require('node:fs');
const path = require('node:path');
const avro = require('avsc');
const { CloudEvent, HTTP, Kafka: Binding } = require('cloudevents');

const SCHEMAS = path.resolve(__dirname, '../../../schemas/lifecycle/v1');

async function schemaOf(registry, id) {
  const answer = await fetch(`${registry}/schemas/ids/${id}`);
  return JSON.parse((await answer.json()).schema);
}

async function read(registry, file) {
  const types = new Map();
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const { key, headers, value: base64 } = JSON.parse(line);
    const value = Buffer.from(base64, 'base64');
    const event = Binding.toEvent({ key, value, headers });
    event.validate();
    const id = value.readUInt32BE(1);
    if (!types.has(id)) {
      types.set(id, avro.Type.forSchema(await schemaOf(registry, id)));
    }
    const data = types.get(id).fromBuffer(value.subarray(5));
    const { data: _, data_base64: __, ...attributes } = event;
    console.log(JSON.stringify({ ...attributes, data, key }));
  }
}

// The attributes of an event that a service says.
function attributes(id, domain, rollout) {
  return {
    specversion: '1.0',
    id,
    source: `/pavane/${domain}/user-db/user-db-0`,
    type: 'io.pavane.lifecycle.v1.Ready',
    subject: 'service/user-db',
    correlationid: rollout,
    pavaneversion: '1.0.0',
  };
}

async function message(registry, domain, rollout) {
  const text = readFileSync(path.join(SCHEMAS, 'Ready.avsc'), 'utf8');
  const asked = await fetch(`${registry}/subjects/io.pavane.lifecycle.v1.Ready`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: text }),
  });
  const { id: schema } = await asked.json();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(schema, 1);
  const type = avro.Type.forSchema(JSON.parse(text));
  const data = Buffer.concat([head, type.toBuffer({ prerequisite: 'schema-v2', detail: 'said by a stock client' })]);
  const event = new CloudEvent({
    ...attributes('from-javascript', domain, rollout),
    datacontenttype: 'application/avro',
    partitionkey: domain,
    sequence: '1'.padStart(19, '0'),
    pavaneservice: 'user-db',
    pavaneinstance: 'user-db-0',
    pavaneboot: 'stock',
    data,
  });
  const { key, headers } = Binding.binary(event);
  // The SDK gives the content type twice, the second time as an attribute that Kafka's binding does not have, and none
  // of what is undefined.
  delete headers.ce_datacontenttype;
  const texts = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]));
  console.log(JSON.stringify({ id: event.id, key, headers: texts, value: data.toString('base64') }));
}

async function say(door, domain, rollout) {
  for (const mode of ['structured', 'binary']) {
    const event = new CloudEvent({
      ...attributes(`javascript-${mode}`, domain, rollout),
      datacontenttype: 'application/json',
      data: { prerequisite: mode, detail: 'said through the door' },
    });
    const { headers, body } = HTTP[mode](event);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await fetch(`${door}/v1/events`, { method: 'POST', headers, body: text });
    console.log(JSON.stringify({ mode, id: event.id, status: answer.status, answer: await answer.text() }));
    if (!answer.ok) {
      process.exitCode = 1;
    }
  }
}

const [mode, ...rest] = process.argv.slice(2);
({ read, message, say })[mode](...rest).catch((error) => {
  console.error(error);
  process.exit(1);
});
