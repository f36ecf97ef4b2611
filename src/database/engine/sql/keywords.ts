/**
 * Words with a meaning of their own, by where PostgreSQL allows them as names (manual, Appendix C).
 */

/** Never a bare name of a column, table or function. */
export const RESERVED: ReadonlySet<string> = new Set(
  `all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
  current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc
  distinct do else end except false fetch for foreign from grant group having in initially intersect into
  lateral leading limit localtime localtimestamp not null offset on only or order placing primary references
  returning select session_user some symmetric system_user table then to trailing true union unique user using
  variadic when where window with`.split(/\s+/),
);

/** Names of functions and types only; not of columns and tables without quotes. */
export const TYPE_OR_FUNCTION: ReadonlySet<string> = new Set(
  `authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join left
  like natural notnull outer overlaps right similar tablesample verbose`.split(/\s+/),
);

/** Words that may not be a column's label without AS. */
export const NOT_BARE_LABEL: ReadonlySet<string> = new Set(
  `array as char character create day except fetch filter for from grant group having hour intersect into
  isnull limit minute month notnull offset on order over overlaps precision returning second to union varying
  where window with within without year`.split(/\s+/),
);
