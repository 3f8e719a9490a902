#!/bin/sh
# Makes the databases of both services, the role that owns their tables (sms_owner) and the role that the services run as (sms).
# The image of PostgreSQL runs it once, when the volume is empty. Passwords are in the files of SECRETS.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --quiet --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    --set=secrets="${SECRETS:-/run/secrets}" <<'SQL'
\set owner_password `cat :secrets/database_owner_password`
\set service_password `cat :secrets/database_service_password`
-- The passwords are in no log of the server.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
CREATE ROLE sms_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE sms LOGIN PASSWORD :'service_password';
CREATE DATABASE pricing OWNER sms_owner;
CREATE DATABASE messaging OWNER sms_owner;
REVOKE CONNECT, TEMPORARY ON DATABASE pricing, messaging FROM PUBLIC;
GRANT CONNECT ON DATABASE pricing, messaging TO sms;
SQL
