// Starts oidc-provider with a JWK Set, for each path on standard input, and prints an access token that it
// signed, or why it did not start.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.argv[2]}/package.json`);
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const client = { client_id: 'client', client_secret: 'a-secret-of-a-test', redirect_uris: [], response_types: [],
  grant_types: ['client_credentials'] };

async function token(jwks) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const issuer = `http://127.0.0.1:${server.address().port}`;
    const provider = new Provider(issuer, {
      jwks,
      clients: [client],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => 'https://api.example',
          getResourceServerInfo: () => ({
            scope: 'read', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
    });
    server.on('request', provider.callback());
    const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
    const answer = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials&scope=read',
    });
    const body = await answer.json();
    if (!body.access_token) throw new Error(JSON.stringify(body));
    const published = await (await fetch(`${issuer}/jwks`)).json();
    const kids = published.keys.map((key) => key.kid);
    return `${body.access_token} ${kids.join(' ')}`;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

for await (const path of createInterface({ input: process.stdin })) {
  try {
    console.log(await token(JSON.parse(readFileSync(path))));
  } catch (error) {
    console.log(`error ${error.message}`.replaceAll('\n', ' '));
  }
}
