// An identity provider, npm's `oidc-provider`, that does right until a word on its standard input tells it to do wrong. Each word
// is answered with `did WORD`. It ends with its input. First it says `ready ISSUER`.
//
//     node provider.mjs MODULES SURFACE…

import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [modules, ...surfaces] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const server = createServer();
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const ISSUER = `http://127.0.0.1:${server.address().port}`;
const OTHER = 'https://evil.example';
const GROUPS = { dora: ['sre'], eve: [] };

let conduct = 'right';

const pair = (kid, kind, options, alg) => {
  const { privateKey, publicKey } = generateKeyPairSync(kind, options);
  return { kid, privateKey, publicKey, jwk: { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
};
const rsa = (kid) => pair(kid, 'rsa', { modulusLength: 2048 }, 'RS256');
const elliptic = pair('elliptic', 'ec', { namedCurve: 'P-256' }, 'ES256');
const unpublished = rsa('unpublished');
let published = rsa('first');

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const signed = (header, claims, { privateKey }) => {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
};

const now = () => Math.floor(Date.now() / 1000);

// The ID token as it is given out.
const given = (token) => {
  const [header, claims] = token.split('.').slice(0, 2).map((text) => JSON.parse(Buffer.from(text, 'base64url')));
  const { auth_time: _, ...undated } = claims;
  switch (conduct) {
    case 'unsigned': return `${part({ ...header, alg: 'none' })}.${part(claims)}.`;
    case 'signed-with-the-public-key': {
      const text = `${part({ ...header, alg: 'HS256' })}.${part(claims)}`;
      const key = published.publicKey.export({ format: 'pem', type: 'spki' });
      return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
    }
    case 'unpublished-key': return signed({ ...header, kid: unpublished.kid }, claims, unpublished);
    case 'another-key-of-that-name': return signed(header, claims, unpublished);
    case 'key-of-its-own': {
      const jwk = unpublished.publicKey.export({ format: 'jwk' });
      return signed({ ...header, kid: unpublished.kid, jwk }, claims, unpublished);
    }
    case 'header-that-must-be-understood': return signed({ ...header, crit: ['b64'], b64: true }, claims, published);
    case 'called-an-access-token': return signed({ ...header, typ: 'at+jwt' }, claims, published);
    case 'another-audience': return signed(header, { ...claims, aud: 'another' }, published);
    case 'another-issuer': return signed(header, { ...claims, iss: OTHER }, published);
    case 'another-party': return signed(header, { ...claims, azp: 'another' }, published);
    case 'many-audiences': return signed(header, { ...claims, aud: [claims.aud, 'another'] }, published);
    case 'no-subject': return signed(header, { ...claims, sub: '' }, published);
    case 'expired': return signed(header, { ...claims, exp: now() - 60 }, published);
    case 'of-tomorrow': return signed(header, { ...claims, iat: now() + 86400, exp: now() + 90000 }, published);
    case 'login-of-tomorrow': return signed(header, { ...claims, auth_time: now() + 86400 }, published);
    case 'no-nonce': return signed(header, { ...claims, nonce: undefined }, published);
    case 'another-nonce': return signed(header, { ...claims, nonce: 'another' }, published);
    case 'no-auth-time': return signed(header, undated, published);
    default: return token;
  }
};

const client = (client_id, id_token_signed_response_alg) => ({
  client_id,
  id_token_signed_response_alg,
  redirect_uris: surfaces.flatMap((surface) => ['sso', 'other'].map((id) => `${surface}/login/callback/${id}`)),
  token_endpoint_auth_method: 'none',
});

// An MCP client of whoever runs it. It gets tokens for the endpoint that it names: JSON Web Tokens with the scope `mcp`.
const agent = {
  client_id: 'agent',
  redirect_uris: ['http://127.0.0.1/callback'],
  token_endpoint_auth_method: 'none',
};
const resourceServer = (audience) => ({ audience, scope: 'mcp', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } });

const cookies = { keys: [randomBytes(32).toString('hex')] };

// What it keeps is the process's: another one with other keys goes on where this one stopped.
const start = () => {
  const provider = new Provider(ISSUER, {
    acrValues: ['mfa', 'pwd'],
    claims: { groups: ['groups'], profile: ['preferred_username'] },
    clients: [client('mutation-approval', 'RS256'), client('mutation-approval-elliptic', 'ES256'), agent],
    conformIdTokenClaims: false,
    cookies,
    enabledJWA: { idTokenSigningAlgValues: ['ES256', 'RS256'] },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: { getResourceServerInfo: (_, resource) => resourceServer(resource) },
    },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, preferred_username: sub, groups: GROUPS[sub] }) }),
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    jwks: { keys: [published.jwk, elliptic.jwk] },
    loadExistingGrant: async ({ oidc }) => {
      const grant = new provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
      grant.addOIDCScope(oidc.params.scope);
      if (oidc.params.resource) grant.addResourceScope(oidc.params.resource, 'mcp');
      await grant.save();
      return grant;
    },
  });
  provider.use(async (context, next) => {
    await next();
    if (context.body?.id_token) context.body.id_token = given(context.body.id_token);
    if (context.body?.jwks_uri && conduct === 'discovery-of-another') context.body.issuer = OTHER;
    const location = context.response.get('location') ?? '';
    if (location.includes('/login/callback/')) {
      const url = new URL(location);
      if (conduct === 'answer-of-another-issuer') url.searchParams.set('iss', OTHER);
      if (conduct === 'answer-of-no-issuer') url.searchParams.delete('iss');
      context.set('location', url.href);
    }
  });
  return provider;
};

let provider = start();

// Whoever is named here has logged in.
const interact = async (request, response) => {
  if (request.method === 'GET') {
    await provider.interactionDetails(request, response);
    response.end(`<form action="${request.url}" method="post"><input name="username"></form>`);
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  const login = { accountId: new URLSearchParams(body).get('username'), acr: conduct === 'weak-login' ? 'pwd' : 'mfa' };
  if (conduct === 'old-login') login.ts = now() - 3600;
  await provider.interactionFinished(request, response, { login });
};

server.on('request', (request, response) => {
  if (!request.url.startsWith('/interaction/')) return provider.callback()(request, response);
  return interact(request, response).catch((error) => response.writeHead(500).end(String(error)));
});
console.log(`ready ${ISSUER}`);

for await (const word of createInterface({ input: process.stdin })) {
  conduct = word;
  if (word === 'rotate') {
    published = rsa('second');
    provider = start();
  }
  console.log(`did ${word}`);
}
process.exit();
