using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ariya.Chaos;

/// <summary>One thing that somebody wants.</summary>
internal sealed record Wish(string Kind, string Subject, HttpMethod Method, string Path, object? Body)
{
    public required string Network { get; init; }
    public string? Access { get; init; }
    public string? Key { get; init; }

    /// <summary>What the history is to know of it.</summary>
    public string? Value { get; init; }

    /// <summary>What the history is to know of its success.</summary>
    public Func<Reply, string?> Learned { get; init; } = _ => null;
}

/// <summary>How it ended.</summary>
internal sealed record Reply(string Phase, int Status, string? Code, string Text, bool IsReplayed)
{
    public bool IsOk => Phase == Entry.Ok;

    /// <summary>There may be another answer if it is asked again.</summary>
    public bool IsOpen => Phase is Entry.Unknown or Entry.Violation || Status == 503 || Code == "idempotency_in_flight";

    public string? Member(string name) => (string?)JsonNode.Parse(Text)?[name];
}

/// <summary>Talks to the instances and writes down what came of it.</summary>
internal sealed class Caller : IDisposable
{
    public const string HungUp = "hung up";

    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(30);

    private readonly History _history;
    private readonly (string Name, HttpClient Client)[] _instances;

    public Caller(History history, params (string Name, Uri Address)[] instances)
    {
        _history = history;
        _instances = [.. instances.Select(instance => (instance.Name, Client(instance.Address)))];
    }

    /// <summary>Clients that hang up within 50 ms: what they asked for may be done or not, and nobody heard.</summary>
    public bool IsHasty { get; set; }

    public async Task<Reply> SendAsync(Wish wish, int turn)
    {
        var (name, client) = _instances[turn % _instances.Length];
        var entry = new Entry
        {
            Id = _history.NextId(),
            Phase = Entry.Invoke,
            Kind = wish.Kind,
            Subject = wish.Subject,
            Instance = name,
            Key = wish.Key,
            Value = wish.Value,
        };
        _history.Add(entry);
        var content = wish.Body is null
            ? null
            : new SentContent(JsonSerializer.SerializeToUtf8Bytes(wish.Body, JsonSerializerOptions.Web), _history);
        var haste = TimeSpan.FromMilliseconds(1 + (entry.Id * 7 % 50));
        var reply = await AskAsync(client, wish, content, IsHasty ? haste : s_longest);
        _history.Add(entry with
        {
            Phase = reply.Phase,
            Value = reply.IsOk ? wish.Learned(reply) : reply.Phase == Entry.Fail ? null : reply.Text,
            Status = reply.Status,
            Code = reply.Code,
            Sent = content?.SentAt,
        });
        return reply;
    }

    public void Dispose()
    {
        foreach (var (_, client) in _instances)
        {
            client.Dispose();
        }
    }

    private static HttpClient Client(Uri address) => new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false })
    {
        BaseAddress = address,
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private static async Task<Reply> AskAsync(HttpClient client, Wish wish, SentContent? content, TimeSpan longest)
    {
        using var request = new HttpRequestMessage(wish.Method, wish.Path) { Content = content };
        request.Headers.Add("X-Forwarded-For", wish.Network);
        request.Headers.TryAddWithoutValidation("User-Agent", "Ariya.Chaos");
        if (wish.Access is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", wish.Access);
        }

        if (wish.Key is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", wish.Key);
        }

        using var patience = new CancellationTokenSource(longest);
        try
        {
            using var answer = await client.SendAsync(request, patience.Token);
            var text = await answer.Content.ReadAsStringAsync(patience.Token);
            var status = (int)answer.StatusCode;
            var isProblem = answer.Content.Headers.ContentType?.MediaType == "application/problem+json";
            var isReplayed = answer.Headers.Contains("Idempotent-Replayed");
            var phase = status switch
            {
                >= 200 and < 300 => Entry.Ok,
                >= 400 and < 500 when isProblem => Entry.Fail,
                503 when isProblem && answer.Headers.RetryAfter is not null => Entry.Fail,
                _ => Entry.Violation,
            };
            return new Reply(phase, status, isProblem ? (string?)JsonNode.Parse(text)?["code"] : null, text, isReplayed);
        }
        catch (JsonException exception)
        {
            return new Reply(Entry.Violation, 0, null, $"an answer that is not JSON: {exception.Message}", false);
        }
        catch (OperationCanceledException)
        {
            return longest < s_longest
                ? new Reply(Entry.Unknown, 0, null, HungUp, false)
                : new Reply(Entry.Violation, 0, null, $"no answer within {s_longest.TotalSeconds} s", false);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return new Reply(Entry.Unknown, 0, null, exception.InnerException?.Message ?? exception.Message, false);
        }
    }

    /// <summary>Knows when the last byte was written and pushed out.</summary>
    private sealed class SentContent : HttpContent
    {
        private readonly byte[] _json;
        private readonly History _history;

        public SentContent(byte[] json, History history)
        {
            _json = json;
            _history = history;
            Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        public double? SentAt { get; private set; }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(_json);
            await stream.FlushAsync();
            SentAt = _history.Now;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _json.Length;
            return true;
        }
    }
}
