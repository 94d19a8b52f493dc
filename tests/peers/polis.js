// Polis: its directory sync (SCIM) on Postgres, behind a minimal HTTP server: one process for each core.
'use strict';

const cluster = require('node:cluster');
const fs = require('node:fs');
const http = require('node:http');
const { availableParallelism } = require('node:os');
const { controllers } = require('@boxyhq/saml-jackson');
const { version } = require('@boxyhq/saml-jackson/package.json');

const SCIM_PATH = '/api/scim/v2.0';

/** Starts Polis. */
function jackson() {
  return controllers({
    externalUrl: 'http://127.0.0.1',
    samlPath: '/api/oauth/saml',
    scimPath: SCIM_PATH,
    noAnalytics: true,
    logger: { info() {} },
    // The default page limit of 50 would cut `count=100`.
    db: { engine: 'sql', type: 'postgres', url: process.env.PEER_DATABASE_URL, pageLimit: 100 },
  });
}

/** Reads the body of a request. */
async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length ? JSON.parse(Buffer.concat(chunks)) : {};
}

/** Translates a request to what Polis handles, as the route of the Polis service does. */
async function parse(request) {
  const url = new URL(request.url, 'http://127.0.0.1');
  const [directoryId, resourceType, resourceId] = url.pathname.slice(SCIM_PATH.length + 1).split('/');
  const query = url.searchParams;
  const number = (name) => (query.has(name) ? Number(query.get(name)) : undefined);
  return {
    method: request.method,
    body: await body(request),
    directoryId,
    resourceType,
    resourceId,
    apiSecret: (request.headers.authorization || '').replace(/^Bearer /, ''),
    query: { count: number('count'), startIndex: number('startIndex'), filter: query.get('filter') || undefined },
  };
}

/** Receives the events of Polis, which an application would store. */
async function ignore() {}

/** Answers requests. */
async function serve() {
  const { directorySyncController } = await jackson();
  const answer = async (request, response) => {
    let status = 500;
    let data = { detail: 'the call failed' };
    try {
      ({ status, data } = await directorySyncController.requests.handle(await parse(request), ignore));
    } catch (error) {
      console.error(error);
    }
    response.writeHead(status, { 'content-type': 'application/scim+json' });
    response.end(data === undefined ? undefined : JSON.stringify(data));
  };
  http.createServer({ keepAliveTimeout: 75_000 }, answer).listen(0, '127.0.0.1');
}

/** Creates the tables and a directory, starts the processes, and describes the peer to the benchmark. */
async function start() {
  const { directorySyncController } = await jackson();
  const { data, error } = await directorySyncController.directories.create({
    tenant: 'bench',
    product: 'bench',
    name: 'bench',
    type: 'generic-scim-v2',
  });
  if (error) throw new Error(error.message);
  let listening = 0;
  cluster.on('listening', (_, { port }) => {
    listening += 1;
    if (listening === availableParallelism()) describe(port, data);
  });
  for (let worker = 0; worker < availableParallelism(); worker += 1) cluster.fork();
}

/** Writes the description. The rename makes it appear complete. */
function describe(port, directory) {
  const file = process.env.PEER_FILE;
  const url = `http://127.0.0.1:${port}${SCIM_PATH}/${directory.id}`;
  const durability = 'Postgres, one commit per call';
  const description = { name: `Polis ${version}`, url, token: directory.scim.secret, durability };
  fs.writeFileSync(`${file}.new`, JSON.stringify(description));
  fs.renameSync(`${file}.new`, file);
}

(cluster.isPrimary ? start() : serve()).catch((error) => {
  console.error(error);
  process.exit(1);
});
