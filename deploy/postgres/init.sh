#!/bin/sh
# Run once by the PostgreSQL image: for every role a database, an owner that migrates it, and a login that works with rows.
# The same as cli/databases.py does on one machine.
set -eu

psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --command 'CREATE ROLE homeward_service NOLOGIN'

for role in $ROLES; do
    upper=$(echo "$role" | tr '[:lower:]' '[:upper:]')
    eval "owner_password=\${${upper}_OWNER_PASSWORD:?}"
    eval "login_password=\${${upper}_DATABASE_PASSWORD:?}"
    psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
        --set=database="homeward_$role" --set=owner="homeward_${role}_owner" --set=login="homeward_$role" \
        --set=owner_password="$owner_password" --set=login_password="$login_password" <<'SQL'
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
CREATE ROLE :"login" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'login_password';
GRANT homeward_service TO :"login";
CREATE DATABASE :"database" OWNER :"owner";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"login";
\connect :"database"
SET ROLE :"owner";
GRANT USAGE ON SCHEMA public TO homeward_service;
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO homeward_service;
ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO homeward_service;
SQL
done
