using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Ariya.Tests.Distributed;

public sealed record CollectedSpan(string Service, string TraceId, string Name)
{
    /// <summary>With a span of Npgsql, which is one round trip: what was sent.</summary>
    public string? Sql { get; init; }
}

/// <summary>Takes spans over OTLP/HTTP, as a collector would, and keeps what a test asks for.</summary>
public sealed class SpanCollector : IAsyncDisposable
{
    private readonly ConcurrentQueue<CollectedSpan> _spans = [];
    private readonly WebApplication _app;

    public SpanCollector()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.MapPost("/v1/traces", async (HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            Read(body.ToArray());
            return Results.Bytes([], "application/x-protobuf");
        });
        _app.MapPost("/v1/{other}", (string other) => Results.Bytes([], "application/x-protobuf"));
    }

    public string Url => _app.Urls.Single();

    public IReadOnlyCollection<CollectedSpan> Spans => _spans;

    public Task StartAsync() => _app.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    // opentelemetry/proto/trace/v1: request.1 resource_spans { 1 resource { 1 attribute { 1 key 2 value { 1 string } } }
    // 2 scope_spans { 2 span { 1 trace_id 5 name 9 attribute } } }
    private void Read(byte[] request)
    {
        foreach (var resourceSpans in Fields(request, 1))
        {
            var service = Fields(resourceSpans, 1).SelectMany(resource => Fields(resource, 1))
                .Where(attribute => Text(Fields(attribute, 1).Single()) == "service.name")
                .Select(attribute => Text(Fields(Fields(attribute, 2).Single(), 1).Single()))
                .Single();
            foreach (var span in Fields(resourceSpans, 2).SelectMany(scope => Fields(scope, 2)))
            {
                _spans.Enqueue(new CollectedSpan(service, Convert.ToHexStringLower(Fields(span, 1).Single().Span), Text(Fields(span, 5).Single()))
                {
                    Sql = Fields(span, 9).Where(tag => Text(Fields(tag, 1).Single()) == "db.query.text")
                        .Select(tag => Text(Fields(Fields(tag, 2).Single(), 1).Single())).SingleOrDefault(),
                });
            }
        }
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    // Length-delimited fields of a message with one number; the others are skipped.
    private static List<ReadOnlyMemory<byte>> Fields(ReadOnlyMemory<byte> message, int number)
    {
        var found = new List<ReadOnlyMemory<byte>>();
        var at = 0;
        while (at < message.Length)
        {
            var tag = VarInt(message.Span, ref at);
            var length = (tag & 7) switch { 0 => 0, 1 => 8, 5 => 4, _ => (int)VarInt(message.Span, ref at) };
            if ((tag & 7) == 0)
            {
                VarInt(message.Span, ref at);
            }
            else if ((tag & 7) == 2 && tag >> 3 == (ulong)number)
            {
                found.Add(message.Slice(at, length));
            }

            at += length;
        }

        return found;
    }

    private static ulong VarInt(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 127) << shift;
            if (next < 128)
            {
                return value;
            }
        }
    }
}
