/** What a service says about a route, for limits, metrics and its description. */
export interface RouteOptions {
  /** For metrics and descriptions; patterns change, names stay. */
  readonly name?: string;
  /** Longest content, bytes; more is 413. Default: the bound of the server and of whoever reads. */
  readonly bodyBytes?: number;
  /** Requests of routes with the same key are counted together by a rate limiter. */
  readonly rateLimitKey?: string;
  /** Anything else that the service wants to find again, such as its description for OpenAPI. */
  readonly about?: unknown;
}

/** One line of the route table. */
export interface RouteInfo extends RouteOptions {
  readonly method: string;
  readonly pattern: string;
  readonly parameters: readonly { readonly name: string; readonly type: string | undefined }[];
}
