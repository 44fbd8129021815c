using System.Diagnostics.Metrics;
using Ariya.Tests.Degraded;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Limits;

/// <summary>What is hashed for whom, as the instance's own metric counts it.</summary>
[Collection(ServerRoomTests.Name)]
public sealed class HashWorkTests(ServerRoom server)
{
    [Fact]
    [Trait("Promise", "P22")]
    public async Task AKnownAndAnUnknownAddressCostTheSameHashesAndARefusedPasswordNone()
    {
        await using var room = await server.OpenAsync();
        var host = room.StartApi(server.Redis.ConnectionString);
        var api = host.CreateClient();
        await Conditions.UntilDatabaseAsync(api, "healthy");
        long hashes = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, all) =>
            {
                if (instrument.Name == "ariya.passwords.hashes" && instrument.Meter.Scope == host.Services.GetRequiredService<IMeterFactory>())
                {
                    all.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref hashes, value));
        listener.Start();
        async Task<long> HashesOfAsync(Func<Task<HttpResponseMessage>> request)
        {
            var before = Interlocked.Read(ref hashes);
            using var answer = await request();
            return Interlocked.Read(ref hashes) - before;
        }

        var known = await room.AddAccountAsync();
        Assert.Equal(1, await HashesOfAsync(() => api.LoginAsync(known, password: "not the sentence at all")));
        Assert.Equal(1, await HashesOfAsync(() => api.LoginAsync("nobody@example.com", password: "not the sentence at all")));
        Assert.Equal(1, await HashesOfAsync(() => api.LoginAsync(known)));
        Assert.Equal(0, await HashesOfAsync(() => api.LoginAsync(known, password: new string('a', 257))));
        Assert.Equal(0, await HashesOfAsync(() => api.CallAsync(HttpMethod.Post, "/api/v1/auth/register",
            new { email = "ada@example.com", password = new string('a', 257), firstName = "Ada", lastName = "L" })));
    }
}
