using System.Diagnostics.Metrics;

namespace Ariya.Api.Sessions;

/// <summary>What refreshes were judged to be. <c>reuse</c> means stolen or copied tokens, <c>rolled_back</c> a database that was set back.</summary>
internal sealed class SessionMetrics
{
    private readonly Counter<long> _refreshes;

    public SessionMetrics(IMeterFactory meters)
    {
        _refreshes = meters.Create(Telemetry.MeterName).CreateCounter<long>(
            "ariya.sessions.refreshes", "{refresh}", "Refreshes by verdict: rotate, again, reuse, rolled_back");
    }

    public void Refreshed(string verdict) => _refreshes.Add(1, new KeyValuePair<string, object?>("verdict", verdict));
}
