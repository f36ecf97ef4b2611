import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeHashing } from './hashing.ts';
import { makeVerifier, ScramClient, ScramServer } from './scram.ts';

async function login(password: string, offered: string, known = true): Promise<string> {
  const verifier = await makeVerifier(nodeHashing, password, Buffer.from('0123456789abcdef'));
  const server = new ScramServer(nodeHashing, verifier, known, 'server');
  const client = new ScramClient(nodeHashing, offered, 'client');
  const first = server.first(client.first());
  assert.ok(first.ok);
  const final = server.final((await client.final(first.reply)) ?? '');
  return final.outcome === 'accepted' && client.verify(final.reply) ? 'in' : final.outcome;
}

test('the example of RFC 7677 section 3', async () => {
  const client = new ScramClient(nodeHashing, 'pencil', 'rOprNGfwEbeRWgbNEkqO');
  const serverFirst =
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
  // The RFC's client names the user, PostgreSQL's leaves the name empty: the proof differs, the rest does not.
  const final = await client.final(serverFirst);
  assert.ok(final?.startsWith('c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p='));
});

test('right and wrong passwords, and a user who does not exist', async () => {
  assert.equal(await login('secret', 'secret'), 'in');
  assert.equal(await login('ﬁsh', 'fish'), 'in');
  assert.equal(await login('secret', 'Secret'), 'refused');
  assert.equal(await login('secret', 'secret', false), 'refused');
});

test('the client finds out a server that does not know the password', async () => {
  const client = new ScramClient(nodeHashing, 'secret', 'client');
  assert.equal(client.verify('v='), false, 'before the exchange nothing is proven');
  await client.final('r=clientserver,s=AAAA,i=4096');
  assert.equal(client.verify('v=AAAA'), false);
  assert.equal(client.verify('e=other-error'), false);
  for (const bad of [
    '',
    'r=other,s=AAAA,i=4096',
    'r=client,s=AAAA,i=4096',
    'r=clientx,s=AAAA,i=0',
    'r=clientx,s=AAAA,i=99999999',
    'r=clientx,i=1',
  ]) {
    assert.equal(await client.final(bad), undefined, bad);
  }
});

test('the server refuses what is malformed', async () => {
  const verifier = await makeVerifier(nodeHashing, 'secret', Buffer.from('salt'));
  for (const bad of [
    '',
    'n,,',
    'n,,n=',
    'p=tls-server-end-point,,n=,r=x',
    'n,a=admin,n=,r=x',
    'n,,m=ext,n=,r=x',
    'x,,n=,r=y',
    'n,,n=,r=',
  ]) {
    assert.equal(new ScramServer(nodeHashing, verifier, true, 'server').first(bad).ok, false, bad);
  }
  for (const bad of [
    '',
    'c=biws',
    'c=biws,r=xserver',
    'c=biws,r=xserver,p=',
    'c=cD10bHM=,r=xserver,p=AAAA',
    'c=biws,r=other,p=AAAA',
    'c=biws,r=xserver,p=AAAA',
  ]) {
    const server = new ScramServer(nodeHashing, verifier, true, 'server');
    server.first('n,,n=,r=x');
    assert.equal(server.final(bad).outcome, 'malformed', bad);
  }
});
