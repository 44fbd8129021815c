using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace Ariya.Tests.ServiceDefaults;

public sealed class HealthEndpointTests
{
    [Theory]
    [Trait("Promise", "P61")]
    [InlineData("/alive")]
    [InlineData("/health")]
    public async Task AProbeInProductionIsOneUncachedWord(string path)
    {
        await using var host = await StartAsync(_ => { });

        using var answer = await host.Client.GetAsync(path);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("Healthy", await answer.Content.ReadAsStringAsync());
        Assert.True(answer.Headers.CacheControl?.NoStore);
    }

    [Fact]
    [Trait("Promise", "P61")]
    public async Task AnAwayDatabaseMakesItUnreadyButNotDead()
    {
        var port = WebHost.ClosedPort();
        await using var host = await StartAsync(builder => AddDatabase(builder, port));

        using var ready = await host.Client.GetAsync("/health");
        using var alive = await host.Client.GetAsync("/alive");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Equal("Unhealthy", await ready.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
    }

    [Fact]
    [Trait("Promise", "P61")]
    public async Task NoProbeTakesASecondThoughTheDatabaseHangs()
    {
        using var server = WebHost.StartSilentServer();
        await using var host = await StartAsync(builder => AddDatabase(builder, WebHost.PortOf(server)));
        using var first = await host.Client.GetAsync("/alive");

        // The driver's own time-out is 15 s.
        foreach (var (path, status) in new[] { ("/health", HttpStatusCode.ServiceUnavailable), ("/alive", HttpStatusCode.OK) })
        {
            // A busy machine takes its part of any one of them.
            var fastest = TimeSpan.MaxValue;
            for (var probe = 0; probe < 3; probe++)
            {
                var started = Stopwatch.GetTimestamp();
                using var answer = await host.Client.GetAsync(path);
                var took = Stopwatch.GetElapsedTime(started);
                fastest = took < fastest ? took : fastest;
                Assert.Equal(status, answer.StatusCode);
            }

            Assert.InRange(fastest, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    [Trait("Promise", "P61")]
    public async Task AnAwayRedisLeavesItReadyAndDoesNotHoldUpTheStart()
    {
        using var server = WebHost.StartSilentServer();
        var started = Stopwatch.GetTimestamp();
        await using var host = await StartAsync(
            builder =>
            {
                builder.Configuration["ConnectionStrings:cache"] = $"127.0.0.1:{WebHost.PortOf(server)}";
                // As the API does: by itself the client tries three times for 5 s.
                builder.AddRedisClient("cache", configureOptions: options => options.ConnectTimeout = 1000);
            },
            app => Assert.False(app.Services.GetRequiredService<IConnectionMultiplexer>().IsConnected));
        var elapsed = Stopwatch.GetElapsedTime(started);

        using var ready = await host.Client.GetAsync("/health");

        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        Assert.InRange(elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(4.5));
    }

    private static void AddDatabase(WebApplicationBuilder builder, int port)
    {
        builder.Configuration["ConnectionStrings:ariyadb"] = $"Host=127.0.0.1;Port={port};Username=u;Password=p;Database=d";
        builder.AddNpgsqlDataSource("ariyadb");
    }

    private static Task<WebHost> StartAsync(Action<WebApplicationBuilder> configure, Action<WebApplication>? use = null)
    {
        return WebHost.StartAsync(
            builder => configure(builder.AddServiceDefaults()),
            app =>
            {
                app.MapDefaultEndpoints();
                use?.Invoke(app);
            });
    }
}
