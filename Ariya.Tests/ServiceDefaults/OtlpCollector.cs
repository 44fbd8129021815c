using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ariya.Tests.ServiceDefaults;

/// <summary>An OTLP/HTTP collector that keeps what it gets. Strings stand in protobuf as they are, so they can be searched for.</summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private readonly ConcurrentQueue<(string Signal, string Body)> _received = new();
    private WebHost? _host;

    public string Endpoint => _host!.Client.BaseAddress!.ToString();

    public static async Task<OtlpCollector> StartAsync()
    {
        var collector = new OtlpCollector();
        collector._host = await WebHost.StartAsync(_ => { }, app => app.MapPost("/v1/{signal}", collector.ReceiveAsync));
        return collector;
    }

    /// <summary>Waits until all of it has come: the last export may still be under way when the host has stopped.</summary>
    public async Task ReceivesAsync(string signal, params string[] texts)
    {
        var started = Stopwatch.GetTimestamp();
        while (texts.Any(text => !Received(signal).Contains(text, StringComparison.Ordinal)))
        {
            var isLate = Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(15);
            Assert.False(isLate, $"{signal} lacks one of {string.Join(", ", texts)}");
            await Task.Delay(20);
        }
    }

    public string Received(string signal) => string.Concat(_received.Where(part => part.Signal == signal).Select(part => part.Body));

    public ValueTask DisposeAsync() => _host!.DisposeAsync();

    private async Task ReceiveAsync(string signal, HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.Latin1);
        _received.Enqueue((signal, await reader.ReadToEndAsync()));
    }
}
