"""SQL that fills a database with customers to read."""

from __future__ import annotations

# three days of customers from 2026-11-02, one per minute; every 100th has an invalid email
FILL = """
CREATE TABLE customers AS SELECT n AS id,
  CASE WHEN n % 100 = 7 THEN 'nobody' ELSE 'c' || n || '@example.com' END AS email,
  'Ada' AS first_name, 'Obi' AS last_name, '+2348100' || lpad(n::text, 6, '0') AS phone_no,
  timestamptz '2026-11-02 03:00Z' + n * interval '1 minute' AS updated_at
FROM generate_series(0, 4319) AS n;
CREATE INDEX ON customers (id)
"""
