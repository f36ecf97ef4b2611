/** What commands do together: waiting, transactions, messages, expiry, eviction, memory, logins. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Bench } from './test-bench.ts';

describe('blocking', () => {
  test('a waiting client is served when something is pushed, oldest first', () => {
    const bench = new Bench();
    const [first, second, pusher] = [bench.connect(), bench.connect(), bench.connect()];
    assert.equal(first.do('BLPOP a b 0'), '');
    assert.equal(second.do('BRPOP b 0'), '');
    assert.equal(pusher.do('RPUSH b 1 2 3'), '3');
    assert.equal(first.output(), '[b 1]');
    assert.equal(second.output(), '[b 3]');
    assert.deepEqual(first.events, ['unblocked']);
    assert.equal(pusher.do('LRANGE b 0 -1'), '[2]');
    assert.equal(bench.engine.blocking.count, 0);
  });

  test('the time is over exactly when it is over', () => {
    const bench = new Bench();
    const client = bench.connect();
    client.do('BLPOP a 1.5');
    assert.equal(bench.engine.nextDeadline(), bench.now + 1_500);
    bench.pass(1_499);
    assert.equal(client.output(), '');
    bench.pass(1);
    assert.equal(client.output(), '(nil)');
    assert.equal(bench.engine.blocking.count, 0);
    assert.equal(bench.engine.keyspace.databases[0]!.waiting.size, 0);
  });

  test('a client that has gone leaves no waiter, and the item goes to the next', () => {
    const bench = new Bench();
    const [gone, next, pusher] = [bench.connect(), bench.connect(), bench.connect()];
    gone.do('BLPOP a 0');
    next.do('BLPOP a 0');
    gone.disconnect();
    pusher.do('LPUSH a x');
    assert.equal(gone.output(), '');
    assert.equal(next.output(), '[a x]');
    assert.equal(bench.engine.keyspace.databases[0]!.waiting.size, 0);
  });

  test('moving wakes the next in a chain', () => {
    const bench = new Bench();
    const [mover, popper, pusher] = [bench.connect(), bench.connect(), bench.connect()];
    popper.do('BZPOPMIN z 0');
    mover.do('BLMOVE a b LEFT RIGHT 0');
    const last = bench.connect();
    last.do('BLPOP b 0');
    pusher.do('RPUSH a x');
    assert.equal(mover.output(), 'x');
    assert.equal(last.output(), '[b x]');
    pusher.do('ZADD z 2 m');
    assert.equal(popper.output(), '[z m 2]');
  });

  test('a key of another type does not end the waiting', () => {
    const bench = new Bench();
    const [waiting, other] = [bench.connect(), bench.connect()];
    waiting.do('BLPOP a 0');
    other.do('SET a v', 'DEL a', 'SADD a m', 'DEL a');
    assert.equal(waiting.output(), '');
    other.do('LPUSH a x');
    assert.equal(waiting.output(), '[a x]');
  });

  test('inside a transaction nothing waits, and what it pushes is served after it', () => {
    const bench = new Bench();
    const [waiting, other] = [bench.connect(), bench.connect()];
    assert.equal(other.do('MULTI', 'BLPOP a 0', 'EXEC'), 'OK QUEUED [(nil)]');
    waiting.do('BLPOP a 0');
    assert.equal(other.do('MULTI', 'LPUSH a 1', 'LPUSH a 2', 'EXEC'), 'OK QUEUED QUEUED [1 2]');
    assert.equal(waiting.output(), '[a 2]');
    waiting.do('BLPOP gone 0');
    other.do('MULTI', 'LPUSH gone 1', 'DEL gone', 'EXEC');
    assert.equal(waiting.output(), '');
  });

  test('RENAME, COPY and SWAPDB bring keys to those who wait', () => {
    const bench = new Bench();
    const [waiting, other] = [bench.connect(), bench.connect()];
    waiting.do('BLPOP a 0');
    other.do('RPUSH x 1 2 3', 'RENAME x a');
    assert.equal(waiting.output(), '[a 1]');
    waiting.do('BLPOP b 0');
    other.do('COPY a b');
    assert.equal(waiting.output(), '[b 2]');
    waiting.do('BLPOP c 0');
    other.do('SELECT 1', 'RPUSH c 9', 'SWAPDB 0 1');
    assert.equal(waiting.output(), '[c 9]');
  });

  test('CLIENT UNBLOCK ends the waiting with a timeout or an error', () => {
    const bench = new Bench();
    const [waiting, other] = [bench.connect(), bench.connect()];
    waiting.do('BLPOP a 0');
    assert.equal(other.do('CLIENT UNBLOCK 1'), '1');
    assert.equal(waiting.output(), '(nil)');
    waiting.do('BLPOP a 0');
    assert.equal(other.do('CLIENT UNBLOCK 1 ERROR'), '1');
    assert.equal(waiting.output(), 'UNBLOCKED client unblocked via CLIENT UNBLOCK');
    assert.equal(other.do('CLIENT UNBLOCK 1'), '0');
  });
});

describe('transactions', () => {
  test('queue, then carry out in one go', () => {
    const client = new Bench().connect();
    assert.equal(
      client.do('MULTI', 'SET a 1', 'INCR a', 'GET a', 'EXEC'),
      'OK QUEUED QUEUED QUEUED [OK 2 2]',
    );
    assert.equal(client.do('EXEC'), 'ERR EXEC without MULTI');
    assert.equal(client.do('DISCARD'), 'ERR DISCARD without MULTI');
  });

  test('a command that cannot be queued aborts, one that fails does not', () => {
    const client = new Bench().connect();
    client.do('MULTI', 'SET a 1', 'NOPE', 'GET');
    assert.equal(client.do('EXEC'), 'EXECABORT Transaction discarded because of previous errors.');
    assert.equal(client.do('GET a'), '(nil)');
    client.do('MULTI', 'SET a x', 'INCR a', 'SET b 2');
    assert.equal(client.do('EXEC'), '[OK ERR value is not an integer or out of range OK]');
    assert.equal(client.do('GET b'), '2');
  });

  test('nesting and WATCH inside are refused, and do not abort', () => {
    const client = new Bench().connect();
    client.do('MULTI');
    assert.equal(client.do('MULTI'), 'ERR MULTI calls can not be nested');
    assert.equal(client.do('WATCH a'), 'ERR WATCH inside MULTI is not allowed');
    assert.equal(client.do('PING', 'EXEC'), 'QUEUED [PONG]');
  });

  for (const change of [
    'SET k 2',
    'DEL k',
    'EXPIRE k 10',
    'RENAME other k',
    'FLUSHDB',
    'FLUSHALL',
    'SWAPDB 0 1',
    'APPEND k x',
    'COPY other k REPLACE',
  ]) {
    test(`a watched key that changes by ${change} makes EXEC do nothing`, () => {
      const bench = new Bench();
      const [watcher, other] = [bench.connect(), bench.connect()];
      watcher.do('SET k 1', 'SET other 1', 'WATCH k');
      other.do(change);
      assert.equal(watcher.do('MULTI', 'SET done 1', 'EXEC'), 'OK QUEUED (nil)');
      assert.equal(watcher.do('MULTI', 'SET done 1', 'EXEC'), 'OK QUEUED [OK]');
      assert.equal(bench.engine.keyspace.databases[0]!.watchers.size, 0);
    });
  }

  test('reads, other keys, UNWATCH and DISCARD leave it alone', () => {
    const bench = new Bench();
    const [watcher, other] = [bench.connect(), bench.connect()];
    watcher.do('SET k 1', 'WATCH k');
    other.do('GET k', 'SET different 1');
    assert.equal(watcher.do('MULTI', 'PING', 'EXEC'), 'OK QUEUED [PONG]');
    watcher.do('WATCH k');
    other.do('SET k 2');
    assert.equal(watcher.do('UNWATCH', 'MULTI', 'PING', 'EXEC'), 'OK OK QUEUED [PONG]');
    watcher.do('WATCH k');
    other.do('SET k 3');
    assert.equal(watcher.do('MULTI', 'DISCARD', 'MULTI', 'EXEC'), 'OK OK OK []');
  });

  test('a watched key whose time is over has changed; one that was gone before has not', () => {
    const bench = new Bench();
    const client = bench.connect();
    client.do('SET k 1 PX 100', 'WATCH k', 'MULTI', 'PING');
    bench.now += 100;
    assert.equal(client.do('EXEC'), '(nil)');
    client.do('SET k 1 PX 100');
    bench.now += 100;
    assert.equal(client.do('WATCH k', 'MULTI', 'PING', 'EXEC'), 'OK OK QUEUED [PONG]');
  });
});

describe('messages', () => {
  test('channels, patterns and shard channels', () => {
    const bench = new Bench();
    const [listener, publisher] = [bench.connect(), bench.connect()];
    assert.equal(listener.do('SUBSCRIBE a b'), '[subscribe a 1] [subscribe b 2]');
    assert.equal(listener.do('PSUBSCRIBE a*'), '[psubscribe a* 3]');
    assert.equal(listener.do('SSUBSCRIBE s'), '[ssubscribe s 1]');
    assert.equal(publisher.do('PUBLISH a hi'), '2');
    assert.equal(listener.output(), '[message a hi] [pmessage a* a hi]');
    assert.equal(publisher.do('SPUBLISH s there', 'PUBLISH nobody x'), '1 0');
    assert.equal(listener.output(), '[smessage s there]');
    assert.equal(publisher.do('PUBSUB CHANNELS', 'PUBSUB NUMPAT', 'PUBSUB NUMSUB a z'), '[a b] 1 [a 1 z 0]');
    assert.equal(publisher.do('PUBSUB SHARDCHANNELS', 'PUBSUB SHARDNUMSUB s'), '[s] [s 1]');
    assert.equal(listener.do('UNSUBSCRIBE'), '[unsubscribe a 2] [unsubscribe b 1]');
    assert.equal(listener.do('PUNSUBSCRIBE a*', 'SUNSUBSCRIBE'), '[punsubscribe a* 0] [sunsubscribe s 0]');
    assert.equal(listener.do('UNSUBSCRIBE'), '[unsubscribe (nil) 0]');
  });

  test('in RESP2 a subscriber may only change its subscriptions; in RESP3 anything', () => {
    const bench = new Bench();
    const client = bench.connect();
    client.do('SUBSCRIBE a');
    assert.match(client.do('GET k'), /^ERR Can't execute 'get': only/);
    assert.equal(client.do('PING'), '[pong ""]');
    assert.equal(client.do('RESET', 'GET k'), 'RESET (nil)');
    client.do('HELLO 3');
    assert.equal(client.do('SUBSCRIBE a', 'GET k'), '>[subscribe a 1] (nil)');
  });

  test('what one publishes to oneself follows the reply', () => {
    const client = new Bench().connect();
    client.do('HELLO 3', 'SUBSCRIBE a');
    assert.equal(client.do('PUBLISH a hi'), '1 >[message a hi]');
    assert.equal(
      client.do('MULTI', 'PUBLISH a x', 'PING', 'EXEC'),
      'OK QUEUED QUEUED [1 PONG] >[message a x]',
    );
  });

  test('a client that has gone listens no more', () => {
    const bench = new Bench();
    const [listener, publisher] = [bench.connect(), bench.connect()];
    listener.do('SUBSCRIBE a', 'PSUBSCRIBE *');
    listener.disconnect();
    assert.equal(publisher.do('PUBLISH a x', 'PUBSUB CHANNELS', 'PUBSUB NUMPAT'), '0 [] 0');
  });

  test('keyspace events, of the classes asked for', () => {
    const bench = new Bench();
    const [listener, worker] = [bench.connect(), bench.connect()];
    worker.do('CONFIG SET notify-keyspace-events Eg$lx');
    listener.do('PSUBSCRIBE __key*');
    worker.do('SET k 1 PX 100', 'LPUSH l a', 'LPOP l', 'SADD s a');
    bench.pass(100);
    const event = (name: string, key: string): string => `[pmessage __key* __keyevent@0__:${name} ${key}]`;
    assert.equal(
      listener.output(),
      [
        event('set', 'k'),
        event('expire', 'k'),
        event('lpush', 'l'),
        event('lpop', 'l'),
        event('del', 'l'),
        event('expired', 'k'),
      ].join(' '),
    );
    worker.do('CONFIG SET notify-keyspace-events Kz', 'ZADD z 1 a');
    assert.equal(listener.output(), '[pmessage __key* __keyspace@0__:z zadd]');
    assert.match(worker.do('CONFIG SET notify-keyspace-events Q'), /Invalid event class character/);
  });

  test('MONITOR shows commands, and no passwords', () => {
    const bench = new Bench();
    const [monitor, worker] = [bench.connect(), bench.connect()];
    assert.equal(monitor.do('MONITOR'), 'OK');
    worker.do('SET "a\\"b" "\\x00"', 'AUTH default secret');
    assert.equal(
      monitor.output(),
      '"1000000000.000000 [0 192.0.2.1:1000] \\"SET\\" \\"a\\\\\\"b\\" \\"\\\\x00\\""',
    );
  });
});

describe('expiry', () => {
  test('a key is gone from the millisecond of its deadline on, for every command', () => {
    const bench = new Bench();
    const client = bench.connect();
    client.do('SET k v PX 1000', 'HSET h a 1', 'PEXPIRE h 1000');
    bench.now += 999;
    assert.equal(client.do('GET k', 'PTTL k', 'HGET h a'), 'v 1 1');
    bench.now += 1;
    assert.equal(client.do('KEYS *', 'SCAN 0'), '[] [0 []]');
    assert.equal(
      client.do('GET k', 'TTL k', 'EXISTS h', 'TYPE h', 'HSET h b 2', 'HGETALL h'),
      '(nil) -2 0 none 1 [b 2]',
    );
  });

  test('keys nobody asks for are removed when they are due, in batches', () => {
    const bench = new Bench();
    const client = bench.connect();
    for (let i = 0; i < 5_000; i++) client.send(['SET', `k${i}`, 'v', 'PX', String(100 + (i % 10))]);
    client.send(['SET', 'stays', 'v']);
    client.output();
    assert.equal(bench.engine.nextDeadline(), bench.now + 100);
    bench.pass(110);
    const left = bench.engine.keyspace.databases[0]!.size;
    assert.ok(left > 1 && left < 5_001, `one tick removes a part: ${left}`);
    assert.ok(bench.engine.nextDeadline()! <= bench.now, 'the rest is due at once');
    while (bench.engine.nextDeadline() !== undefined) bench.pass(50);
    assert.equal(client.do('DBSIZE', 'KEYS *'), '1 [stays]');
    assert.match(client.do('INFO stats'), /expired_keys:5000/);
  });

  test('time stands still within a transaction', () => {
    const bench = new Bench();
    const client = bench.connect();
    client.do('SET k v PX 100', 'MULTI', 'GET k', 'PTTL k');
    bench.now += 40;
    assert.equal(client.do('EXEC'), '[v 60]');
  });
});

describe('memory', () => {
  /** Fills a server with a limit, touching some keys again and again; returns how many of those survive. */
  function survivors(policy: string, prepare = ''): { hot: number; cold: number; evicted: number } {
    const bench = new Bench();
    const client = bench.connect();
    client.do('CONFIG SET maxmemory 300kb', `CONFIG SET maxmemory-policy ${policy}`);
    const value = 'x'.repeat(100);
    for (let i = 0; i < 300; i++)
      client.send(['SET', `hot${i}`, value, ...(prepare === 'ttl' ? ['EX', '100000'] : [])]);
    for (let i = 0; i < 6_000; i++) {
      bench.now += 100;
      client.send(['SET', `cold${i}`, value, ...(prepare === '' ? [] : ['EX', '1000'])]);
      client.send(['GET', `hot${i % 300}`]);
      assert.ok(bench.engine.usedBytes() <= 300 * 1024 + 1_000);
    }
    client.output();
    const keys = bench.engine.keyspace.databases[0]!.entries.map(({ key }) => key);
    const hot = keys.filter((key) => key.startsWith('hot')).length;
    return { hot, cold: keys.length - hot, evicted: bench.engine.keyspace.stats.evicted };
  }

  test('allkeys-lru keeps what is used', () => {
    const { hot, cold, evicted } = survivors('allkeys-lru');
    assert.ok(hot > 270, `${hot} of 300 used keys are left`);
    assert.ok(cold > 100 && evicted > 4_000);
  });

  test('allkeys-lfu keeps what is used often', () => {
    assert.ok(survivors('allkeys-lfu').hot > 200);
  });

  test('volatile-lru evicts only keys with a deadline', () => {
    assert.equal(survivors('volatile-lru', 'cold-ttl').hot, 300);
  });

  test('volatile-ttl evicts what would die first', () => {
    assert.equal(survivors('volatile-ttl', 'ttl').hot, 300);
  });

  test('allkeys-random evicts whatever it draws', () => {
    assert.ok(survivors('allkeys-random').hot < 270);
  });

  test('noeviction refuses writes that need memory, and only those', () => {
    const client = new Bench().connect();
    client.do('SET k v', 'RPUSH l a b', 'CONFIG SET maxmemory 1');
    const refusal = "OOM command not allowed when used memory > 'maxmemory'.";
    assert.equal(client.do('SET x y'), refusal);
    assert.equal(client.do('GET k', 'LPOP l', 'DEL l'), 'v a 1');
    assert.equal(
      client.do('MULTI', 'SET x y', 'EXEC'),
      `OK ${refusal} EXECABORT Transaction discarded because of previous errors.`,
    );
  });

  test('counting returns to zero when everything is deleted', () => {
    const bench = new Bench();
    const client = bench.connect();
    client.do(
      'SET s abc',
      'APPEND s def',
      'SETRANGE s 1000 x',
      'INCR n',
      'LPUSH l a b c',
      'LSET l 1 zzzzzzzzzzzz',
      'LPOP l',
    );
    client.do('HSET h a 1 b 2', 'HSET h a longer-value-than-before', 'HDEL h b', 'SADD t 1 2 x', 'SREM t x');
    client.do(
      'ZADD z 1 a 2 b',
      'ZADD z 3 a',
      'ZREM z b',
      'RENAME l m',
      'COPY h i',
      'SETBIT bits 10000 1',
      'EXPIRE z 10',
    );
    assert.ok(bench.engine.keyspace.usedBytes > 1_000);
    client.do('DEL s n m h i t bits');
    bench.pass(10_000);
    assert.equal(bench.engine.keyspace.usedBytes, 0);
    client.do('SET a 1', 'FLUSHALL');
    assert.equal(bench.engine.keyspace.usedBytes, 0);
  });

  test('SETRANGE, APPEND and SETBIT check sizes before they allocate', () => {
    const client = new Bench().connect();
    assert.match(client.do('SETRANGE k 536870900 x'), /exceeds maximum/);
    assert.match(client.do('SETBIT k 4294967300 1'), /out of range/);
    assert.match(client.do('BITFIELD k SET u8 4294967300 1'), /out of range/);
    assert.equal(client.do('EXISTS k'), '0');
  });
});

describe('logging in', () => {
  const credentials = {
    required: true,
    verify: (user: string, password: string) => user === 'default' && password === 'right',
  };

  test('nothing is told before, and everything after', () => {
    const bench = new Bench({ credentials });
    const client = bench.connect();
    assert.equal(client.do('GET k'), 'NOAUTH Authentication required.');
    assert.match(client.do('HELLO 3'), /^NOAUTH HELLO must be called/);
    assert.equal(client.do('NOPE'), "ERR unknown command 'NOPE', with args beginning with: ");
    assert.equal(client.do('AUTH right', 'GET k'), 'OK (nil)');
    assert.deepEqual(client.events, ['authenticated']);
    const other = bench.connect();
    assert.match(other.do('HELLO 3 AUTH default right SETNAME me'), /proto: 3/);
    assert.equal(other.do('CLIENT GETNAME', 'RESET', 'GET k'), 'me RESET NOAUTH Authentication required.');
  });

  test('after a failure the next attempt waits its turn, even with the right password', () => {
    const bench = new Bench({ credentials });
    const client = bench.connect();
    assert.match(client.do('AUTH wrong'), /^WRONGPASS/);
    assert.equal(client.do('AUTH right'), '');
    bench.pass(49);
    assert.equal(client.output(), '');
    bench.pass(1);
    assert.equal(client.output(), 'OK');
  });

  test('many connections from one address gain nothing; another address is not slowed', () => {
    const bench = new Bench({ credentials });
    for (let i = 0; i < 8; i++) {
      bench.connect().do('AUTH wrong');
      bench.pass(0);
    }
    bench.pass(60);
    const attackers = Array.from({ length: 30 }, () => bench.connect());
    const atOnce = attackers.filter((each) => each.do('AUTH guess') !== '').map((each) => each);
    assert.ok(bench.engine.blocking.count > 0);
    assert.ok(atOnce.length < 30);
    assert.equal(bench.connect('192.0.2.77').do('AUTH right'), 'OK');
    const before = bench.engine.stats.authFailures;
    bench.pass(1_000);
    assert.ok(bench.engine.stats.authFailures - before <= 20, 'guesses are spread over time');
  });

  test('when the queue of turns is full attempts are refused unread', () => {
    const bench = new Bench({ credentials });
    bench.connect().do('AUTH wrong');
    let refused = '';
    for (let i = 0; i < 1_000 && refused === ''; i++) refused = bench.connect().do('AUTH right');
    assert.match(refused, /^ERR too many failed authentication attempts/);
  });

  test('CLIENT UNBLOCK does not shorten the wait', () => {
    const bench = new Bench({ credentials });
    const [guesser, admin] = [bench.connect(), bench.connect('192.0.2.5')];
    admin.do('AUTH right');
    guesser.do('AUTH wrong', 'AUTH wrong');
    assert.equal(admin.do('CLIENT UNBLOCK 1'), '0');
  });
});

test('CLIENT REPLY OFF and SKIP leave out replies', () => {
  const client = new Bench().connect();
  assert.equal(client.do('CLIENT REPLY SKIP', 'PING', 'PING'), 'PONG');
  assert.equal(client.do('CLIENT REPLY OFF', 'PING', 'NOPE', 'SET k v'), '');
  assert.equal(client.do('CLIENT REPLY ON', 'GET k'), 'OK v');
});

test('CLIENT LIST and KILL', () => {
  const bench = new Bench();
  const [one, two] = [bench.connect(), bench.connect()];
  two.do('CLIENT SETNAME worker', 'SUBSCRIBE a');
  assert.match(one.do('CLIENT LIST'), /id=2 addr=192\.0\.2\.1:1000 .* name=worker .* flags=P .* sub=1 /);
  assert.equal(one.do('CLIENT LIST TYPE pubsub').includes('id=1 '), false);
  assert.equal(one.do('CLIENT KILL ID 2'), '1');
  assert.deepEqual(two.events, ['cut']);
  assert.equal(one.do('CLIENT KILL ID 1 SKIPME no'), '1');
  assert.deepEqual(one.events, ['close']);
});

test('slow commands are remembered, shortened', () => {
  const bench = new Bench();
  const client = bench.connect();
  client.do('CONFIG SET slowlog-log-slower-than 0', 'CONFIG SET slowlog-max-len 2');
  client.do(`KEYS ${'x'.repeat(200)}`, 'KEYS a', 'SLOWLOG LEN');
  assert.match(client.do('SLOWLOG GET 1'), /^\[\[\d+ 1000000000 0 \[/);
  assert.equal(client.do('CONFIG SET slowlog-log-slower-than -1', 'SLOWLOG RESET', 'SLOWLOG LEN'), 'OK OK 0');
});

test('INFO has the fields that clients parse', () => {
  const bench = new Bench();
  const client = bench.connect();
  client.do('SET a 1', 'SET b 2 EX 10');
  const info = client.do('INFO');
  for (const field of [
    'redis_version:7.2.4',
    'loading:0',
    'role:master',
    'connected_slaves:0',
    'maxmemory_policy:noeviction',
    'aof_enabled:0',
    'db0:keys=2,expires=1,avg_ttl=10000',
  ]) {
    assert.ok(info.includes(field), field);
  }
  assert.match(info, /used_memory:\d+/);
  assert.equal(client.do('INFO clients').includes('redis_version'), false);
});
