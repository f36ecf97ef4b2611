/**
 * What the parser makes of SQL text: untyped, names unresolved. Every node knows where it stands (`at`,
 * an offset in UTF-16 units from 0), so that each later refusal can point at its cause.
 */

export interface Name {
  readonly schema?: string;
  readonly name: string;
  readonly at: number;
}

export interface TypeName {
  readonly schema?: string;
  readonly name: string;
  readonly modifiers: readonly number[];
  readonly array: boolean;
  readonly at: number;
}

export type Expression =
  | { readonly kind: 'string'; readonly value: string; readonly at: number }
  | { readonly kind: 'number'; readonly value: string; readonly integer: boolean; readonly at: number }
  | { readonly kind: 'boolean'; readonly value: boolean; readonly at: number }
  | { readonly kind: 'null'; readonly at: number }
  | { readonly kind: 'default'; readonly at: number }
  | { readonly kind: 'param'; readonly index: number; readonly at: number }
  | { readonly kind: 'column'; readonly path: readonly string[]; readonly at: number }
  | { readonly kind: 'star'; readonly path: readonly string[]; readonly at: number }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression; readonly at: number }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
      readonly at: number;
    }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Expression[]; readonly at: number }
  | { readonly kind: 'not'; readonly operand: Expression; readonly at: number }
  | {
      readonly kind: 'is';
      readonly test: 'null' | 'true' | 'false' | 'unknown';
      readonly negated: boolean;
      readonly operand: Expression;
      readonly at: number;
    }
  | {
      readonly kind: 'distinct-from';
      readonly negated: boolean;
      readonly left: Expression;
      readonly right: Expression;
      readonly at: number;
    }
  | {
      readonly kind: 'in-list';
      readonly negated: boolean;
      readonly operand: Expression;
      readonly list: readonly Expression[];
      readonly at: number;
    }
  | {
      readonly kind: 'in-query';
      readonly negated: boolean;
      readonly operand: Expression;
      readonly query: Query;
      readonly at: number;
    }
  | {
      readonly kind: 'quantified';
      readonly operator: string;
      readonly all: boolean;
      readonly left: Expression;
      /** An array, or a query. */
      readonly right: Expression | Query;
      readonly at: number;
    }
  | {
      readonly kind: 'between';
      readonly negated: boolean;
      readonly symmetric: boolean;
      readonly operand: Expression;
      readonly low: Expression;
      readonly high: Expression;
      readonly at: number;
    }
  | {
      readonly kind: 'like';
      readonly negated: boolean;
      readonly insensitive: boolean;
      readonly operand: Expression;
      readonly pattern: Expression;
      readonly escape?: Expression;
      readonly at: number;
    }
  | {
      readonly kind: 'case';
      readonly operand?: Expression;
      readonly branches: readonly { readonly when: Expression; readonly result: Expression }[];
      readonly otherwise?: Expression;
      readonly at: number;
    }
  | { readonly kind: 'cast'; readonly operand: Expression; readonly type: TypeName; readonly at: number }
  | { readonly kind: 'collate'; readonly operand: Expression; readonly collation: Name; readonly at: number }
  | FunctionCall
  | {
      /** COALESCE, NULLIF, GREATEST, LEAST: grammar, not functions. */
      readonly kind: 'special';
      readonly name: 'coalesce' | 'nullif' | 'greatest' | 'least';
      readonly args: readonly Expression[];
      readonly at: number;
    }
  | { readonly kind: 'exists'; readonly query: Query; readonly at: number }
  | { readonly kind: 'scalar-query'; readonly query: Query; readonly at: number }
  | { readonly kind: 'array-query'; readonly query: Query; readonly at: number }
  | { readonly kind: 'array'; readonly elements: readonly Expression[]; readonly at: number }
  | { readonly kind: 'row'; readonly fields: readonly Expression[]; readonly at: number }
  | {
      readonly kind: 'subscript';
      readonly operand: Expression;
      readonly index: Expression;
      readonly at: number;
    };

export interface FunctionCall {
  readonly kind: 'call';
  readonly name: Name;
  readonly args: readonly Expression[];
  /** count(*) */
  readonly star: boolean;
  readonly distinct: boolean;
  readonly orderBy: readonly SortItem[];
  readonly filter?: Expression;
  readonly at: number;
}

export interface SortItem {
  readonly expression: Expression;
  readonly descending: boolean;
  /** Undefined: PostgreSQL's default, last when ascending, first when descending. */
  readonly nulls?: 'first' | 'last';
}

export interface Target {
  readonly expression: Expression;
  readonly alias?: string;
}

export type FromItem =
  | { readonly kind: 'table'; readonly name: Name; readonly alias?: Alias; readonly at: number }
  | {
      readonly kind: 'subquery';
      readonly query: Query;
      readonly lateral: boolean;
      readonly alias: Alias;
      readonly at: number;
    }
  | {
      readonly kind: 'function';
      readonly call: FunctionCall;
      readonly ordinality: boolean;
      readonly alias?: Alias;
      readonly at: number;
    }
  | {
      readonly kind: 'join';
      readonly type: 'inner' | 'left' | 'right' | 'full' | 'cross';
      readonly left: FromItem;
      readonly right: FromItem;
      readonly natural: boolean;
      readonly using?: readonly string[];
      readonly on?: Expression;
      readonly at: number;
    };

export interface Alias {
  readonly name: string;
  readonly columns?: readonly string[];
}

export interface CommonTable {
  readonly name: string;
  readonly columns?: readonly string[];
  readonly query: Query;
  readonly at: number;
}

export interface LockingClause {
  readonly strength: 'update' | 'no key update' | 'share' | 'key share';
  readonly of: readonly Name[];
  readonly wait: 'wait' | 'nowait' | 'skip locked';
  readonly at: number;
}

/** One SELECT with its clauses, VALUES, or two queries joined by a set operation. */
export interface Query {
  readonly kind: 'query';
  readonly with: readonly CommonTable[];
  readonly body: QueryBody;
  readonly orderBy: readonly SortItem[];
  readonly limit?: Expression;
  readonly offset?: Expression;
  readonly locking: readonly LockingClause[];
  readonly at: number;
}

export type QueryBody =
  | SelectBody
  | { readonly kind: 'values'; readonly rows: readonly (readonly Expression[])[]; readonly at: number }
  | {
      readonly kind: 'set-operation';
      readonly operation: 'union' | 'intersect' | 'except';
      readonly all: boolean;
      readonly left: Query;
      readonly right: Query;
      readonly at: number;
    };

export interface SelectBody {
  readonly kind: 'select';
  /** True for DISTINCT; the expressions of DISTINCT ON. */
  readonly distinct: boolean | readonly Expression[];
  readonly targets: readonly Target[];
  readonly from: readonly FromItem[];
  readonly where?: Expression;
  readonly groupBy: readonly Expression[];
  readonly having?: Expression;
  readonly at: number;
}

export interface InsertStatement {
  readonly kind: 'insert';
  readonly table: Name;
  readonly alias?: string;
  readonly columns?: readonly { readonly name: string; readonly at: number }[];
  readonly overriding?: 'system' | 'user';
  /** Undefined for DEFAULT VALUES. */
  readonly source?: Query;
  readonly onConflict?: OnConflict;
  readonly returning: readonly Target[];
  readonly at: number;
}

export interface OnConflict {
  readonly target?:
    | { readonly kind: 'columns'; readonly columns: readonly string[]; readonly at: number }
    | { readonly kind: 'constraint'; readonly name: string; readonly at: number };
  /** Undefined for DO NOTHING. */
  readonly update?: { readonly set: readonly Assignment[]; readonly where?: Expression };
  readonly at: number;
}

export interface Assignment {
  readonly column: string;
  readonly value: Expression;
  readonly at: number;
}

export interface UpdateStatement {
  readonly kind: 'update';
  readonly table: Name;
  readonly alias?: string;
  readonly set: readonly Assignment[];
  readonly from: readonly FromItem[];
  readonly where?: Expression;
  readonly returning: readonly Target[];
  readonly at: number;
}

export interface DeleteStatement {
  readonly kind: 'delete';
  readonly table: Name;
  readonly alias?: string;
  readonly using: readonly FromItem[];
  readonly where?: Expression;
  readonly returning: readonly Target[];
  readonly at: number;
}

export interface ColumnDefinition {
  readonly name: string;
  readonly type: TypeName;
  readonly constraints: readonly ColumnConstraint[];
  readonly at: number;
}

export type ColumnConstraint =
  | { readonly kind: 'not-null' | 'null'; readonly name?: string; readonly at: number }
  | { readonly kind: 'primary-key' | 'unique'; readonly name?: string; readonly at: number }
  | { readonly kind: 'default'; readonly expression: Expression; readonly at: number }
  | { readonly kind: 'check'; readonly name?: string; readonly expression: Expression; readonly at: number }
  | {
      readonly kind: 'identity';
      readonly always: boolean;
      readonly options: SequenceOptions;
      readonly at: number;
    };

export type TableConstraint =
  | {
      readonly kind: 'primary-key' | 'unique';
      readonly name?: string;
      readonly columns: readonly { name: string; at: number }[];
      readonly at: number;
    }
  | { readonly kind: 'check'; readonly name?: string; readonly expression: Expression; readonly at: number };

export interface SequenceOptions {
  readonly increment?: bigint;
  readonly minimum?: bigint | null;
  readonly maximum?: bigint | null;
  readonly start?: bigint;
  readonly cycle?: boolean;
}

export interface CreateTableStatement {
  readonly kind: 'create-table';
  readonly table: Name;
  readonly ifNotExists: boolean;
  readonly columns: readonly ColumnDefinition[];
  readonly constraints: readonly TableConstraint[];
  readonly at: number;
}

export interface CreateIndexStatement {
  readonly kind: 'create-index';
  readonly name?: string;
  readonly ifNotExists: boolean;
  readonly unique: boolean;
  readonly table: Name;
  readonly columns: readonly {
    readonly name: string;
    readonly descending: boolean;
    readonly nulls?: 'first' | 'last';
    readonly at: number;
  }[];
  readonly at: number;
}

export type AlterTableAction =
  | {
      readonly kind: 'add-column';
      readonly column: ColumnDefinition;
      readonly ifNotExists: boolean;
      readonly at: number;
    }
  | { readonly kind: 'drop-column'; readonly column: string; readonly ifExists: boolean; readonly at: number }
  | { readonly kind: 'rename-column'; readonly column: string; readonly to: string; readonly at: number }
  | { readonly kind: 'rename'; readonly to: string; readonly at: number }
  | { readonly kind: 'add-constraint'; readonly constraint: TableConstraint; readonly at: number }
  | {
      readonly kind: 'drop-constraint';
      readonly name: string;
      readonly ifExists: boolean;
      readonly at: number;
    }
  | {
      readonly kind: 'set-default';
      readonly column: string;
      readonly expression?: Expression;
      readonly at: number;
    }
  | { readonly kind: 'set-not-null' | 'drop-not-null'; readonly column: string; readonly at: number };

export type Statement =
  | { readonly kind: 'select'; readonly query: Query; readonly at: number }
  | InsertStatement
  | UpdateStatement
  | DeleteStatement
  | CreateTableStatement
  | CreateIndexStatement
  | {
      readonly kind: 'create-sequence';
      readonly name: Name;
      readonly ifNotExists: boolean;
      readonly options: SequenceOptions;
      readonly at: number;
    }
  | {
      readonly kind: 'create-schema';
      readonly name: string;
      readonly ifNotExists: boolean;
      readonly at: number;
    }
  | {
      readonly kind: 'drop';
      readonly what: 'table' | 'index' | 'sequence' | 'schema';
      readonly names: readonly Name[];
      readonly ifExists: boolean;
      readonly cascade: boolean;
      readonly at: number;
    }
  | {
      readonly kind: 'alter-table';
      readonly table: Name;
      readonly ifExists: boolean;
      readonly actions: readonly AlterTableAction[];
      readonly at: number;
    }
  | {
      readonly kind: 'truncate';
      readonly tables: readonly Name[];
      readonly restartIdentity: boolean;
      readonly at: number;
    }
  | { readonly kind: 'begin'; readonly start: boolean; readonly modes: TransactionModes; readonly at: number }
  | { readonly kind: 'commit' | 'rollback'; readonly at: number }
  | { readonly kind: 'savepoint' | 'release' | 'rollback-to'; readonly name: string; readonly at: number }
  | {
      readonly kind: 'set-transaction';
      readonly session: boolean;
      readonly modes: TransactionModes;
      readonly at: number;
    }
  | {
      readonly kind: 'set';
      readonly local: boolean;
      readonly name: string;
      readonly values?: readonly string[];
      readonly at: number;
    }
  | { readonly kind: 'show'; readonly name: string; readonly at: number }
  | { readonly kind: 'explain'; readonly statement: Statement; readonly at: number }
  | {
      readonly kind: 'lock';
      readonly tables: readonly Name[];
      readonly mode: string;
      readonly nowait: boolean;
      readonly at: number;
    }
  | { readonly kind: 'discard'; readonly at: number }
  | { readonly kind: 'deallocate'; readonly name?: string; readonly at: number }
  | { readonly kind: 'empty'; readonly at: number };

export interface TransactionModes {
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readonly readOnly?: boolean;
  readonly deferrable?: boolean;
}
