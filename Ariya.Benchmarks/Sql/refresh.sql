\set n random(:first, :last)
begin;
select generation, nonce, rotated_at, rotation_key, rotation_network, rotation_user_agent, foreign_repeat_generation, idle_expires_at, expires_at, auth_epoch
  from sessions where id = md5('s' || :n::text)::uuid and revoked_at is null and idle_expires_at > clock_timestamp() and expires_at > clock_timestamp() for update;
select a.id, a.email, a.first_name, a.last_name, a.roles, a.locale, a.auth_epoch, a.status, v.business_name, v.category
  from accounts a left join vendors v on v.account_id = a.id where a.id = md5('a' || :n::text)::uuid and a.status = 'active';
update sessions set generation = generation + 1, rotated_at = clock_timestamp(), last_used_at = clock_timestamp(), rotation_network = '127.0.0.0/24',
    rotation_user_agent = 'pgbench', idle_expires_at = clock_timestamp() + interval '14 days', verdict = 'rotate'
  where id = md5('s' || :n::text)::uuid;
commit;
