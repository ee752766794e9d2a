-- At the first start of PostgreSQL: one role owns the schema and migrates it, the other one, the
-- app's, may only read and write rows. The passwords are read from files and are in no command line.
\set owner_password `cat /run/secrets/owner_password`
\set app_password `cat /run/secrets/app_password`
CREATE ROLE owner LOGIN PASSWORD :'owner_password';
CREATE ROLE app LOGIN CONNECTION LIMIT 80 PASSWORD :'app_password';
REVOKE ALL ON DATABASE shop FROM PUBLIC;
GRANT CONNECT ON DATABASE shop TO owner, app;
ALTER SCHEMA public OWNER TO owner;
GRANT USAGE ON SCHEMA public TO app;
ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app;
ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO app;
