/**
 * Sockets as an argument, with a real implementation (`system-network.ts`, over node:net, node:tls and
 * node:dgram) and a simulated one (`simulated-network.ts`) that joins a client and a server in memory.
 *
 * A connection pushes what it receives into a handler and is told what to write. Two rules keep memory
 * bounded: a handler that cannot keep up calls `pause`, and a connection whose peer does not read reports it
 * by `write` returning false and later `drain`; past `maxBufferedBytes` unread it is destroyed.
 */

export interface Endpoint {
  /** An IP address as text, or a name where the caller of `connect` gave one. */
  readonly address: string;
  readonly port: number;
}

/** PEM texts of a server's certificate chain and its private key. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** How a server speaks TLS, from version 1.2 on. A `TlsIdentity` alone is enough. */
export interface TlsServerOptions extends TlsIdentity {
  /** For clients that ask for another name (SNI): by `a.test` or `*.b.test`. Who asks for none of these gets the
   * certificate above. */
  readonly names?: Readonly<Record<string, TlsIdentity>>;
  /** Asks clients for a certificate of theirs. */
  readonly clients?: {
    /** PEM of the authorities that may have signed it; no others. */
    readonly ca: string;
    /** False lets in who has none; one that does not verify is refused in either case. */
    readonly required: boolean;
  };
}

/** What a peer has proved with a certificate that an authority named by us has signed. */
export interface PeerIdentity {
  /** The distinguished name, one attribute a line: `CN=alice`. */
  readonly subject: string;
  /** `DNS:alice.test, URI:spiffe://…`; undefined when the certificate has none. */
  readonly alternativeNames: string | undefined;
  /** SHA-256 of the certificate, `AB:CD:…`. */
  readonly fingerprint: string;
}

export interface TlsClientOptions {
  /** The name or IP address the certificate must carry; a name is also sent as SNI. */
  readonly serverName: string;
  /** PEM of additional authorities to trust. */
  readonly ca?: string;
  /** False accepts any certificate. Default true. */
  readonly verify?: boolean;
  readonly alpn?: readonly string[];
  /** Shown to a server that asks for a certificate. */
  readonly identity?: TlsIdentity;
  /** Default `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

export interface ConnectionHandler {
  /** Bytes arrived. The chunk is the handler's to keep; it is not reused. */
  data(chunk: Buffer): void;
  /**
   * In place of `data` where the network can lend what it received, for who has read most of it by its return: the first
   * `length` bytes of `shared` are others' then.
   */
  lent?(shared: Buffer, length: number): void;
  /** The peer will send no more; writing may still be possible. Default: the connection is ended too. */
  end?(): void;
  /** The write buffer is empty again after `write` returned false. */
  drain?(): void;
  /** The connection is gone; called exactly once, last. `cause` when it broke rather than closed. */
  close?(cause?: Error): void;
}

export interface Connection {
  /** Unique in this process. */
  readonly id: number;
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly secure: boolean;
  /** The protocol agreed on in the TLS handshake (ALPN); undefined when there was no agreement. */
  readonly alpn: string | undefined;
  /** Who the peer is, when it was asked by `TlsServerOptions.clients` and has shown it. */
  readonly peerIdentity: PeerIdentity | undefined;
  /** Bytes written but not yet taken by the operating system. */
  readonly bufferedBytes: number;
  readonly destroyed: boolean;
  /** Sets who receives. Nothing is delivered before; a later call replaces the handler. */
  attach(handler: ConnectionHandler): void;
  /**
   * Sends bytes; a string is sent as latin1. Collect the replies of one read and call this once.
   * @returns false when the peer is behind: stop producing until `drain`
   */
  write(bytes: Uint8Array | string): boolean;
  pause(): void;
  resume(): void;
  /** Sends what is buffered, then closes our direction, then the connection when the peer closes its own
   * (destroyed after `closeTimeoutMs` if it does not). */
  end(bytes?: Uint8Array | string): void;
  /** Closes at once; what is buffered is lost. */
  destroy(cause?: Error): void;
  /** Continues as the TLS server, for STARTTLS and SSLRequest. Plain bytes received before are dropped; nothing
   * is delivered until `attach` or `resume` is called after the promise. @throws NetError `tls-failed` */
  startTlsServer(tls: TlsServerOptions): Promise<void>;
  /** Continues as the TLS client, in the same way. @throws NetError `tls-failed` */
  startTlsClient(options: TlsClientOptions): Promise<void>;
}

/** Bounds that the network enforces itself, whatever the protocol. Every service names its own in limits.ts. */
export interface ConnectionLimits {
  /** More are accepted and closed at once (after `refuse` has had its say). */
  readonly maxConnections: number;
  /** A connection that sent nothing for this long after it opened is destroyed. 0 = never. */
  readonly firstByteTimeoutMs: number;
  /** A connection on which nothing was received or sent for this long is destroyed. 0 = never. */
  readonly idleTimeoutMs: number;
  /** A connection with more than this unread by its peer is destroyed. */
  readonly maxBufferedBytes: number;
  /** How long an ended connection waits for its peer's close. */
  readonly closeTimeoutMs: number;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 lets the operating system choose. */
  readonly port: number;
  readonly limits: ConnectionLimits;
  /** TLS from the first byte. */
  readonly tls?: TlsServerOptions;
  /** Protocols to agree on, the preferred first. A client that offers others only is refused. RFC 7301. */
  readonly alpn?: readonly string[];
  /** The last words for a connection over `maxConnections`, in the protocol's terms. */
  readonly refuse?: () => Uint8Array | string;
}

export interface Listener {
  readonly endpoint: Endpoint;
  readonly connectionCount: number;
  /**
   * Takes other certificates for the connections accepted from now on; open ones live on with theirs.
   * @throws NetError `bad-identity`, and then goes on with the present ones
   */
  replaceTls(tls: TlsServerOptions): void;
  /** Accepts no more; open connections live on. */
  stop(): void;
  /** Stops, waits up to `timeoutMs` for connections to go, destroys the rest. */
  close(timeoutMs?: number): Promise<void>;
}

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly maxBufferedBytes?: number;
  readonly idleTimeoutMs?: number;
  readonly tls?: TlsClientOptions;
  readonly signal?: AbortSignal;
}

export interface UdpSocket {
  readonly endpoint: Endpoint;
  /** Sends one datagram. Errors of the network (unreachable, buffer full) are dropped, as UDP drops. */
  send(bytes: Uint8Array, to: Endpoint): void;
  close(): Promise<void>;
}

export interface UdpOptions {
  readonly host: string;
  readonly port: number;
  readonly receive: (bytes: Buffer, from: Endpoint) => void;
}

export interface Network {
  /** @throws NetError `address-in-use` (naming the process that has it where that can be told), `listen-failed`,
   * `bad-identity` */
  listen(options: ListenOptions, accept: (connection: Connection) => void): Promise<Listener>;
  /** @throws NetError `connect-failed`, `connect-timeout`, `tls-failed` */
  connect(options: ConnectOptions): Promise<Connection>;
  /** @throws NetError `address-in-use`, `listen-failed` */
  udp(options: UdpOptions): Promise<UdpSocket>;
}
