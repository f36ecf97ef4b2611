/**
 * XML documents out. Elements are written in order into one string; text is escaped, names are ours.
 * A control character that XML 1.0 cannot carry goes out as a reference, as S3 sends it; a client that has
 * such keys asks for `encoding-type=url`.
 */

export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

export class XmlWriter {
  #text = '';

  /** One element with text; nothing at all when `value` is undefined. */
  text(name: string, value: string | number | boolean | undefined): this {
    if (value !== undefined) this.#text += `<${name}>${escapeXml(String(value))}</${name}>`;
    return this;
  }

  /** Text straight into the element that is open. */
  content(value: string): this {
    this.#text += escapeXml(value);
    return this;
  }

  /** One element with what `content` writes inside. */
  element(name: string, content: (writer: this) => void, attributes = ''): this {
    this.#text += `<${name}${attributes}>`;
    content(this);
    this.#text += `</${name}>`;
    return this;
  }

  toString(): string {
    return this.#text;
  }
}

/** A whole document in S3's namespace. */
export function s3Document(root: string, content: (writer: XmlWriter) => void): string {
  return DECLARATION + new XmlWriter().element(root, content, ` xmlns="${S3_NAMESPACE}"`).toString();
}

/** A whole document without a namespace, as errors are. */
export function plainDocument(root: string, content: (writer: XmlWriter) => void): string {
  return DECLARATION + new XmlWriter().element(root, content).toString();
}

/** Text for the inside of an element or of a quoted attribute. */
export function escapeXml(text: string): string {
  let out = '';
  let copied = 0;
  for (let index = 0; index < text.length; index++) {
    const reference = referenceOf(text.charCodeAt(index));
    if (reference === undefined) continue;
    out += text.slice(copied, index) + reference;
    copied = index + 1;
  }
  return copied === 0 ? text : out + text.slice(copied);
}

function referenceOf(code: number): string | undefined {
  switch (code) {
    case 0x26:
      return '&amp;';
    case 0x3c:
      return '&lt;';
    case 0x3e:
      return '&gt;';
    case 0x22:
      return '&quot;';
    case 0x09:
    case 0x0a:
      return undefined;
    default:
      return code < 0x20 || code === 0x7f ? `&#x${code.toString(16)};` : undefined;
  }
}
