CREATE TABLE IF NOT EXISTS spells (
  id serial PRIMARY KEY,
  name text NOT NULL UNIQUE,
  power integer NOT NULL DEFAULT 1,
  incantation text,
  learned_at timestamptz NOT NULL DEFAULT now()
);
