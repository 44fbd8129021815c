using System.Diagnostics;
using Ariya.Worker.Mail;
using Microsoft.Extensions.Options;

namespace Ariya.Worker.Outbox;

/// <summary>How a mail fared.</summary>
/// <param name="Message">Its row.</param>
/// <param name="Delivery">Null when it was not begun.</param>
/// <param name="IsCrowdedOut">Not begun because too many others wait for the same slow domain.</param>
internal sealed record LaneReport(LeasedMessage Message, DeliveryReport? Delivery, bool IsCrowdedOut = false);

/// <summary>
/// The connections to the relay and the mails that wait for one of them. The first connection is kept; others are opened when mails queue
/// up and closed when they have nothing to do. A receiver's domain that is slow gets half of them at most, and a dialogue that hangs
/// does not count: another connection takes its place, up to twice the number.
/// </summary>
internal sealed class MailLanes(
    Func<IMailTransport> connect, IOptions<OutboxOptions> options, Signal signal, TimeProvider clock) : IAsyncDisposable
{
    /// <summary>The trouble before the relay was asked for the first time.</summary>
    public const string NotAsked = "not asked yet";

    private const int MailsPerFurtherLane = 8;
    private const int MaxFailedMails = 3;
    private static readonly TimeSpan s_queuedLong = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly LinkedList<Queued> _ready = new();
    private readonly List<Lane> _lanes = [];
    private readonly SlowDomains _slow = new(options.Value, clock);
    private readonly CancellationTokenSource _abort = new();
    private List<LaneReport> _reports = [];
    private string? _trouble = NotAsked;
    private long _heardAt;
    private long _opensFrom;
    private bool _isHeld;
    private int _failedMails;
    private int _failedRounds;

    /// <summary>Why nothing can be sent; null while the relay answers.</summary>
    public string? Trouble
    {
        get
        {
            lock (_gate)
            {
                return _trouble;
            }
        }
    }

    /// <summary>Since the relay last answered on any connection.</summary>
    public TimeSpan Quiet
    {
        get
        {
            lock (_gate)
            {
                return clock.GetElapsedTime(_heardAt);
            }
        }
    }

    /// <summary>How often in a row it came to trouble without a mail that was judged: the wait before asking again grows with it.</summary>
    public int FailedRounds
    {
        get
        {
            lock (_gate)
            {
                return _failedRounds;
            }
        }
    }

    /// <summary>Mails that are on no connection yet.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _ready.Count;
            }
        }
    }

    /// <summary>Whether a connection is in a dialogue.</summary>
    public bool IsBusy
    {
        get
        {
            lock (_gate)
            {
                return _lanes.Any(lane => lane.Mail is not null);
            }
        }
    }

    public void Offer(IEnumerable<PreparedMail> mails)
    {
        lock (_gate)
        {
            var now = clock.GetTimestamp();
            foreach (var mail in mails)
            {
                _ready.AddLast(new Queued(mail, now));
            }

            Dispatch();
        }
    }

    /// <summary>What was done since the last call.</summary>
    public IReadOnlyList<LaneReport> TakeReports()
    {
        lock (_gate)
        {
            var reports = _reports;
            _reports = [];
            return reports;
        }
    }

    /// <summary>Gives back every mail that is not on a connection.</summary>
    public void GiveBack()
    {
        lock (_gate)
        {
            _reports.AddRange(_ready.Select(waiting => new LaneReport(waiting.Mail.Message, null)));
            _ready.Clear();
        }
    }

    /// <summary>Whether another mail to this domain would only wait behind those that are held.</summary>
    public bool IsCrowded(string domain, int more)
    {
        lock (_gate)
        {
            return _slow.Contains(domain) && HeldOf(domain) + more >= 2 * _slow.Limit(domain, _lanes);
        }
    }

    /// <summary>While nothing can be written down, no other dialogue begins: what the relay answers would be forgotten in a crash.</summary>
    public void Hold(bool isHeld)
    {
        lock (_gate)
        {
            _isHeld = isHeld;
        }
    }

    /// <summary>Time passes: hanging dialogues are noticed, idle connections closed.</summary>
    /// <param name="isFull">The worker holds so much that a slow domain's mails may keep others out: most of them are given back.</param>
    public void Tick(bool isFull)
    {
        lock (_gate)
        {
            _slow.Look(_lanes);
            foreach (var waiting in !isFull || _slow.IsEmpty ? [] : _ready.GroupBy(waiting => waiting.Mail.Message.Domain).Where(group => _slow.Contains(group.Key))
                .SelectMany(group => group.Skip(2 * _slow.Limit(group.Key, _lanes))).ToList())
            {
                _ready.Remove(waiting);
                _reports.Add(new LaneReport(waiting.Mail.Message, null, IsCrowdedOut: true));
            }

            foreach (var lane in _lanes.Skip(1).Where(lane => lane is { IsOpen: true, IsTaken: false } && clock.GetElapsedTime(lane.Since) > s_idle))
            {
                lane.Take(null, clock.GetTimestamp());
                lane.Running = CloseAsync(lane);
            }

            Dispatch();
        }
    }

    /// <summary>Asks the relay on a free connection, opening one if need be.</summary>
    /// <returns>Its answer; null when every connection is in use.</returns>
    public async Task<DeliveryReport?> ProbeAsync()
    {
        Task<DeliveryReport?> opening;
        lock (_gate)
        {
            var lane = _lanes.Find(lane => lane is { IsTaken: false, IsOpen: true }) ?? _lanes.Find(lane => !lane.IsTaken) ?? AddLane();
            if (lane is null)
            {
                return null;
            }

            lane.Take(null, clock.GetTimestamp());
            opening = OpenAsync(lane);
            lane.Running = opening;
        }

        return await opening;
    }

    /// <summary>Ends the dialogues that are still going on; a mail whose content was sent is then <see cref="DeliveryOutcome.Unknown"/>.</summary>
    public void Abort() => _abort.Cancel();

    public async ValueTask DisposeAsync()
    {
        await _abort.CancelAsync();
        foreach (var lane in _lanes)
        {
            await lane.Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await lane.Transport.DisposeAsync();
        }

        _abort.Dispose();
    }

    private int HeldOf(string domain) =>
        _lanes.Count(lane => lane.Mail?.Domain == domain) + _ready.Count(waiting => waiting.Mail.Message.Domain == domain);

    private void Dispatch()
    {
        // Asked before the mails are searched: usually there are many, and every connection is in use.
        while (_trouble is null && !_isHeld && !_abort.IsCancellationRequested && !IsEveryConnectionUsed && NextMail() is { } next && FreeLane(next.Value) is { } lane)
        {
            _ready.Remove(next);
            var message = next.Value.Mail.Message;
            if (clock.GetTimestamp() >= message.GoodUntil)
            {
                // This process slept, and somebody else may be sending it.
                _reports.Add(new LaneReport(message, null));
                signal.Set();
                continue;
            }

            lane.Take(message, clock.GetTimestamp());
            lane.Running = SendAsync(lane, next.Value);
        }
    }

    private LinkedListNode<Queued>? NextMail()
    {
        for (var node = _ready.First; node is not null; node = node.Next)
        {
            var domain = node.Value.Mail.Message.Domain;
            // Some connections are for receivers that are not slow, however many are.
            var isKeptFree = _slow.Contains(domain) && _lanes.Count(lane => lane.Mail is { } mail && _slow.Contains(mail.Domain)) >= _slow.MostInAll;
            if (!isKeptFree && _lanes.Count(lane => lane.Mail?.Domain == domain) < _slow.Limit(domain, _lanes))
            {
                return node;
            }
        }

        return null;
    }

    private bool IsEveryConnectionUsed => _lanes.Count(lane => lane.IsTaken && !_slow.IsHanging(lane)) >= options.Value.Connections;

    private Lane? FreeLane(Queued next)
    {
        if (_lanes.Find(lane => lane is { IsTaken: false, IsOpen: true }) is { } open)
        {
            return open;
        }

        // A connection costs the relay more than a mail: a few mails wait for one that is open.
        var inUse = _lanes.Count(lane => lane.IsOpen || lane.IsTaken);
        if (inUse > 0 && _ready.Count <= inUse * MailsPerFurtherLane && clock.GetElapsedTime(next.Since) < s_queuedLong)
        {
            return null;
        }

        return clock.GetTimestamp() < _opensFrom && inUse > 0 ? null : _lanes.Find(lane => !lane.IsTaken) ?? AddLane();
    }

    private Lane? AddLane()
    {
        if (_lanes.Count >= 2 * options.Value.Connections)
        {
            return null;
        }

        var lane = new Lane(connect());
        _lanes.Add(lane);
        return lane;
    }

    private async Task SendAsync(Lane lane, Queued waiting)
    {
        var message = waiting.Mail.Message;
        DeliveryReport? report = null;
        try
        {
            // Away from the caller, who holds the lock.
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            report = await SendTracedAsync(lane.Transport, message, waiting.Mail.Mail!, _abort.Token);
        }
        catch (OperationCanceledException)
        {
            // Stopped before the relay could have it.
        }
        catch (Exception exception)
        {
            // A fault of ours counts as a try, so that it ends some day instead of coming back at once for ever.
            report = new DeliveryReport(DeliveryOutcome.Unknown, SmtpStage.Mail, $"a fault of the worker: {exception.GetType().Name}", TimeSpan.Zero);
        }
        finally
        {
            lock (_gate)
            {
                Release(lane, report);
                if (report is { Outcome: DeliveryOutcome.RelayFailed, Stage: SmtpStage.Connect })
                {
                    // It was never spoken of: the next connection takes it.
                    _ready.AddFirst(waiting);
                }
                else
                {
                    _reports.Add(new LaneReport(message, report));
                }

                Dispatch();
            }

            signal.Set();
        }
    }

    private static async Task<DeliveryReport> SendTracedAsync(
        IMailTransport transport, LeasedMessage message, OutgoingMail mail, CancellationToken cancellationToken)
    {
        // The request's trace goes on here, however long the row waited.
        _ = ActivityContext.TryParse(message.Traceparent, null, isRemote: true, out var parent);
        using var activity = WorkerTelemetry.Source.StartActivity("outbox send", ActivityKind.Consumer, parent);
        activity?.SetTag("ariya.mail.kind", message.Kind);
        activity?.SetTag("ariya.mail.attempt", message.Attempts + 1);
        using var dialogue = WorkerTelemetry.Source.StartActivity("smtp send", ActivityKind.Client);
        var report = await transport.SendAsync(mail, cancellationToken);
        dialogue?.SetTag("ariya.smtp.stage", report.Stage.ToString());
        dialogue?.SetTag("ariya.smtp.reply_code", report.ReplyCode);
        dialogue?.SetStatus(report.Outcome == DeliveryOutcome.Accepted ? ActivityStatusCode.Ok : ActivityStatusCode.Error);
        activity?.SetTag("ariya.mail.outcome", report.Outcome.ToString());
        return report;
    }

    private async Task<DeliveryReport?> OpenAsync(Lane lane)
    {
        DeliveryReport? report = null;
        try
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            return report = await lane.Transport.OpenAsync(_abort.Token);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        catch (Exception exception)
        {
            return report = new DeliveryReport(
                DeliveryOutcome.RelayFailed, SmtpStage.Connect, $"a fault of the worker: {exception.GetType().Name}", TimeSpan.Zero);
        }
        finally
        {
            lock (_gate)
            {
                Release(lane, report);
                Dispatch();
            }

            signal.Set();
        }
    }

    private async Task CloseAsync(Lane lane)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            await lane.Transport.CloseAsync();
        }
        finally
        {
            lock (_gate)
            {
                lane.Free(isOpen: false, clock.GetTimestamp());
                Dispatch();
            }
        }
    }

    private void Release(Lane lane, DeliveryReport? report)
    {
        if (lane.Mail is { } mail && report is not null)
        {
            _slow.Note(mail.Domain, report.Duration);
        }

        var isJudged = report is { Outcome: DeliveryOutcome.Accepted or DeliveryOutcome.Refused or DeliveryOutcome.Deferred };
        if (isJudged)
        {
            _trouble = null;
            _heardAt = clock.GetTimestamp();
            _failedMails = 0;
            _failedRounds = lane.Mail is null ? _failedRounds : 0;
        }
        else if (report is { Outcome: DeliveryOutcome.RelayFailed })
        {
            Fail(report, _lanes.Exists(other => other != lane && other.IsOpen));
        }

        lane.Free(isJudged, clock.GetTimestamp());
    }

    // A connection that cannot be made while another is there only says that the relay wants fewer. One that broke after a recipient was named
    // may be that recipient's doing; three in a row are not.
    private void Fail(DeliveryReport report, bool isOtherOpen)
    {
        if (report.Stage == SmtpStage.Connect && isOtherOpen)
        {
            _opensFrom = clock.GetTimestamp() + (long)(s_rest.TotalSeconds * clock.TimestampFrequency);
        }
        else if (report.Stage <= SmtpStage.Mail || ++_failedMails >= MaxFailedMails)
        {
            _failedMails = 0;
            _failedRounds += _trouble is null || report.Stage == SmtpStage.Connect ? 1 : 0;
            // It is logged, and what a relay says about a recipient may name that recipient.
            _trouble = report.Stage <= SmtpStage.Mail ? report.Reply : $"{report.ReplyCode ?? "no reply"} to one recipient after the other";
        }
    }

    private sealed record Queued(PreparedMail Mail, long Since);
}
