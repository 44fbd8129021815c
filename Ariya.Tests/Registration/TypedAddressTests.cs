using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Ariya.Data.Accounts;
using Ariya.Tests.Degraded;
using Ariya.Tests.Units;

namespace Ariya.Tests.Registration;

/// <summary>The tables of addresses as people type them into a registration: what is one gets a mail, what is none is named and leaves nothing.</summary>
[Collection(ServerRoomTests.Name)]
public sealed class TypedAddressTests(ServerRoom server) : IAsyncLifetime
{
    private const string Register = "/api/v1/auth/register";

    private readonly string[] _valid = [.. AddressTableTests.Valid];
    private readonly string[] _invalid = [.. AddressTableTests.Invalid];
    private Room _room = null!;

    public async Task InitializeAsync() => _room = await server.OpenAsync();

    public async Task DisposeAsync() => await _room.DisposeAsync();

    [Fact]
    [Trait("Promise", "P05")]
    public async Task EveryAddressOfTheTableIsRegisteredAsItIsAndNothingElseIs()
    {
        var api = StartApi();
        // A few at once: each costs a hash, and one network may not fill the queue.
        await Parallel.ForEachAsync(_valid, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (address, _) =>
        {
            using var answer = await RegisterAsync(api, address);
            Assert.True(answer.StatusCode == HttpStatusCode.Accepted, $"{address}: {answer.StatusCode}");
        });
        // Two that are one address are one registration, under the spelling that came first.
        var recipients = _valid.Select(Canonical).Distinct().ToList();
        Assert.Equal(recipients.Order(StringComparer.Ordinal), (await RecipientsAsync()).Order(StringComparer.Ordinal));

        foreach (var text in _invalid)
        {
            using var answer = await RegisterAsync(api, text);
            Assert.True(answer.StatusCode == HttpStatusCode.BadRequest, $"{text}: {answer.StatusCode}");
            Assert.Equal(["email"], (await answer.Content.ReadFromJsonAsync<JsonNode>())!["errors"]!.AsObject().Select(error => error.Key));
        }

        var typed = (await _room.ScalarAsync<string[]>("select array_agg(email) from registrations"))!;
        Assert.Equal((recipients.Count, recipients.Count), ((await RecipientsAsync()).Length, typed.Length));
        Assert.Subset(_valid.ToHashSet(), typed.ToHashSet());
    }

    [Theory]
    [Trait("Promise", "P05")]
    [InlineData(100_000, 1, HttpStatusCode.RequestEntityTooLarge)]
    [InlineData(60_000, 1, HttpStatusCode.BadRequest)]
    [InlineData(1, 10_000, HttpStatusCode.BadRequest)]
    [InlineData(65, 1, HttpStatusCode.BadRequest)]
    public async Task AHugeAddressIsRefusedWithinFiftyMilliseconds(int letters, int labels, HttpStatusCode expected)
    {
        var api = StartApi();
        var address = $"{new string('a', letters)}@{string.Concat(Enumerable.Repeat("a.", labels))}com";
        var fastest = TimeSpan.MaxValue;
        // What others do on this machine meanwhile is not its cost, nor is what is compiled at the first.
        for (var n = 0; n < 10; n++)
        {
            var started = Stopwatch.GetTimestamp();
            using var answer = await RegisterAsync(api, address);
            var took = Stopwatch.GetElapsedTime(started);
            Assert.Equal(expected, answer.StatusCode);
            fastest = took < fastest ? took : fastest;
        }

        Assert.InRange(fastest, TimeSpan.Zero, TimeSpan.FromMilliseconds(50));
        Assert.Equal(0, await _room.ScalarAsync<long>("select count(*) from registrations"));
    }

    private HttpClient StartApi() => _room.StartApi(server.Redis.ConnectionString, ("RateLimits:MailPermits", "0"), ("RateLimits:AddressPermits", "0")).CreateClient();

    private static Task<HttpResponseMessage> RegisterAsync(HttpClient api, string email) =>
        api.CallAsync(HttpMethod.Post, Register, new { email, password = "no word of any address here", firstName = "Grace", lastName = "Hopper" });

    private static string Canonical(string address) => EmailAddress.TryParse(address, out var email) ? email.Canonical : throw new FormatException(address);

    private async Task<string[]> RecipientsAsync() => (await _room.ScalarAsync<string[]>("select array_agg(recipient) from outbox_messages"))!;
}
