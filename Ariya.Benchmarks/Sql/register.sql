\set n random(1, 9000000000000000)
begin;
select pg_advisory_xact_lock(hashtextextended(:n::text || '@example.com', 0));
insert into registrations (id, email, email_canonical, password_hash, first_name, last_name, fingerprint, network, user_agent, expires_at)
  values (uuidv7(), :n::text || '@example.com', :n::text || '@example.com',
    '$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'Grace', 'Hopper', sha256(:n::text::bytea), '127.0.0.0/24', 'pgbench', clock_timestamp() + interval '7 days');
insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, salt)
  values (uuidv7(), uuidv7(), 'mail.registration.v1', jsonb_build_object('registrationId', :n::text), :n::text || '@example.com', clock_timestamp() + interval '24 hours', '\x00000000000000000000000000000000');
insert into audit_events (id, kind, address_key, network, user_agent) values (uuidv7(), 'registration.requested', sha256(:n::text::bytea), '127.0.0.0/24', 'pgbench');
commit;
