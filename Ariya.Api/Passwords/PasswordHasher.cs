using System.Diagnostics.Metrics;
using Ariya.Data;
using Ariya.Data.Passwords;
using Npgsql;

namespace Ariya.Api.Passwords;

/// <summary>
/// Makes and checks password hashes with the deployment's algorithm. Every method costs one or more hashes, so callers hold
/// a place in the <see cref="HashGate"/> first.
/// </summary>
internal sealed class PasswordHasher(IServiceScopeFactory scopes, IMeterFactory meters)
{
    private readonly Counter<long> _hashes = meters.Create(Telemetry.MeterName).CreateCounter<long>("ariya.passwords.hashes", "{hash}", "Password hashes computed.");
    private volatile Recorded? _recorded;

    public string Create(string password)
    {
        _hashes.Add(1);
        return PasswordHash.Create(Current.Algorithm, password);
    }

    public bool Verify(string stored, string password)
    {
        _hashes.Add(1);
        return PasswordHash.Verify(stored, password);
    }

    /// <summary>Whether a stored hash is weaker than a new one would be.</summary>
    public bool NeedsRehash(string stored) => PasswordHash.NeedsRehash(stored, Current.Algorithm);

    /// <summary>The cost of a check for an address without an account; never true.</summary>
    public bool VerifyNobody(string password) => Verify(Current.NobodysHash, password) && false;

    /// <summary>Reads the recorded algorithm once. Until that has worked no password is hashed or checked.</summary>
    /// <exception cref="PlatformNotSupportedException">This machine cannot compute the recorded algorithm.</exception>
    public async ValueTask EnsureReadyAsync(CancellationToken cancellationToken)
    {
        if (_recorded is not null)
        {
            return;
        }

        await using var scope = scopes.CreateAsyncScope();
        var algorithm = await scope.ServiceProvider.GetRequiredService<AriyaDatabase>().QueryFirstAsync(
            $"select value from deployment_settings where name = {DeploymentSetting.PasswordAlgorithm}", row => row.GetString(0), cancellationToken)
            ?? throw new InvalidOperationException("The database records no password algorithm. Run: Ariya.Worker migrate");
        _recorded = new Recorded(algorithm, PasswordHash.Create(algorithm, Guid.CreateVersion7().ToString()));
    }

    private Recorded Current => _recorded ?? throw new InvalidOperationException($"{nameof(EnsureReadyAsync)} has not run.");

    private sealed record Recorded(string Algorithm, string NobodysHash);
}

/// <summary>
/// Refuses to start where passwords cannot be checked: an instance without the library would call every right password wrong. A
/// database that is away or not migrated yet is no reason; the first request asks again.
/// </summary>
internal sealed class PasswordStartCheck(PasswordHasher hasher) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            // On a thread of its own: the first statement of a program takes a while, and the server starts meanwhile (Program.cs).
            await Task.Run(() => hasher.EnsureReadyAsync(cancellationToken).AsTask(), cancellationToken);
        }
        catch (Exception exception) when (exception is NpgsqlException or InvalidOperationException or TimeoutException)
        {
            // Told by /health and by the first request.
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
