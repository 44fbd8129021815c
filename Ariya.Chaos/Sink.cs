using System.Text.RegularExpressions;
using Ariya.Tests.Mail.Relay;

namespace Ariya.Chaos;

internal enum RelayTrouble
{
    None,
    Refuses,
    Silent,
    Defers,
    DropsAnswer,
}

/// <summary>A mail that the relay took, whether or not its answer arrived.</summary>
/// <param name="At">When its content was complete.</param>
/// <param name="MessageId">Left part of the Message-ID.</param>
/// <param name="Recipient">From the dialogue.</param>
/// <param name="Worker">Who handed it over: each worker has a sender of its own.</param>
/// <param name="Page">The page that its link opens; null without a link.</param>
/// <param name="Token">Of the link.</param>
/// <param name="IsAnswered">False: the relay hung up instead of its 250.</param>
internal sealed record Copy(double At, Guid MessageId, string Recipient, string Worker, string? Page, string? Token, bool IsAnswered);

/// <summary>Where all mail ends: a relay on one port for the whole run, and every copy that it took.</summary>
internal sealed partial class Sink : IAsyncDisposable
{
    private readonly History _history;
    private readonly Lock _gate = new();
    private readonly List<Copy> _copies = [];
    private readonly Dictionary<string, List<Copy>> _byRecipient = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _end = new();
    private readonly Task _collecting;
    private readonly RelayScript _script;
    private ScriptedRelay _relay;
    private TaskCompletionSource _silence = new();
    private volatile RelayTrouble _trouble;

    public Sink(History history)
    {
        _history = history;
        _script = new RelayScript { On = Answer };
        _relay = new ScriptedRelay(_script);
        Port = _relay.Port;
        _collecting = CollectAsync();
    }

    public int Port { get; }

    public IReadOnlyList<Copy> Copies()
    {
        lock (_gate)
        {
            return [.. _copies];
        }
    }

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _copies.Count;
            }
        }
    }

    public async Task TroubleAsync(RelayTrouble trouble)
    {
        _silence = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _trouble = trouble;
        if (trouble == RelayTrouble.Refuses)
        {
            await _relay.DisposeAsync();
        }
    }

    /// <summary>What was silent speaks on: a relay that came back, not one that forgot.</summary>
    public void Mend()
    {
        var trouble = _trouble;
        _trouble = RelayTrouble.None;
        _silence.TrySetResult();
        if (trouble == RelayTrouble.Refuses)
        {
            Take();
            _relay = new ScriptedRelay(_script, Port);
        }
    }

    /// <summary>The newest link for a page that came to an address since a moment; null when there is none yet.</summary>
    public string? Link(string recipient, string page, double since)
    {
        lock (_gate)
        {
            return _byRecipient.GetValueOrDefault(recipient)?.LastOrDefault(copy => copy.Page == page && copy.At > since)?.Token;
        }
    }

    /// <summary>The same, waited for; null when none came in time.</summary>
    public async Task<string?> LinkAsync(string recipient, string page, double since, TimeSpan patience, CancellationToken stop)
    {
        for (var until = _history.Now + patience.TotalSeconds; _history.Now < until && !stop.IsCancellationRequested;)
        {
            if (Link(recipient, page, since) is { } token)
            {
                return token;
            }

            await Task.Delay(50, CancellationToken.None);
        }

        return null;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _collecting;
        await _relay.DisposeAsync();
        _end.Dispose();
    }

    private RelayReply? Answer(RelayMoment moment) => (_trouble, moment.Verb) switch
    {
        (RelayTrouble.Silent, "CONNECT") => RelayReply.After(_silence.Task, "220 relay.test ready"),
        (RelayTrouble.Silent, "MAIL" or "." or "RSET") => RelayReply.After(_silence.Task, "250 2.0.0 late"),
        (RelayTrouble.Defers, "RCPT") => "451 4.3.0 come back later",
        (RelayTrouble.DropsAnswer, ".") => RelayReply.HangUp,
        _ => null,
    };

    private async Task CollectAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            Take();
            await Task.Delay(10);
        }
    }

    private void Take()
    {
        lock (_gate)
        {
            while (_relay.Handed.TryDequeue(out var mail))
            {
                var link = LinkPattern().Match(mail.Content.Replace("=\r\n", "", StringComparison.Ordinal));
                var id = Guid.ParseExact(MessageIdPattern().Match(mail.Content).Groups[1].Value, "N");
                var copy = new Copy(_history.Now, id, mail.Recipient, mail.From.Split('@')[0], link.Success ? link.Groups[1].Value : null,
                    link.Success ? link.Groups[2].Value : null, mail.Reply.StartsWith('2'));
                _copies.Add(copy);
                if (!_byRecipient.TryGetValue(mail.Recipient, out var copies))
                {
                    _byRecipient[mail.Recipient] = copies = [];
                }

                copies.Add(copy);
            }
        }
    }

    // In quoted-printable an equals sign is =3D.
    [GeneratedRegex("/(verify-email|reset-password)\\?token=3D([A-Za-z0-9_-]+)")]
    private static partial Regex LinkPattern();

    [GeneratedRegex("^Message-ID: <([0-9a-f]{32})@", RegexOptions.Multiline)]
    private static partial Regex MessageIdPattern();
}
