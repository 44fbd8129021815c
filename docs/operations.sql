-- What docs/operations.md asks of the database: for psql, as the owner of the schema. \set account '…' gives a variable its value. A test runs every one
-- of them (Ariya.Tests/Upkeep/OperationsStatementTests.cs). Those that change something say so; take them one at a time.

-- S1: what waits to be sent, and for whom.
select kind, state, split_part(recipient, '@', 2) as domain, count(*), min(due_at) as oldest
from outbox_messages where state in ('pending', 'retry', 'leased')
group by 1, 2, 3 order by 4 desc limit 20;

-- S2: what did not arrive in a day, by reason.
select reason, kind, split_part(recipient, '@', 2) as domain, count(*), max(settled_at) as last, min(id::text) as example
from outbox_messages where state in ('dead', 'expired') and settled_at > now() - interval '1 day'
group by 1, 2, 3 order by 4 desc limit 50;

-- S3: every try of one mail.
select attempt, stage, reply, duration_ms, at from outbox_attempts where message_id = :'mail' order by at;

-- S4 (changes): sends a dead or late mail again, as a new one with a new link. Look first whether a later one of its kind waits.
insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, salt)
select uuidv7(), uuidv7(), kind, payload || jsonb_build_object('requeueOf', id), recipient,
       clock_timestamp() + (deliver_before - created_at), uuid_send(gen_random_uuid())
from outbox_messages where id = :'mail' and state in ('dead', 'expired') and recipient is not null
returning id;

-- S5 (changes): takes back a mail that waits. One that a worker has in its hands is left alone.
update outbox_messages set state = 'dropped', settled_at = clock_timestamp(), reason = 'cancelled by an operator'
where id = :'mail' and state in ('pending', 'retry', 'held')
returning id;

-- S6: who has connections, and who waits for whom.
select application_name, usename, state, wait_event_type, count(*), max(now() - xact_start) as oldest,
       array_agg(distinct pg_blocking_pids(pid)::text) as waits_for
from pg_stat_activity where datname = current_database()
group by 1, 2, 3, 4 order by 5 desc;

-- S7: wrong passwords of an hour by network. Many addresses from one network or program are somebody who tries.
select network, count(*) as tries, count(distinct address_key) as addresses, count(distinct user_agent) as programs
from audit_events where kind = 'session.sign_in_failed' and at > now() - interval '1 hour'
group by 1 order by 3 desc limit 20;

-- S8: who signed in from a network in a day, such as \set network '192.0.2.0/24'.
select account_id, at, user_agent from audit_events
where kind = 'session.signed_in' and at > now() - interval '1 day' and network = :'network'
order by at;

-- S9: exchanged refresh tokens that came back, by program and network.
select user_agent, network, count(*), count(distinct account_id) as accounts
from audit_events where kind = 'session.refresh_reused' and at > now() - interval '1 day'
group by 1, 2 order by 3 desc limit 20;

-- S10: audit events that should be sealed by now and are not.
select count(*) as unsealed from audit_events
where at < now() - interval '5 minutes' and at > (select coalesce(max(last_at), '-infinity') from audit_seals);

-- S11: the last clean-up.
select clock_timestamp() - finished_at as age, done_until, lease_until, removed from scheduled_runs where name = 'cleanup';

-- S12: the newest signing key.
select kid, signs_from, clock_timestamp() - signs_from as age
from signing_keys where retired_at is null order by signs_from desc limit 1;

-- S13: the largest tables.
select relname, pg_size_pretty(pg_total_relation_size(oid)) as size, reltuples::bigint as about_rows
from pg_class where relkind = 'r' and relnamespace = current_schema()::regnamespace
order by pg_total_relation_size(oid) desc limit 10;

-- S14 (changes): a second role for the API with the same rights; then \password ariya_api_2. The worker's likewise.
create role ariya_api_2 login in role ariya_api;

-- S15 (changes): signs everybody out. Access tokens are refused within 2 s, by services that check signatures alone within 10 min.
update sessions set revoked_at = clock_timestamp(), revoked_reason = 'ended_by_operator' where revoked_at is null;

-- S16 (changes): ends every mailed link and code, those that undo a change of address too.
begin;
update email_changes set expires_at = clock_timestamp() where expires_at > clock_timestamp();
update one_time_tokens
set consumed_at = case when purpose = 'reset_password' then clock_timestamp() end, code_expires_at = null,
    expires_at = least(expires_at, clock_timestamp())
where consumed_at is null;
commit;

-- S17 (changes): gives an account the address back that it had before a change. Which one:
-- select id, old_email, new_email, confirmed_at, undone_at from email_changes where account_id = :'account' order by confirmed_at;
-- They are kept for 14 days after they were confirmed, by default. It fails when another account has the address by now.
begin;
select 1 from accounts where id = :'account' for no key update;
update accounts a
set email = c.old_email, email_canonical = c.old_email_canonical, auth_epoch = a.auth_epoch + 1, version = a.version + 1, updated_at = clock_timestamp()
from email_changes c
where c.id = :'change' and c.account_id = :'account' and c.confirmed_at is not null and a.id = c.account_id and a.status in ('active', 'disabled');
update sessions set revoked_at = clock_timestamp(), revoked_reason = 'email_change_undone' where account_id = :'account' and revoked_at is null;
update one_time_tokens set consumed_at = clock_timestamp()
where consumed_at is null and (subject_id = :'account' or subject_id in (select id from email_changes where account_id = :'account'));
update email_changes set undone_at = clock_timestamp(), expires_at = clock_timestamp() where account_id = :'account' and undone_at is null;
insert into audit_events (id, kind, account_id, detail) values (gen_random_uuid(), 'account.email_change_undone', :'account', 'by an operator');
commit;

-- S18 (changes): brings a deleted account back, signed out and with a password that nobody knows: its owner resets it. Look first whether its address was
-- changed before it was deleted (S17 shows it), and give that back before anybody asks for a reset.
-- It fails when another account has the address by now.
begin;
update accounts
set status = 'active', deleted_at = null, email_canonical = split_part(email_canonical, ':', 3), auth_epoch = auth_epoch + 1, updated_at = clock_timestamp(),
    password_hash = '$pbkdf2-sha512$i=220000$' || rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '=')
      || '$' || rtrim(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'), '=')
where id = :'account' and status = 'deleted';
insert into audit_events (id, kind, account_id, detail) values (gen_random_uuid(), 'admin.account_enabled', :'account', 'brought back by an operator');
commit;

-- S19: everything that is kept under an account, for the person who asks. Without what only signs or opens.
select jsonb_pretty(jsonb_build_object(
  'account', (select to_jsonb(a) - 'password_hash' - 'auth_epoch' from accounts a where a.id = :'account'),
  'vendor', (select to_jsonb(v) from vendors v where v.account_id = :'account'),
  'picture', (select jsonb_build_object('type', p.content_type, 'base64', encode(p.picture, 'base64')) from avatars p where p.account_id = :'account'),
  'sessions', (select jsonb_agg(to_jsonb(s) - 'nonce' - 'rotation_key' order by s.created_at) from sessions s where s.account_id = :'account'),
  'addresses', (select jsonb_agg(to_jsonb(c) order by c.created_at) from email_changes c where c.account_id = :'account'),
  'mails', (select jsonb_agg(jsonb_build_object('kind', m.kind, 'to', m.recipient, 'state', m.state, 'at', m.created_at) order by m.created_at)
            from outbox_messages m
            where m.payload ->> 'accountId' = :'account' or m.recipient = (select a.email_canonical from accounts a where a.id = :'account')),
  'events', (select jsonb_agg(jsonb_build_object('at', e.at, 'kind', e.kind, 'network', e.network, 'program', e.user_agent) order by e.at)
             from audit_events e where e.account_id = :'account')));

-- S20 (changes): deletes an account whose owner cannot do it any more, as they would.
begin;
select 1 from accounts where id = :'account' for no key update;
update outbox_messages set state = 'dropped', settled_at = clock_timestamp(), reason = 'the account was deleted'
where recipient = (select email_canonical from accounts where id = :'account') and state in ('pending', 'retry', 'held');
update accounts
set status = 'deleted', deleted_at = clock_timestamp(), email_canonical = 'deleted:' || id || ':' || email_canonical, password_hash = '',
    auth_epoch = auth_epoch + 1, updated_at = clock_timestamp()
where id = :'account' and status <> 'deleted';
update sessions set revoked_at = clock_timestamp(), revoked_reason = 'account_deleted' where account_id = :'account' and revoked_at is null;
update one_time_tokens set consumed_at = clock_timestamp()
where consumed_at is null and (subject_id = :'account' or subject_id in (select id from email_changes where account_id = :'account'));
update email_changes set expires_at = clock_timestamp() where account_id = :'account' and expires_at > clock_timestamp();
insert into audit_events (id, kind, account_id, detail) values (gen_random_uuid(), 'account.deleted', :'account', 'by an operator');
commit;
