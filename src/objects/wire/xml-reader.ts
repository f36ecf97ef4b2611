/**
 * XML documents in, through @rgrove/parse-xml, behind bounds that hold before it runs: it recurses, and it
 * skips a DOCTYPE in silence. `<!` is refused whole (DOCTYPE, entities, CDATA, comments: no S3 client sends
 * any), nesting and elements are counted first, and every complaint becomes MalformedXML.
 */
import { parseXml, type XmlElement, XmlText } from '@rgrove/parse-xml';
import { S3Error } from '../errors.ts';
import { PROTOCOL_LIMITS } from '../limits.ts';
import { decodeUtf8 } from './uri-encoding.ts';

const LESS_THAN = 0x3c;
const SLASH = 0x2f;
const GREATER_THAN = 0x3e;
const BANG = 0x21;
const QUESTION = 0x3f;

/** An element with either children or text; attributes and namespaces are not kept. */
export interface XmlNode {
  readonly name: string;
  readonly children: readonly XmlNode[];
  readonly text: string;
}

/**
 * @param root the name that the outermost element must have
 * @throws S3Error MalformedXML
 */
export function readXml(bytes: Uint8Array, root: string): XmlNode {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new S3Error('MalformedXML');
  requireBounds(text);
  const node = parse(text);
  if (node.name !== root) throw new S3Error('MalformedXML');
  return node;
}

function parse(text: string): XmlNode {
  try {
    const root = parseXml(text.startsWith('\ufeff') ? text.slice(1) : text).root;
    if (root !== null) return simplify(root);
  } catch (cause) {
    throw new S3Error('MalformedXML', undefined, { cause });
  }
  throw new S3Error('MalformedXML');
}

/** A scan over the angle brackets; inside quotes `>` may mislead it, and then the count is only higher. */
function requireBounds(text: string): void {
  let depth = 0;
  let elements = 0;
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at + 1)) {
    const next = text.charCodeAt(at + 1);
    if (next === BANG) throw new S3Error('MalformedXML');
    if (next === QUESTION) continue;
    if (next === SLASH) {
      depth--;
      continue;
    }
    elements++;
    depth++;
    if (depth > PROTOCOL_LIMITS.xmlDepth || elements > PROTOCOL_LIMITS.xmlElements) {
      throw new S3Error('MalformedXML');
    }
    if (closesItself(text, at)) depth--;
  }
}

function closesItself(text: string, start: number): boolean {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === LESS_THAN) return false;
    if (code === GREATER_THAN) return text.charCodeAt(at - 1) === SLASH;
  }
  return false;
}

function simplify(element: XmlElement): XmlNode {
  const children: XmlNode[] = [];
  let text = '';
  for (const child of element.children) {
    if (child instanceof XmlText) text += child.text;
    else if (isElement(child)) children.push(simplify(child));
  }
  return { name: element.name, children, text };
}

function isElement(node: XmlElement['children'][number]): node is XmlElement {
  return node.type === 'element';
}

/** The text of the only child called `name`. @throws S3Error MalformedXML when it comes twice */
export function childText(node: XmlNode, name: string): string | undefined {
  const found = node.children.filter((child) => child.name === name);
  if (found.length > 1) throw new S3Error('MalformedXML');
  return found[0]?.text;
}

/** @throws S3Error MalformedXML when `node` has a child that is not in `names`: nothing is ignored in silence */
export function requireOnly(node: XmlNode, names: readonly string[]): void {
  if (node.children.some((child) => !names.includes(child.name))) throw new S3Error('MalformedXML');
}
