using Ariya.Api.Auth;
using Ariya.Api.Http;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;
using Ariya.Data;
using Ariya.Data.Accounts;

namespace Ariya.Api.Accounts;

/// <summary>What came of asking for the password again.</summary>
/// <param name="Refusal">The answer, when the password was not the right one or could not be judged.</param>
/// <param name="Hash">What it matched: whatever is done with the proof carries this in its WHERE, so that a change meanwhile undoes the proof.</param>
/// <param name="JudgingKey">The counter of wrong passwords that decides for this network, to be judged again under its lock.</param>
/// <param name="NewHash">Of the new password, when one is to be set.</param>
internal sealed record PasswordProof(IResult? Refusal, string Hash, byte[] JudgingKey, string? NewHash);

/// <summary>
/// Asks for the password again, before what an access token or a mailed link alone must not be enough for. A stolen token must not become
/// a way to guess the password either, so wrong ones count as they do at sign-in.
/// </summary>
internal sealed class CurrentPassword(AriyaDatabase db, PasswordHasher hasher, HashGate gate, AddressKeys addressKeys, SecurityEvents security)
{
    /// <param name="accountId">Whose password.</param>
    /// <param name="address">The account's address, under which wrong passwords count.</param>
    /// <param name="presented">What they say it is.</param>
    /// <param name="wanted">A new password to hash in the same place of the gate, or null.</param>
    /// <param name="client">Who asks.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<PasswordProof> ProveAsync(
        Guid accountId, string address, string presented, string? wanted, ClientInfo client, CancellationToken cancellationToken)
    {
        _ = EmailAddress.TryParse(address, out var email);
        await hasher.EnsureReadyAsync(cancellationToken);
        var addressKey = addressKeys.Of(email!);
        var networkKey = addressKeys.Of(email!, client.Network);
        var known = await LookUpAsync(accountId, client.Network, networkKey, addressKey, cancellationToken);
        if (known is null)
        {
            return Refuse(Problem.Unauthenticated());
        }

        if (known.DelaySeconds > 0)
        {
            return Refuse(Problem.SignInDelayed(known.DelaySeconds));
        }

        bool isRight;
        string? newHash = null;
        using (var place = await gate.EnterAsync(client.Network, cancellationToken))
        {
            if (place is null)
            {
                return Refuse(Problem.Busy());
            }

            // Both whatever comes of the first: whether it was right may not be read from the time either.
            isRight = hasher.Verify(known.PasswordHash, presented);
            newHash = wanted is null ? null : hasher.Create(wanted);
        }

        if (!isRight)
        {
            // A guess that was judged counts, however late it is: with the request's own token whoever times it well would guess uncounted.
            var failures = await SignInDelay.CountFailureAsync(
                db, known.IsKnownNetwork ? [networkKey, addressKey] : [addressKey], addressKey, accountId, client, CancellationToken.None);
            security.WrongPassword(accountId, failures, client.Network);
            return Refuse(Problem.InvalidCredentials());
        }

        return new PasswordProof(null, known.PasswordHash, known.IsKnownNetwork ? networkKey : addressKey, newHash);
    }

    private static PasswordProof Refuse(IResult refusal) => new(refusal, "", [], null);

    // A token may be used from anywhere: only a network from which the account signed in has a counter of its own.
    private Task<Known?> LookUpAsync(
        Guid accountId, string network, byte[] networkKey, byte[] addressKey, CancellationToken cancellationToken) => db.QueryFirstAsync(
        $"""
         select a.password_hash, k.is_known_network,
                case when f.failures >= {SignInDelay.DisableAtFailure} then {SignInDelay.DisabledRetryAfter}
                     when f.delayed_until > clock_timestamp() then ceil(extract(epoch from f.delayed_until - clock_timestamp()))::int
                     else 0 end as delay_seconds
         from accounts a
         cross join lateral (
           select exists (
             select 1 from sessions s where s.account_id = a.id and s.network = {network}
               and s.created_at > clock_timestamp() - interval '30 days') as is_known_network) k
         left join sign_in_failures f on f.key = case when k.is_known_network then {networkKey} else {addressKey} end
         where a.id = {accountId} and a.status = 'active'
         """,
        row => new Known(row.Get<string>("password_hash"), row.Get<bool>("is_known_network"), row.Get<int>("delay_seconds")), cancellationToken);

    private sealed record Known(string PasswordHash, bool IsKnownNetwork, int DelaySeconds);
}
