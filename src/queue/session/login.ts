/**
 * What a client proves itself with, by SASL mechanism.
 *
 *     PLAIN      authorization identity │ 0 │ user │ 0 │ password          (RFC 4616)
 *     AMQPLAIN   the entries LOGIN and PASSWORD of a field table, without its length
 */
import { ByteReader } from '../../core/bytes/reader.ts';
import { ByteWriter } from '../../core/bytes/writer.ts';
import { AmqpError } from '../errors.ts';
import { readTable, strictly, textOf } from '../wire/field-table.ts';

export interface Login {
  readonly user: string;
  readonly password: string;
}

export const MECHANISMS: readonly string[] = ['PLAIN', 'AMQPLAIN'];

/** @throws AmqpError `access-refused` for a response that does not have the mechanism's form */
export function decodeLogin(mechanism: string, response: Buffer): Login {
  switch (mechanism) {
    case 'PLAIN':
      return decodePlain(response);
    case 'AMQPLAIN':
      return decodeAmqplain(response);
    default:
      throw new AmqpError('access-refused', `unsupported mechanism '${mechanism.slice(0, 40)}'`);
  }
}

function decodePlain(response: Buffer): Login {
  const parts = response.toString('utf8').split('\0');
  const [, user, password] = parts;
  if (parts.length !== 3 || user === undefined || password === undefined) throw badForm('PLAIN');
  return { user, password };
}

function decodeAmqplain(response: Buffer): Login {
  const whole = new ByteWriter(response.length + 4).uint32(response.length).bytes(response).take();
  const table = strictly('the login table', () => readTable(new ByteReader(whole)));
  const user = textOf(table.get('LOGIN'));
  const password = textOf(table.get('PASSWORD'));
  if (user === undefined || password === undefined) throw badForm('AMQPLAIN');
  return { user, password };
}

function badForm(mechanism: string): AmqpError {
  return new AmqpError('access-refused', `a ${mechanism} response of the wrong form`);
}
