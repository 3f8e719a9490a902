// An issuer of tokens on the npm package `oauth2-mock-server`. Reads a command as a JSON object a line, answers with one.
import readline from 'node:readline';
import { OAuth2Server } from 'oauth2-mock-server';

let server = null;
let port = 0;

async function start(keys) {
  server = new OAuth2Server();
  for (const { kid, alg } of keys) {
    await server.issuer.keys.generate(alg, { kid });
  }
  await server.start(port, '127.0.0.1');
  port = server.address().port;
  return { port };
}

const commands = {
  // Keys of its own; those that it had are gone.
  async start({ keys }) {
    if (server) {
      await server.stop();
    }
    return start(keys);
  },
  // One more key, beside those that it has.
  async add({ kid, alg }) {
    await server.issuer.keys.generate(alg, { kid });
    return {};
  },
  async token({ kid, claims }) {
    const transform = (_header, payload) => Object.assign(payload, claims);
    return { token: await server.issuer.buildToken({ kid, scopesOrTransform: transform }) };
  },
  async stop() {
    await server.stop();
    server = null;
    return {};
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  process.stdout.write(JSON.stringify(await commands[command](given)) + '\n');
}
