// Holds documents that we write against the libraries and schemas of those who defined them.
//
//   documents.cjs asyncapi FILE     with the official AsyncAPI parser and its Avro parser
//   documents.cjs sarif FILE        against the schema of SARIF 2.1.0
//   documents.cjs gitlab FILE       against what GitLab documents of a code quality report
//   documents.cjs cloudevents FILE  each line with the CloudEvents SDK
//
// Prints a JSON object: `problems`, and what was read. Ends with 1 when there are problems.

const { readFileSync } = require('node:fs');
const path = require('node:path');

const modules = process.env.NODE_PATH;

async function asyncapi(text) {
  const { Parser } = require('@asyncapi/parser');
  const { AvroSchemaParser } = require('@asyncapi/avro-schema-parser');
  const parser = new Parser();
  parser.registerSchemaParser(AvroSchemaParser());
  const { document, diagnostics } = await parser.parse(text);
  // 0 is an error, 1 a warning; what is below is advice.
  const problems = diagnostics.filter((one) => one.severity <= 1).map((one) => `${one.path.join('/')}: ${one.message}`);
  const operations = document ? document.operations().all() : [];
  return {
    problems,
    version: document?.version(),
    title: document?.info().title(),
    channels: document?.channels().all().map((one) => one.address()),
    messages: document?.allMessages().all().map((one) => one.title()),
    sends: operations.filter((one) => one.isSend()).map((one) => one.id()),
    receives: operations.filter((one) => one.isReceive()).map((one) => one.id()),
  };
}

function held(schema, value) {
  const Ajv = require(path.join(modules, '@microsoft/jest-sarif/node_modules/ajv'));
  const ajv = new Ajv({ schemaId: 'auto', allErrors: true, unknownFormats: 'ignore' });
  for (const draft of ['draft-04', 'draft-06']) {
    ajv.addMetaSchema(require(path.join(modules, `@microsoft/jest-sarif/node_modules/ajv/lib/refs/json-schema-${draft}.json`)));
  }
  ajv.validate(schema, value);
  return (ajv.errors || []).map((one) => `${one.dataPath}: ${one.message}`);
}

function sarif(text) {
  const log = JSON.parse(text);
  const schema = require(path.join(modules, '@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json'));
  return { problems: held(schema, log), results: log.runs[0].results.length };
}

function gitlab(text) {
  const entries = JSON.parse(text);
  const schema = {
    type: 'array',
    items: {
      type: 'object',
      required: ['description', 'check_name', 'fingerprint', 'severity', 'location'],
      properties: {
        description: { type: 'string', minLength: 1 },
        check_name: { type: 'string', minLength: 1 },
        fingerprint: { type: 'string', minLength: 1 },
        severity: { enum: ['info', 'minor', 'major', 'critical', 'blocker'] },
        location: {
          type: 'object',
          required: ['path', 'lines'],
          properties: {
            path: { type: 'string', not: { pattern: '^\\./' } },
            lines: { type: 'object', required: ['begin'], properties: { begin: { type: 'integer', minimum: 1 } } },
          },
        },
      },
    },
  };
  const problems = held(schema, entries);
  if (new Set(entries.map((one) => one.fingerprint)).size !== entries.length) {
    problems.push('two entries have one fingerprint');
  }
  return { problems, results: entries.length };
}

function cloudevents(text) {
  const { HTTP } = require('cloudevents');
  const problems = [];
  const types = [];
  for (const line of text.split('\n').filter(Boolean)) {
    try {
      const event = HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body: line });
      event.validate();
      types.push(event.type);
    } catch (error) {
      problems.push(`${error}: ${line}`);
    }
  }
  return { problems, types };
}

async function main() {
  const [mode, file] = process.argv.slice(2);
  const read = { asyncapi, sarif, gitlab, cloudevents }[mode];
  const told = await read(readFileSync(file, 'utf8'));
  console.log(JSON.stringify(told));
  process.exitCode = told.problems.length === 0 ? 0 : 1;
}

main();
