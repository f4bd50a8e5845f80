// The TypeScript SDKs as the driver's agent: a line of JSON in, a line of JSON out. It ends with its input.
//
// The first line says how to connect: `modules` (where npm's packages are), `sdk` (1 or 2), `revision`, whether it `opens` pages, and
// `stdio` (`command`, `args`) or `http` (`url`, `token`). Where it is asked to open a page, it says which, and hears what to answer.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const say = (message) => { process.stdout.write(`${JSON.stringify(message)}\n`); };

const requests = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const hear = async () => {
  const { value, done } = await requests.next();
  return done ? undefined : JSON.parse(value);
};

const told = await hear();
const load = createRequire(`${told.modules}/`);

const SDKS = {
  1: () => {
    const { Client } = load('@modelcontextprotocol/sdk/client/index.js');
    const { StdioClientTransport } = load('@modelcontextprotocol/sdk/client/stdio.js');
    const { StreamableHTTPClientTransport } = load('@modelcontextprotocol/sdk/client/streamableHttp.js');
    return { Client, StdioClientTransport, StreamableHTTPClientTransport };
  },
  2: () => ({ ...load('@modelcontextprotocol/client'), ...load('@modelcontextprotocol/client/stdio') }),
};
const { Client, StdioClientTransport, StreamableHTTPClientTransport } = SDKS[told.sdk]();

let revision;
const transport = () => {
  if (told.stdio) return new StdioClientTransport(told.stdio);
  const requestInit = { headers: { Authorization: `Bearer ${told.http.token}` } };
  return new StreamableHTTPClientTransport(new URL(told.http.url), { requestInit });
};

// The first SDK tells the revision to its transport alone.
const watched = (transport) => {
  const set = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (agreed) => { revision = agreed; set?.(agreed); };
  return transport;
};

const negotiation = told.revision === '2026-07-28' ? { versionNegotiation: { mode: 'auto' } } : {};
const capabilities = told.opens ? { elicitation: { url: {} } } : {};
const client = new Client({ name: `typescript-${told.sdk}`, version: '1' }, { ...negotiation, capabilities });
if (told.opens) {
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    say({ opens: params.url });
    return { action: (await hear()).opened };
  });
}
await client.connect(watched(transport()));
revision = client.getNegotiatedProtocolVersion?.() ?? revision;
say({ revision, capabilities: client.getServerCapabilities() });

const answer = async (request) => {
  try {
    if (request.list) return { tools: (await client.listTools()).tools };
    return { result: await client.callTool({ name: request.call, arguments: request.arguments }) };
  } catch (error) {
    return { error: error.message, code: error.code };
  }
};

for (let request = await hear(); request; request = await hear()) {
  say(await answer(request));
}
await client.close();
