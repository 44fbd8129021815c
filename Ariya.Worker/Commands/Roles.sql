-- The rights of API and worker where they do not sign in as the owner of the schema: `migrate --grant` runs it after the migrations, as often as one
-- likes. It makes the roles ariya_api and ariya_worker if they are not there, which takes the right to make roles. They cannot sign in until they
-- have passwords. Nobody but the owner changes an audit event; the worker removes those past their retention, and the seals show everything else.
do $$
declare role text; name text; begin
  foreach role in array array['ariya_api', 'ariya_worker'] loop
    if not exists (select from pg_roles where rolname = role) then
      execute format('create role %I login', role);
    end if;
    execute format('grant connect on database %I to %I', current_database(), role);
    execute format('grant usage on schema %I to %I', current_schema(), role);
    execute format('revoke all on all tables in schema %I from %I', current_schema(), role);
    execute format('grant select on all tables in schema %I to %I', current_schema(), role);
  end loop;

  -- What is not named here is written by both.
  for name in select tablename from pg_tables where schemaname = current_schema() loop
    if name in ('outbox_attempts', 'scheduled_runs', 'signing_keys', 'worker_heartbeats', 'audit_seals') then
      execute format('grant insert, update, delete on %I to ariya_worker', name);
    elsif name not in ('__EFMigrationsHistory', 'deployment_settings', 'audit_events') then
      execute format('grant insert, update, delete on %I to ariya_api, ariya_worker', name);
    end if;
  end loop;
  grant insert on audit_events to ariya_api;
  grant insert, delete on audit_events to ariya_worker;
end $$;
