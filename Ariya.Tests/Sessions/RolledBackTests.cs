using Ariya.Api.Sessions;
using Ariya.Data.Keys;
using Ariya.Tests.Distributed;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Sessions;

/// <summary>A database that was set back is no theft: the session ends, the operator hears of it, the owner gets no mail.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class RolledBackTests(RunningAriya ariya)
{
    [Fact]
    public async Task AGenerationAboveTheRowsEndsTheSessionAndIsNoTheft()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var newest = await person.RefreshedAsync(await person.RefreshedAsync(first));
        var session = new SessionRow(ariya, first);
        await session.SetAsync("generation = 0");

        await person.AssertEndedAsync(newest);
        await person.AssertEndedAsync(first);
        Assert.Equal("rolled_back", await session.GetAsync<string>("revoked_reason"));
        Assert.Equal(1, await session.AuditedAsync("session.rolled_back"));
        Assert.Equal(0, await session.TheftMailsAsync());
        await AlarmAsync(session.Id);
    }

    [Fact]
    public async Task ASessionThatWeSignedAndTheDatabaseHasNeverHeardOfIsAnAlarmUnlessItIsOld()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        var session = new SessionRow(ariya, tokens);
        await ariya.SqlAsync("delete from sessions where id = $1", session.Id);
        var cleanedUp = await OldTokenAsync(TimeSpan.FromDays(31));

        await person.AssertEndedAsync(cleanedUp);
        await person.AssertEndedAsync(tokens);
        var lines = await AlarmAsync(session.Id);
        Assert.DoesNotContain(lines, line => line.Contains(new SessionRow(ariya, cleanedUp).Id.ToString(), StringComparison.Ordinal));
    }

    // Signed with the deployment's secret, for a session whose row has been cleaned up since.
    private async Task<Tokens> OldTokenAsync(TimeSpan age)
    {
        var parameter = ariya.App.Services.GetRequiredService<DistributedApplicationModel>().Resources
            .OfType<ParameterResource>().Single(resource => resource.Name == "jwt-refresh-secret");
        var secrets = new SecretKeys([(await parameter.GetValueAsync(CancellationToken.None))!]);
        var id = Guid.CreateVersion7(TimeProvider.System.GetUtcNow() - age);
        return new Tokens("", new RefreshTokens(secrets).Create(id, 3, new byte[RefreshTokens.NonceLength]), []);
    }

    /// <summary>What the API has written up to the alarm about a session.</summary>
    private async Task<List<string>> AlarmAsync(Guid sessionId)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var seen = new List<string>();
        var api = ariya.App.Services.GetRequiredService<DistributedApplicationModel>().Resources
            .Single(resource => resource.Name == "api");
        var console = ariya.App.Services.GetRequiredService<ResourceLoggerService>().WatchAsync(api);
        await foreach (var lines in console.WithCancellation(timeout.Token))
        {
            seen.AddRange(lines.Select(line => line.Content));
            if (seen.Any(line => line.Contains($"Session {sessionId} was refreshed further", StringComparison.Ordinal)))
            {
                return seen;
            }
        }

        throw new InvalidOperationException("The console of the API ended.");
    }
}
