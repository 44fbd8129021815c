using System.Diagnostics;
using System.Security.Cryptography;
using Ariya.Api.Accounts;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ariya.Api.Auth;

/// <summary>An exchange of a refresh token.</summary>
/// <param name="RefreshToken">The newest one of the session.</param>
public sealed record RefreshRequest(string? RefreshToken);

/// <summary>
/// One statement rotates; for every other token a second decides, under the row's lock: hand out the same successor again; end a session whose
/// old token came back; or notice that the database was set back. Two callers with one token never get two successors, because the
/// successor is derived and not made.
/// </summary>
internal sealed class Refresh(
    AriyaDatabase db, RefreshTokens refreshTokens, SessionTokens sessionTokens, IOptions<SessionLifetimeOptions> options, TimeProvider clock,
    SessionMetrics metrics, SecurityEvents security)
{
    // Long enough for the answer to reach a second tab; a phone that lost the answer repeats with its Idempotency-Key instead.
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_keyedGrace = TimeSpan.FromHours(24);

    public static Task<IResult> HandleAsync(
        RefreshRequest request, HttpRequest http, ClientInfo client, Admission admission, Refresh refresh, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        errors.Required("refreshToken", request.RefreshToken);
        if (!RequestKeys.TryRead(http, out var idempotencyKey))
        {
            errors.Add(RequestKeys.Header, RequestKeys.Rule);
        }

        return errors.Any
            ? Task.FromResult<IResult>(Problem.Validation(errors))
            : admission.RunAsync(
                request.RefreshToken!, request, () => refresh.ExchangeAsync(request.RefreshToken!, idempotencyKey, client, cancellationToken), cancellationToken);
    }

    private async Task<IResult> ExchangeAsync(string refreshToken, string idempotencyKey, ClientInfo client, CancellationToken cancellationToken)
    {
        if (refreshTokens.Read(refreshToken) is not { } presented)
        {
            return Problem.SessionEnded();
        }

        var rotationKeys = idempotencyKey.Length == 0 ? [] : refreshTokens.RotationKeys(idempotencyKey);
        var judged = await RotateOrJudgeAsync();
        if (judged is null && await IsLiveAsync(presented, cancellationToken))
        {
            // It waited behind a change of the password, which moved session and account on together, and saw the new one of these with
            // the old other.
            judged = await RotateOrJudgeAsync();
        }

        if (judged is null)
        {
            return Problem.SessionEnded();
        }

        metrics.Refreshed(judged.Verdict);
        if (judged.Verdict is "rotate" or "again")
        {
            return TypedResults.Ok(await sessionTokens.CreateAsync(judged.Session, judged.Account, cancellationToken));
        }

        if (judged.Verdict == "rolled_back")
        {
            security.RolledBack(presented.SessionId);
        }
        else if (judged.Verdict == "reuse")
        {
            security.OldRefreshTokenUsed(judged.Account.Id, presented.SessionId, client.Network);
        }

        return Problem.SessionEnded();

        async Task<Judged?> RotateOrJudgeAsync() => await RotateAsync(presented, rotationKeys, client, cancellationToken)
            ?? await JudgeAsync(presented, rotationKeys, client, cancellationToken);
    }

    // Nearly all exchanges: the newest token of a live session, at two thirds of what the statement below costs the database.
    private Task<Judged?> RotateAsync(PresentedRefreshToken presented, byte[][] rotationKeys, ClientInfo client, CancellationToken cancellationToken)
    {
        return db.QueryFirstAsync(
            $"""
             update sessions s
             set verdict = 'rotate', generation = s.generation + 1, rotated_at = clock_timestamp(), rotation_key = ({rotationKeys}::bytea[])[1],
                 rotation_network = {client.Network}, rotation_user_agent = {client.UserAgent}, last_used_at = clock_timestamp(),
                 idle_expires_at = clock_timestamp() + {options.Value.IdleLifetime}
             from accounts a left join vendors b on b.account_id = a.id
             where s.id = {presented.SessionId} and s.nonce = {presented.Nonce} and s.generation = {presented.Generation} and s.revoked_at is null
               and s.idle_expires_at > clock_timestamp() and s.expires_at > clock_timestamp()
               and a.id = s.account_id and a.status = 'active' and a.auth_epoch = s.auth_epoch
             returning s.verdict, s.generation, s.idle_expires_at, s.expires_at, a.id, a.email, a.first_name, a.last_name, a.roles, a.locale,
                       b.business_name, b.category, clock_timestamp() as now
             """,
            row => Read(row, presented), cancellationToken);
    }

    // Any token of a live session but its newest. How old it is stands in the CASE, which is evaluated anew on the locked row.
    // A repeat from another network and another browser is a thief's, and so is one from another network twice running; with
    // the Idempotency-Key of the exchange it is the owner's, wherever the phone has moved to.
    private Task<Judged?> JudgeAsync(PresentedRefreshToken presented, byte[][] rotationKeys, ClientInfo client, CancellationToken cancellationToken)
    {
        return db.QueryFirstAsync(
            $"""
             with asked as (
               select {presented.Generation}::bigint as generation, {rotationKeys}::bytea[] as rotation_keys, {client.Network}::text as network,
                      {client.UserAgent}::text as user_agent),
             judged as (
               update sessions s
               set (verdict, last_used_at, foreign_repeat_generation, revoked_at, revoked_reason) =
                 (select v.verdict,
                         case when v.verdict = 'again' then clock_timestamp() else s.last_used_at end,
                         case when v.verdict = 'again' and q.network <> s.rotation_network then s.generation else s.foreign_repeat_generation end,
                         case when v.verdict in ('reuse', 'rolled_back') then clock_timestamp() end,
                         case when v.verdict in ('reuse', 'rolled_back') then v.verdict end
                  from (select case
                          when q.generation > s.generation then 'rolled_back'
                          when q.generation = s.generation - 1 and s.rotation_key = any(q.rotation_keys)
                            and s.rotated_at > clock_timestamp() - {s_keyedGrace} then 'again'
                          when q.generation = s.generation - 1 and s.rotated_at > clock_timestamp() - {s_grace}
                            and (q.network = s.rotation_network
                              or (q.user_agent = s.rotation_user_agent and s.foreign_repeat_generation is distinct from s.generation - 1))
                            then 'again'
                          else 'reuse' end as verdict) v)
               from asked q, accounts a left join vendors b on b.account_id = a.id
               where s.id = {presented.SessionId} and s.nonce = {presented.Nonce} and s.generation <> q.generation and s.revoked_at is null
                 and s.idle_expires_at > clock_timestamp() and s.expires_at > clock_timestamp()
                 and a.id = s.account_id and a.status = 'active' and a.auth_epoch = s.auth_epoch
               returning s.id as session_id, s.verdict, s.generation, s.idle_expires_at, s.expires_at, a.id, a.email, a.email_canonical,
                         a.first_name, a.last_name, a.roles, a.locale, b.business_name, b.category),
             audited as (
               insert into audit_events (id, kind, account_id, session_id, network, user_agent)
               select {Guid.CreateVersion7()}, case j.verdict when 'again' then {AuditKinds.RefreshRepeated}
                        when 'reuse' then {AuditKinds.RefreshReused} else {AuditKinds.RolledBack} end,
                      j.id, j.session_id, {client.Network}, {client.UserAgent}
               from judged j),
             mailed as (
               insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
               select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.OldSignInUsed},
                      jsonb_build_object('accountId', j.id, 'sessionId', j.session_id), j.email_canonical,
                      clock_timestamp() + interval '72 hours', {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
               from judged j where j.verdict = 'reuse')
             select j.*, clock_timestamp() as now from judged j
             """,
            row => Read(row, presented), cancellationToken);
    }

    private static Judged Read(NpgsqlDataReader row, PresentedRefreshToken presented) => new(row.Get<string>("verdict"), AccountBody.Read(row), new LiveSession(
        presented.SessionId, row.Get<long>("generation"), presented.Nonce, row.Get<DateTimeOffset>("now"),
        row.Get<DateTimeOffset>("idle_expires_at"), row.Get<DateTimeOffset>("expires_at")));

    // Off the ordinary way, so a second statement may look: whether the session is alive after all; and if it is not there, though it
    // cannot have been cleaned up yet, the database is older than a token that we signed.
    private async Task<bool> IsLiveAsync(PresentedRefreshToken presented, CancellationToken cancellationToken)
    {
        var found = await db.QueryAsync(
            $"""
             select s.revoked_at is null and s.nonce = {presented.Nonce} and s.idle_expires_at > clock_timestamp() and s.expires_at > clock_timestamp()
                    and a.status = 'active' and a.auth_epoch = s.auth_epoch
             from sessions s join accounts a on a.id = s.account_id where s.id = {presented.SessionId}
             """,
            row => row.GetBoolean(0), cancellationToken);
        if (found.Count == 0 && SessionBeganAt(presented.SessionId) is { } began && clock.GetUtcNow() - began < options.Value.AbsoluteLifetime)
        {
            metrics.Refreshed("rolled_back");
            security.RolledBack(presented.SessionId);
        }

        return found is [true];
    }

    // The first 48 bits of a version 7 UUID are milliseconds since 1970.
    private static DateTimeOffset? SessionBeganAt(Guid sessionId) => sessionId.Version == 7
        ? DateTimeOffset.FromUnixTimeMilliseconds(Convert.ToInt64(sessionId.ToString("N")[..12], 16))
        : null;

    private sealed record Judged(string Verdict, AccountBody Account, LiveSession Session);
}
