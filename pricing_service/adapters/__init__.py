"""How prices are kept: PostgreSQL. SQLAlchemy describes the tables, psycopg runs the statements."""
